package erasure

import (
	"encoding/csv"
	"os"
	"strings"
	"testing"

	"github.com/nyaruka/phonenumbers"
	"pgregory.net/rapid"
)

// The countries of the sample data, as its column country writes them.
var sampleRegions = map[string]string{
	"Argentina": "AR", "Australia": "AU", "Austria": "AT", "Belgium": "BE", "Brazil": "BR", "Canada": "CA",
	"Chile": "CL", "Czech Republic": "CZ", "Denmark": "DK", "Finland": "FI", "France": "FR", "Germany": "DE",
	"Hungary": "HU", "India": "IN", "Ireland": "IE", "Italy": "IT", "Netherlands": "NL", "Norway": "NO",
	"Poland": "PL", "Portugal": "PT", "Spain": "ES", "Sweden": "SE", "USA": "US", "United Kingdom": "GB",
}

type samplePhone struct{ line, value, region string }

func samplePhones(t *testing.T) (phones []samplePhone) {
	t.Helper()
	f, err := os.Open("../ingest/testdata/chinook-customers.csv")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range rows[1:] {
		region := sampleRegions[row[9]]
		if region == "" {
			t.Fatalf("customer %s: no region for %q", row[0], row[9])
		}
		if row[2] != "" { // one customer has no phone
			phones = append(phones, samplePhone{row[0], row[2], region})
		}
	}
	if len(rows) != 60 || len(phones) != 58 {
		t.Fatalf("%d rows with %d numbers, want 59 rows with 58", len(rows)-1, len(phones))
	}
	return phones
}

// abroad are forms of an international number, national those of what follows
// its country code. Each is a way in which people type one number.
var (
	abroad = map[string]func(string) string{
		"as it stands":        func(s string) string { return s },
		"without blanks":      func(s string) string { return strings.ReplaceAll(s, " ", "") },
		"+ and digits":        func(s string) string { return "+" + phonenumbers.NormalizeDigitsOnly(s) },
		"00 and digits":       func(s string) string { return "00" + phonenumbers.NormalizeDigitsOnly(s) },
		"00 for +":            func(s string) string { return "00" + s[1:] },
		"00 and a blank":      func(s string) string { return "00 " + s[1:] },
		"00 in brackets":      func(s string) string { return "(00) " + s[1:] },
		"code in brackets":    func(s string) string { code, rest, _ := strings.Cut(s, " "); return "(" + code + ") " + rest },
		"00 code in brackets": func(s string) string { code, rest, _ := strings.Cut(s[1:], " "); return "(00" + code + ") " + rest },
		"dots":                func(s string) string { return strings.ReplaceAll(s, " ", ".") },
		"hyphens":             func(s string) string { return strings.ReplaceAll(s, " ", "-") },
		"no-break blanks":     func(s string) string { return strings.ReplaceAll(s, " ", "\u00a0") },
		"blanks around":       func(s string) string { return " \t" + s + "\n" },
		"invisible marks":     func(s string) string { return "\u202a\ufeff\u200e" + s + "\u200b\u202c" },
		"wide digits":         wide,
	}
	national = map[string]func(string) string{
		"as it stands":    func(s string) string { return s },
		"digits":          phonenumbers.NormalizeDigitsOnly,
		"without bracket": func(s string) string { return strings.NewReplacer("(", "", ")", "").Replace(s) },
		"in brackets":     func(s string) string { return "(" + phonenumbers.NormalizeDigitsOnly(s) + ")" },
		"pairs": func(s string) string {
			var b strings.Builder
			for i, r := range phonenumbers.NormalizeDigitsOnly(s) {
				if i > 0 && i%2 == 0 {
					b.WriteByte(' ')
				}
				b.WriteRune(r)
			}
			return b.String()
		},
	}
)

func wide(s string) string {
	return strings.Map(func(r rune) rune {
		if '0' <= r && r <= '9' {
			return r - '0' + '０'
		}
		return r
	}, s)
}

// nationalPart is what people type inside the country: all after its code.
func nationalPart(t *testing.T, p samplePhone) string {
	t.Helper()
	code := "+" + itoa(phonenumbers.GetCountryCodeForRegion(p.region))
	rest, ok := strings.CutPrefix(p.value, code)
	if !ok {
		t.Fatalf("customer %s: the number does not begin with %s", p.line, code)
	}
	return strings.TrimSpace(rest)
}

func itoa(n int) string {
	if n < 10 {
		return string(rune('0' + n))
	}
	return itoa(n/10) + string(rune('0'+n%10))
}

func TestEveryPhoneOfTheSampleIsFoundInTheFormsThatPeopleType(t *testing.T) {
	for _, p := range samplePhones(t) {
		for _, store := range []string{"", p.region, "US", "DE", "IT", "BR", "AU", "JP", "KR"} {
			want := phone(t, p.value, "", store)
			for name, form := range abroad {
				for _, region := range []string{"", p.region} {
					if got := phone(t, form(p.value), region, store); got != want {
						t.Errorf("customer %s, %s, region %q, store in %q: %q gave %s, the sample's form %s",
							p.line, name, region, store, form(p.value), got, want)
					}
				}
			}
			for name, form := range national {
				in := form(nationalPart(t, p))
				if got := phone(t, in, p.region, store); got != want {
					t.Errorf("customer %s, national %s, store in %q: %q gave %s, the sample's form %s", p.line, name, store, in, got, want)
				}
			}
		}
	}
}

