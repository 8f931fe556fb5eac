package erasure_test

import (
	"bytes"
	"encoding/hex"
	"regexp"
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"

	"github.com/efface/efface/store/erasure"
)

var nonce = regexp.MustCompile(`"nonce":"[0-9a-f]{32}"`)

// The bytes of an entry are hashed and may be checked years later: their form
// is fixed from the first version on.
func TestAnEntryKeepsItsForm(t *testing.T) {
	request, _ := erasure.ParseRequestID("er_01jn8x0w00fj9vz3k0q4x6y7ha")
	batch, _ := erasure.ParseBatchID("eb_01jn8x0w00fj9vz3k0q4x6y7ha")
	key := uuid.MustParse("6f9619ff-8b86-4011-b42d-00cf4fc964ff")
	e := erasure.Entry{
		Index: 7, Time: time.Date(2026, 3, 1, 10, 0, 0, 123_900_000, time.FixedZone("", 3600)), Kind: erasure.KeysDestroyed,
		Request: &request, Batch: &batch, From: erasure.InProgress, To: erasure.InProgress, Origin: erasure.API, Reference: "T-1",
		Actor: erasure.Actor{Kind: erasure.ByKey, ID: key}, Counts: &erasure.Counts{Identifiers: 3, Records: 20, Keys: 2},
		Subject: &erasure.Subject{Salt: [32]byte{1, 2, 3}, Value: key.String()},
		Keys:    [][16]byte{{1}, {0xff}}, Profiles: []uuid.UUID{key}, Target: &key,
	}
	b, err := e.Canonical()
	if err != nil {
		t.Fatal(err)
	}
	fixed := nonce.ReplaceAll(b, []byte(`"nonce":"00112233445566778899aabbccddeeff"`))
	want := `{"actor":"key:6f9619ff-8b86-4011-b42d-00cf4fc964ff","batch":"eb_01jn8x0w00fj9vz3k0q4x6y7ha",` +
		`"counts":{"identifiers":3,"keys":2,"records":20},"from":"in_progress","index":7,` +
		`"keys":["01000000000000000000000000000000","ff000000000000000000000000000000"],"kind":"request.keys_destroyed",` +
		`"nonce":"00112233445566778899aabbccddeeff","origin":"api","profiles":["6f9619ff-8b86-4011-b42d-00cf4fc964ff"],` +
		`"reference":"T-1","request":"er_01jn8x0w00fj9vz3k0q4x6y7ha","subject":"13f91ed9f88577caf0b1aa1448bccc2e6c85a8decc984a42ecb453edf9c696d9",` +
		`"target":"6f9619ff-8b86-4011-b42d-00cf4fc964ff","time":"2026-03-01T09:00:00.123Z","to":"in_progress","v":1}`
	if string(fixed) != want {
		t.Errorf("the entry is\n%s\nand not\n%s", fixed, want)
	}
	canonical := jsontext.Value(bytes.Clone(fixed))
	if err := canonical.Canonicalize(); err != nil || !bytes.Equal(canonical, fixed) {
		t.Errorf("RFC 8785 makes of it\n%s, %v", canonical, err)
	}
	hash := erasure.EntryHash(fixed)
	if got := hex.EncodeToString(hash[:]); got != "338d690c32432859e4e8994e73cf4c73de7f76632cfe06025270331bbd8e0bdc" {
		t.Errorf("its hash is %s", got)
	}
}

func TestEachEntryHasANonceOfItsOwn(t *testing.T) {
	e := erasure.Entry{Kind: erasure.LogsExported, Actor: erasure.System}
	a, _ := e.Canonical()
	b, _ := e.Canonical()
	if !nonce.Match(a) || string(nonce.Find(a)) == string(nonce.Find(b)) {
		t.Errorf("the nonces are %s and %s", nonce.Find(a), nonce.Find(b))
	}
}

func TestAnEntrySaysWhoAndFromWhichRoleToWhich(t *testing.T) {
	id := uuid.MustParse("6f9619ff-8b86-4011-b42d-00cf4fc964ff")
	e := erasure.Entry{Kind: erasure.RoleChanged, Actor: erasure.Terminal, Target: &id, FromRole: erasure.Staff, ToRole: erasure.Admin}
	b, err := e.Canonical()
	if err != nil {
		t.Fatal(err)
	}
	want := `{"actor":"terminal","from":"operator","index":0,"kind":"operator.role_changed","nonce":"",` +
		`"target":"6f9619ff-8b86-4011-b42d-00cf4fc964ff","time":"0001-01-01T00:00:00.000Z","to":"admin","v":1}`
	if fixed := nonce.ReplaceAll(b, []byte(`"nonce":""`)); string(fixed) != want {
		t.Errorf("the entry is\n%s\nand not\n%s", fixed, want)
	}
}

func TestAnEntrySaysWhyASuppressionWasLifted(t *testing.T) {
	request, _ := erasure.ParseRequestID("er_01jn8x0w00fj9vz3k0q4x6y7ha")
	e := erasure.Entry{Kind: erasure.SuppressionLifted, Actor: erasure.Terminal, Request: &request, Reason: erasure.LiftShared, Reference: "T-2"}
	b, err := e.Canonical()
	if err != nil {
		t.Fatal(err)
	}
	canonical := jsontext.Value(bytes.Clone(b))
	if err := canonical.Canonicalize(); err != nil || !bytes.Equal(canonical, b) || !bytes.Contains(b, []byte(`,"reason":"shared","reference":"T-2",`)) {
		t.Errorf("the entry is\n%s\nand RFC 8785 makes of it\n%s, %v", b, canonical, err)
	}
}
