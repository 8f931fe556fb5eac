package erasure

import (
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"pgregory.net/rapid"
)

var (
	pasteCurrent = uuid.MustParse("01890a5d-ac96-774b-bcce-b302099a8057")
	pasteFormer  = uuid.MustParse("01890a5d-ac96-774b-bcce-b302099a8058")
)

func TestThePastedUserIDConfirmsWhateverSurroundsIt(t *testing.T) {
	id := pasteCurrent.String()
	for _, s := range []string{id, strings.ToUpper(id), " " + id + "\r\n", "\ufeff" + id + "\u200b", "\u00a0" + id[:8] + "\u2060" + id[8:],
		id[:18] + "\n\t" + id[18:], id[:4] + " " + id[4:], "\u2003" + id} {
		if err := MatchPaste(s, pasteCurrent, []uuid.UUID{pasteFormer}); err != nil {
			t.Errorf("%+q: %v", s, err)
		}
	}
}

func TestEachWrongPasteHasItsOwnSentence(t *testing.T) {
	seen := map[string]string{}
	for name, s := range map[string]string{
		"nothing":        " \u200b\n",
		"request id":     NewRequestID(time.Now()).String(),
		"batch id":       NewBatchID(time.Now()).String(),
		"former User ID": pasteFormer.String(),
		"another's":      "01890a5d-ac96-774b-bcce-b302099a8059",
		"no User ID":     "ann@example.com",
	} {
		err := MatchPaste(s, pasteCurrent, []uuid.UUID{pasteFormer})
		if CodeOf(err) != CodeInvalid {
			t.Errorf("%s: got %v", name, err)
			continue
		}
		if other := seen[err.Error()]; other != "" {
			t.Errorf("%s and %s have one sentence", name, other)
		}
		seen[err.Error()] = name
		if s != " \u200b\n" && strings.Contains(err.Error(), s) {
			t.Errorf("%s: the sentence repeats what was pasted", name)
		}
	}
}

func TestARequestIDIsToldInAnyLetterCaseAndWithBlanks(t *testing.T) {
	want := MatchPaste(NewRequestID(time.Now()).String(), pasteCurrent, nil).Error()
	for _, s := range []string{strings.ToUpper(NewRequestID(time.Now()).String()), "  " + NewRequestID(time.Now()).String() + "\n", "er_"} {
		if err := MatchPaste(s, pasteCurrent, nil); err == nil || err.Error() != want {
			t.Errorf("%q: got %v", s, err)
		}
	}
}

// A UUID may be spelt in other ways; staff copy it from the page, so another
// spelling is a sign that it comes from somewhere else.
func TestOtherSpellingsOfAUUIDAreNoUserID(t *testing.T) {
	id := pasteCurrent.String()
	for _, s := range []string{"{" + id + "}", "urn:uuid:" + id, strings.ReplaceAll(id, "-", ""), id[:35], id + "0"} {
		if MatchPaste(s, pasteCurrent, nil) == nil {
			t.Errorf("%s was accepted", s)
		}
	}
}

func TestNoOtherUUIDConfirms(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		other := uuid.UUID(rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "uuid"))
		if (MatchPaste(other.String(), pasteCurrent, nil) == nil) != (other == pasteCurrent) {
			t.Fatal(other)
		}
	})
}

func TestARequestWithoutAProfileIsConfirmedByItsOwnID(t *testing.T) {
	id := NewRequestID(time.Now())
	for _, s := range []string{id.String(), strings.ToUpper(id.String()), " " + id.String() + "\u200b\n"} {
		if err := MatchRequestPaste(s, id); err != nil {
			t.Errorf("%q: %v", s, err)
		}
	}
	seen := map[string]bool{}
	for _, s := range []string{"", pasteCurrent.String(), NewRequestID(time.Now()).String()} {
		err := MatchRequestPaste(s, id)
		if CodeOf(err) != CodeInvalid || seen[err.Error()] {
			t.Errorf("%q: got %v", s, err)
			continue
		}
		seen[err.Error()] = true
	}
}
