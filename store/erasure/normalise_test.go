package erasure

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/uuid"
	"pgregory.net/rapid"
)

// vector is one value and the form that NormaliserVersion 1 brings it to.
type vector struct {
	Table  Table  `json:"table,omitempty"`
	Key    string `json:"key"`
	Region string `json:"region,omitempty"`
	Value  string `json:"value"`
	Want   string `json:"want"`
	AsIs   bool   `json:"does_not_parse,omitempty"`
}

// A difference here means that what is in stores already is no longer found:
// it asks for a new NormaliserVersion and a way to carry stores over to it.
func TestGoldenVectorsStay(t *testing.T) {
	raw, err := os.ReadFile(filepath.Join("testdata", "normalise.json"))
	if err != nil {
		t.Fatal(err)
	}
	var vectors []vector
	if err := json.Unmarshal(raw, &vectors); err != nil {
		t.Fatal(err)
	}
	if len(vectors) < 100 {
		t.Fatalf("only %d vectors", len(vectors))
	}
	for _, v := range vectors {
		got, parsed, err := Normalise(v.identifier(), "")
		if err != nil {
			t.Errorf("%s %+q: %v", v.Key, v.Value, err)
		} else if got != v.Want || parsed == v.AsIs {
			t.Errorf("%s %+q in %q: got %+q, parsed %v; the vector has %+q, %v", v.Key, v.Value, v.Region, got, parsed, v.Want, !v.AsIs)
		}
	}
}

func (v vector) identifier() Identifier {
	table := v.Table
	if table == "" {
		table = User
	}
	return Identifier{table, v.Key, v.Value, v.Region}
}

func TestEmailsThatAreOneMailboxHaveOneForm(t *testing.T) {
	want := email(t, "ann@example.com", true)
	for _, s := range []string{"Ann@Example.COM", " ann@example.com\n", "ann@exa\u200bmple.com", "\ufeffann@example.com",
		"ann@example.com\u00a0", "ann@example.com.", "ann@ｅxample。com", "ANN@EXAMPLE.COM"} {
		if got := email(t, s, true); got != want {
			t.Errorf("%+q gave %s", s, got)
		}
	}
	if a, b := email(t, "jörg@bücher.example", true), email(t, "JO\u0308RG@XN--BCHER-KVA.example", true); a != b {
		t.Errorf("%s and %s are one mailbox", a, b)
	}
}

func TestDotsAndPlusTagsTellMailboxesApart(t *testing.T) {
	seen := map[string]string{}
	for _, s := range []string{"annlee@gmail.com", "ann.lee@gmail.com", "annlee+shop@gmail.com", "annlee@googlemail.com"} {
		form := email(t, s, true)
		if other := seen[form]; other != "" {
			t.Errorf("%s and %s gave one form", s, other)
		}
		seen[form] = s
	}
}

func TestWhatIsNoEmailIsFoundAsTyped(t *testing.T) {
	for _, s := range []string{"ann", "@example.com", "ann@", "ann example@example.com", "Ann <ann@example.com>",
		"ann@exa mple.com", "ann@a..b", "a@b@example.com", "ann@.example.com", "ann@."} {
		got := email(t, " "+strings.ToUpper(s)+"\u200b", false)
		if want := strings.ToLower(s); got != want {
			t.Errorf("%s gave %q", s, got)
		}
	}
}

func email(t *testing.T, s string, parsed bool) string {
	t.Helper()
	got, ok, err := Normalise(Identifier{User, KeyEmail, s, ""}, "")
	if err != nil || ok != parsed {
		t.Errorf("%+q: parsed %v, %v", s, ok, err)
	}
	return got
}

func TestExactValuesKeepAllThatCanBeSeen(t *testing.T) {
	for _, s := range []string{"Abc-1", "abc-1", "abc 1", "ABC_1", "+49 711", "0049", "ann@Example.com"} {
		got, parsed, err := Normalise(Identifier{User, KeyUserID, "\t" + s + "\u200b \n", ""}, "DE")
		if got != s || !parsed || err != nil {
			t.Errorf("%q: got %q, %v, %v", s, got, parsed, err)
		}
	}
}

