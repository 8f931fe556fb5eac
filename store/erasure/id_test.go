package erasure

import (
	"testing"

	"github.com/google/uuid"
	"pgregory.net/rapid"
)

// The vector stands in the TypeID specification's valid.json.
func TestRequestIDHasTheTypeIDForm(t *testing.T) {
	u := uuid.MustParse("0188bac7-4afa-78aa-bc3b-bd1eef28d881")
	if got, want := RequestID(u).String(), "er_01h2xcejqtf2nbrexx3vqjhp41"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestIDsRoundTripAndKeepTheirKind(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var u [16]byte
		copy(u[:], rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "uuid"))
		id, ok := ParseRequestID(RequestID(u).String())
		if !ok || id != RequestID(u) {
			t.Fatalf("%s came back as %s, %v", RequestID(u), id, ok)
		}
		if _, ok := ParseRequestID(BatchID(u).String()); ok {
			t.Fatal("a batch id was read as a request id")
		}
	})
}

func TestParseRequestIDRefusesOtherForms(t *testing.T) {
	for _, s := range []string{"", "er_", "01h2xcejqtf2nbrexx3vqjhp41", "er_81h2xcejqtf2nbrexx3vqjhp41",
		"er_01H2XCEJQTF2NBREXX3VQJHP41", "er_01h2xcejqtf2nbrexx3vqjhp4l", "er_01h2xcejqtf2nbrexx3vqjhp411"} {
		if _, ok := ParseRequestID(s); ok {
			t.Errorf("%q was taken for a request id", s)
		}
	}
}