// Whether the 0 dialled inside a country is written must not decide, nor how
// libphonenumber itself would write the number.
func TestEveryPhoneOfTheSampleIsFoundWithAndWithoutTheTrunkZero(t *testing.T) {
	for _, p := range samplePhones(t) {
		want := phone(t, p.value, "", "")
		n, err := phonenumbers.Parse(want, "")
		if err != nil {
			t.Fatal(err)
		}
		code, digits := "+"+itoa(int(n.GetCountryCode())), phonenumbers.GetNationalSignificantNumber(n)
		forms := []string{
			phonenumbers.Format(n, phonenumbers.NATIONAL), phonenumbers.Format(n, phonenumbers.INTERNATIONAL),
			phonenumbers.Format(n, phonenumbers.RFC3966), digits, code + digits,
		}
		if p.region != "IT" { // Italian numbers keep their 0, and it is in digits already
			forms = append(forms, code+" (0)"+digits, code+"0"+digits)
		}
		for _, form := range forms {
			if got := phone(t, form, p.region, ""); got != want {
				t.Errorf("customer %s: %q gave %s, the sample's form %s", p.line, form, got, want)
			}
		}
	}
}

func TestDoubleZeroStaysWhereTheNumberIsValidAsTyped(t *testing.T) {
	for _, c := range []struct{ value, region, want string }{
		{"0011 61 2 9332 3633", "AU", "+61293323633"},
		{"0011 49 711 2842222", "AU", "+497112842222"},
		{"001 49 711 2842222", "KR", "+497112842222"},
		{"0049 711 2842222", "KR", "+497112842222"},
		{"0049 711 2842222", "US", "+497112842222"},
		{"011 49 711 2842222", "US", "+497112842222"},
		{"0077 7012", "JP", "+8100777012"},
		{"00 55 11 3033-5446", "BR", "+551130335446"},
		{"0015 55 11 3033-5446", "BR", "+551130335446"},
	} {
		if got := phone(t, c.value, c.region, ""); got != c.want {
			t.Errorf("%s in %s: got %s, want %s", c.value, c.region, got, c.want)
		}
	}
}

func TestAPhoneThatDoesNotParseIsFoundAsTyped(t *testing.T) {
	for _, c := range []struct{ value, region, want string }{
		{" 0711 2842222 ", "", "0711 2842222"},
		{"reception", "DE", "reception"},
		{"12", "", "12"},
		{"00", "DE", "00"},
		{"+999 1", "DE", "+999 1"},
	} {
		got, parsed, err := Normalise(Identifier{User, KeyPhone, c.value, c.region}, "")
		if err != nil || parsed || got != c.want {
			t.Errorf("%q: got %q, %v, %v; want it as typed", c.value, got, parsed, err)
		}
	}
}

func TestAnUnknownPhoneRegionIsRefused(t *testing.T) {
	for _, region := range []string{"XX", "UK", "49", "Germany"} {
		_, _, err := Normalise(Identifier{User, KeyPhone, "0711 2842222", region}, "DE")
		if CodeOf(err) != CodeInvalid {
			t.Errorf("%s: got %v", region, err)
		}
	}
	if got := phone(t, "0711 2842222", "de", "US"); got != "+497112842222" {
		t.Errorf("a region in small letters gave %s", got)
	}
}

func TestNormalisingAnE164NumberAgainChangesNothing(t *testing.T) {
	regions := []string{"DE", "IT", "US", "BR", "AR", "MX", "GB", "FR", "RU", "CI", "SM", "AU", "JP", "KR", "CL", "HU"}
	rapid.Check(t, func(t *rapid.T) {
		region := rapid.SampledFrom(regions).Draw(t, "region")
		n := phonenumbers.GetExampleNumber(region)
		digits := rapid.StringMatching(`[0-9]{0,4}`).Draw(t, "digits")
		in := phonenumbers.Format(n, phonenumbers.E164)
		in = in[:len(in)-len(digits)] + digits
		once, parsed, err := Normalise(Identifier{User, KeyPhone, in, ""}, region)
		if err != nil {
			t.Fatal(err)
		}
		if !parsed { // four other digits at the end may make it none
			return
		}
		for _, other := range regions {
			twice, _, err := Normalise(Identifier{User, KeyPhone, once, other}, "")
			if err != nil || once != twice {
				t.Fatalf("%s became %s in %s and %s in %s", in, once, region, twice, other)
			}
		}
	})
}

func phone(t *testing.T, value, region, store string) string {
	t.Helper()
	got, parsed, err := Normalise(Identifier{User, KeyPhone, value, region}, store)
	if err != nil || !parsed {
		t.Errorf("%q in %q: parsed %v, %v", value, region, parsed, err)
	}
	return got
}