func TestAUserIDIsFoundInAnyCaseAndWithBlanks(t *testing.T) {
	id := uuid.MustParse("01890a5d-ac96-774b-bcce-b302099a8057")
	for _, s := range []string{id.String(), strings.ToUpper(id.String()), " " + id.String() + "\n", "01890a5d-\n  ac96-774b-bcce-b302\u200b099a8057"} {
		got, parsed, err := Normalise(Identifier{User, KeyEffaceID, s, ""}, "")
		if got != id.String() || !parsed || err != nil {
			t.Errorf("%+q: got %q, %v, %v", s, got, parsed, err)
		}
	}
}

func TestValuesThatCannotBeIdentifiersAreRefusedWithASentence(t *testing.T) {
	seen := map[string]string{}
	for name, id := range map[string]Identifier{
		"empty":         {User, KeyEmail, "", ""},
		"too long":      {User, KeyUserID, strings.Repeat("a", ValueLength+1), ""},
		"not UTF-8":     {User, KeyUserID, "ann\xff", ""},
		"NUL":           {User, KeyUserID, "ann\x00", ""},
		"no User ID":    {User, KeyEffaceID, "ann", ""},
		"no key":        {User, "", "ann", ""},
		"key with case": {User, "eMail", "ann", ""},
		"key of digits": {User, "1", "ann", ""},
		"long key":      {User, strings.Repeat("k", KeyNameLength+1), "ann", ""},
		"no region":     {User, KeyPhone, "0711", "XX"},
	} {
		_, _, err := Normalise(id, "")
		if CodeOf(err) != CodeInvalid {
			t.Errorf("%s: got %v", name, err)
			continue
		}
		if other := seen[err.Error()]; other != "" {
			t.Errorf("%s and %s have one sentence", name, other)
		}
		seen[err.Error()] = name
		if strings.Contains(err.Error(), "ann") {
			t.Errorf("%s: the sentence holds the value", name)
		}
	}
	if _, _, err := Normalise(Identifier{User, KeyUserID, " \u200b\u00a0\n", ""}, ""); CodeOf(err) != CodeInvalid {
		t.Errorf("a value of blanks: got %v", err)
	}
	if _, _, err := Normalise(Identifier{User, KeyUserID, strings.Repeat("a", ValueLength), ""}, ""); err != nil {
		t.Errorf("a value of the greatest length: got %v", err)
	}
}

func TestNormalisingAgainChangesNothing(t *testing.T) {
	keys := []string{KeyUserID, KeyEmail, KeyFBP, "hubspot_user_id"}
	taken := rapid.Custom(func(t *rapid.T) Identifier {
		return Identifier{User, rapid.SampledFrom(keys).Draw(t, "key"), drawValue(t), ""}
	}).Filter(func(id Identifier) bool {
		_, _, err := Normalise(id, "DE")
		return err == nil
	})
	rapid.Check(t, func(t *rapid.T) {
		id := taken.Draw(t, "identifier")
		once, parsed, err := Normalise(id, "DE")
		if err != nil {
			t.Fatal(err)
		}
		id.Value = once
		twice, again, err := Normalise(id, "DE")
		if err != nil || once != twice || parsed != again {
			t.Fatalf("%+q became %+q (%v), then %+q (%v, %v)", id.Value, once, parsed, twice, again, err)
		}
	})
}

func drawValue(t *rapid.T) string {
	if rapid.Bool().Draw(t, "mailbox") {
		return rapid.String().Draw(t, "local") + "@" + rapid.StringMatching(`[a-zA-ZäÖß0-9.\-]{1,20}`).Draw(t, "domain")
	}
	return rapid.String().Draw(t, "value")
}

func TestCleaningTakesWhatCannotBeSeenAndNothingElse(t *testing.T) {
	invisibles := []string{"\u200b", "\u200c", "\u200d", "\u200e", "\u200f", "\u2060", "\ufeff", "\u00a0", "\u00ad", "\u034f", "\u061c", "\u180e", "\u202a", "\u202e", "\u2061", "\u2066", "\u206f", "\U000e0001", "\U000e007f"}
	rapid.Check(t, func(t *rapid.T) {
		seen := CleanPaste(rapid.String().Draw(t, "value"))
		at := rapid.IntRange(0, len(seen)).Draw(t, "at")
		for at < len(seen) && seen[at]&0xc0 == 0x80 { // not within a character
			at++
		}
		pasted := " \t" + seen[:at] + rapid.SampledFrom(invisibles).Draw(t, "mark") + seen[at:] + "\n"
		if got := CleanPaste(pasted); got != seen {
			t.Fatalf("%+q became %+q, not %+q", pasted, got, seen)
		}
	})
}
