package views

import (
	"testing"
	"time"
)

func TestNumbersHaveThousandsSeparators(t *testing.T) {
	for n, want := range map[int]string{0: "0", 999: "999", 1000: "1,000", 143342: "143,342", 1000000: "1,000,000"} {
		if got := number(n); got != want {
			t.Errorf("%d is written %q, want %q", n, got, want)
		}
	}
}

func TestASpanIsWrittenInItsTwoLargestUnits(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0:                               "0 s",
		400 * time.Millisecond:          "0 s",
		41 * time.Second:                "41 s",
		time.Minute:                     "1 min",
		90 * time.Second:                "1 min 30 s",
		24*time.Hour - time.Minute:      "23 h 59 min",
		26*time.Hour + 10*time.Second:   "1 d 2 h",
		time.Hour + 59*time.Second:      "1 h",
		59*time.Minute + 59*time.Second: "59 min 59 s",
	} {
		if got := span(d); got != want {
			t.Errorf("%s is written %q, want %q", d, got, want)
		}
	}
}

func TestATermIsWrittenInWords(t *testing.T) {
	for d, want := range map[time.Duration]string{24 * time.Hour: "24 hours", time.Hour: "1 hour", 2 * time.Second: "2 seconds", 90 * time.Minute: "1 h 30 min",
		30 * 24 * time.Hour: "30 days", 1095 * 24 * time.Hour: "3 years", 1096 * 24 * time.Hour: "3 years", 730 * 24 * time.Hour: "2 years", 400 * 24 * time.Hour: "400 days"} {
		if got := termText(d); got != want {
			t.Errorf("%s is written %q, want %q", d, got, want)
		}
	}
}

func TestTimesAreShownInTheirZone(t *testing.T) {
	p := Page{Location: time.FixedZone("CET", 3600)}
	at := time.Date(2026, 3, 5, 23, 30, 0, 0, time.UTC)
	if got, want := p.stampText(at), "2026-03-06 00:30:00 CET"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
