package views

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/efface/efface/store/erasure"
)

// What is wrong is named at the top and says what to do; all else is in order.
func TestStatusSaysWhatNeedsSomebody(t *testing.T) {
	at := time.Date(2026, 3, 5, 3, 0, 0, 0, time.UTC)
	for name, c := range map[string]struct {
		spoil  func(*StatusPage)
		needs  []string
		advice string // of the first of them, in part
	}{
		"all is well":            {func(*StatusPage) {}, nil, ""},
		"the database":           {func(s *StatusPage) { s.Unreachable = erasure.DatabasePart }, []string{"Database"}, "its disk is full"},
		"the keyring":            {func(s *StatusPage) { s.Unreachable = erasure.KeyringPart }, []string{"Keyring"}, "/keys/keyring.db is in its place"},
		"the witness":            {func(s *StatusPage) { s.Unreachable = erasure.WitnessPart }, []string{"Witness"}, "write in /witness"},
		"a witness that differs": {func(s *StatusPage) { s.Gauges.Witness.Misfit = "Mend it." }, []string{"Witness"}, "Mend it."},
		"requests that failed":   {func(s *StatusPage) { s.Gauges.Requests[erasure.Failed] = 2 }, []string{"Erasures"}, "requests that failed"},
		"a late erasure":         {func(s *StatusPage) { s.Gauges.Overdue = time.Hour }, []string{"Erasures"}, "log"},
		"one that is due":        {func(s *StatusPage) { s.Gauges.Due, s.Gauges.Overdue = 1, time.Minute }, nil, ""},
		"an open reader":         {func(s *StatusPage) { s.Gauges.Waiting = time.Second }, []string{"Destroyed keys"}, "fuser -v /keys/keyring.db"},
		"a clock that jumped": {func(s *StatusPage) { s.Gauges.Held, s.Gauges.Overdue = time.Minute, time.Hour },
			[]string{"Clock"}, "Check that it is right"},
		"what should be gone":  {func(s *StatusPage) { s.Gauges.Hits = 1 }, []string{"Check after deletions"}, "report"},
		"a failed test person": {func(s *StatusPage) { s.Gauges.Tests.Failed = at }, []string{"Test person"}, "Keep a copy"},
		"no test person": {func(s *StatusPage) {
			s.Gauges.Tests.Passed, s.Gauges.Planted = at.Add(-49*time.Hour), at.Add(-50*time.Hour)
		},
			[]string{"Test person"}, "log"},
		"a test under way":      {func(s *StatusPage) { s.Gauges.Planted = at }, nil, ""},
		"none is wanted":        {func(s *StatusPage) { s.TestPersons, s.Gauges.Tests.Passed = false, at.Add(-49*time.Hour) }, nil, ""},
		"no scrub":              {func(s *StatusPage) { s.Gauges.Scrubbed = at.Add(-27 * time.Hour) }, []string{"Traces of deleted rows"}, "log"},
		"no sweep ever":         {func(s *StatusPage) { s.Gauges.Swept = time.Time{} }, []string{"Daily sweep"}, "log"},
		"no sweep since before": {func(s *StatusPage) { s.Gauges.Swept, s.Uptime = at.Add(-27*time.Hour), time.Hour }, nil, ""},
		"a disk":                {func(s *StatusPage) { s.Gauges.Disks[1].Low = true }, []string{"Disk of the witness"}, "disk of /witness"},
		"a disk that is gone":   {func(s *StatusPage) { s.Gauges.Disks[0].Size = 0 }, []string{"Disk of the data"}, "/data is in its place"},
		"several": {func(s *StatusPage) { s.Gauges.Hits, s.Gauges.Disks[0].Low = 1, true },
			[]string{"Check after deletions", "Disk of the data"}, "report"},
	} {
		t.Run(name, func(t *testing.T) {
			s := wellStatus(at)
			c.spoil(&s)
			var needs []string
			lines := s.lines(Page{})
			for _, l := range lines {
				if l.condition < look {
					continue
				}
				if needs = append(needs, l.what); len(needs) == 1 && !strings.Contains(l.advice, c.advice) || l.advice == "" {
					t.Errorf("%s: the advice is %q", l.what, l.advice)
				}
			}
			if !slices.Equal(needs, c.needs) {
				t.Errorf("what needs somebody is %q, not %q", needs, c.needs)
			}
			text, well := summary(lines)
			if well != (len(c.needs) == 0) || !strings.Contains(text, strings.Join(c.needs, ", ")) {
				t.Errorf("the summary is %q, %v", text, well)
			}
		})
	}
}

// wellStatus is a server that has run for three days.
func wellStatus(at time.Time) StatusPage {
	hourAgo := at.Add(-time.Hour)
	return StatusPage{
		Program: "efface 1", Keyring: "/keys/keyring.db", Uptime: 72 * time.Hour, TestPersons: true,
		Gauges: erasure.Gauges{
			Status: erasure.Status{Tests: erasure.TestPersons{Passed: hourAgo}, Witness: erasure.Witness{Dir: "/witness", Compared: hourAgo}},
			At:     at, Requests: map[erasure.State]int{erasure.Pending: 1}, Planted: hourAgo, Erased: hourAgo, Signed: 5, SignedAt: hourAgo,
			Scrubbed: hourAgo, Swept: hourAgo, BackedUp: hourAgo, Schema: 11,
			Disks: []erasure.Disk{{Of: "data", Dir: "/data", Free: 5e9, Size: 9e9}, {Of: "witness", Dir: "/witness", Free: 5e6, Size: 9e6}},
		},
	}
}

func TestTheSummaryCountsWhatIsToKnow(t *testing.T) {
	line := func(c condition) statusLine { return statusLine{what: "Backup", condition: c} }
	for want, lines := range map[string][]statusLine{
		"Everything is in order.":             {line(fine)},
		"Nothing is wrong; 1 thing to know.":  {line(fine), line(note)},
		"Nothing is wrong; 2 things to know.": {line(note), line(fine), line(note)},
		"One thing needs somebody: Backup.":   {line(note), line(look)},
	} {
		if text, _ := summary(lines); text != want {
			t.Errorf("the summary is %q, not %q", text, want)
		}
	}
}

func TestAWitnessThatIsNotThereIsNotOnTheDataDisk(t *testing.T) {
	s := wellStatus(time.Now())
	s.Unreachable, s.Gauges.Witness.Beside, s.WitnessGone = erasure.WitnessPart, true, true
	for _, l := range s.lines(Page{}) {
		switch l.what {
		case "Witness":
			if !strings.Contains(l.advice, "/witness does not exist: is its disk mounted?") {
				t.Errorf("it advises %q", l.advice)
			}
		case "Place of the witness":
			t.Error("it claims a place for it")
		}
	}
}

func TestSizesAreWrittenInWords(t *testing.T) {
	for bytes, want := range map[uint64]string{0: "0 bytes", 1: "1 byte", 999: "999 bytes", 65_536: "65 kilobytes", 1_900_000: "1 megabyte", 999_999_999: "999 megabytes", 1_024_000_000_000: "1,024 gigabytes"} {
		if got := size(bytes); got != want {
			t.Errorf("%d bytes are written %q, not %q", bytes, got, want)
		}
	}
}
