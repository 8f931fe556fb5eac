package seal

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"testing"
)

func fixedKey(t testing.TB, storeID byte, id byte) Key {
	t.Helper()
	raw := make([]byte, keySize)
	for i := range raw {
		raw[i] = byte(i)
	}
	k, err := newKey(Ref{7, [16]byte{id}}, [16]byte{storeID}, raw)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestSealedValueOpensInItsPlaceOnly(t *testing.T) {
	key := fixedKey(t, 1, 1)
	place := AD{"identifiers", "sealed", 3}
	sealed := key.Seal([]byte("ann@example.com"), place)
	if got, err := key.Open(sealed, place); err != nil || string(got) != "ann@example.com" {
		t.Fatalf("Open = %q, %v", got, err)
	}
	damaged := bytes.Clone(sealed)
	damaged[len(damaged)-1] ^= 1
	for name, c := range map[string]struct {
		key    Key
		sealed []byte
		place  AD
	}{
		"another table":      {key, sealed, AD{"traits", "sealed", 3}},
		"another column":     {key, sealed, AD{"identifiers", "key", 3}},
		"another row":        {key, sealed, AD{"identifiers", "sealed", 4}},
		"a shifted boundary": {key, sealed, AD{"identifierss", "ealed", 3}},
		"another store":      {fixedKey(t, 2, 1), sealed, place},
		"another key id":     {fixedKey(t, 1, 2), sealed, place},
		"another key":        {mustMake(t, openTest(t, t.TempDir()), 1)[0], sealed, place},
		"damaged":            {key, damaged, place},
		"cut off":            {key, sealed[:20], place},
		"empty":              {key, nil, place},
	} {
		if got, err := c.key.Open(c.sealed, c.place); !errors.Is(err, ErrSealed) || got != nil {
			t.Errorf("%s: Open = %q, %v", name, got, err)
		}
	}
}

func TestSealingIsRandom(t *testing.T) {
	key, place := fixedKey(t, 1, 1), AD{"traits", "sealed", 1}
	if bytes.Equal(key.Seal([]byte("x"), place), key.Seal([]byte("x"), place)) {
		t.Error("one value was sealed twice to the same bytes")
	}
	if n := len(key.Seal(nil, place)); n != 28 {
		t.Errorf("an empty value is sealed to %d bytes", n)
	}
}

// Look-ups of every store stand on these bytes: they never change.
func TestMACGoldenVectors(t *testing.T) {
	key := fixedKey(t, 1, 1)
	for _, c := range []struct {
		parts []string
		want  string
	}{
		{nil, "9f4f0d5b8be76549af349dbcb8a4037a"},
		{[]string{"user", "email", "1", "ann@example.com"}, "fa5b2a486a2f43b415ad7caf2f17090a"},
		{[]string{"user", "email", "1ann@example.com"}, "c9c9618eb4f628146438dac4ffde4ba2"},
	} {
		var parts [][]byte
		for _, p := range c.parts {
			parts = append(parts, []byte(p))
		}
		if got := key.MAC(parts...); hex.EncodeToString(got[:]) != c.want {
			t.Errorf("MAC(%q) = %x, want %s", c.parts, got, c.want)
		}
	}
}

func TestMACTellsPartsApart(t *testing.T) {
	key := fixedKey(t, 1, 1)
	seen := map[[MACSize]byte]string{}
	for _, parts := range [][]string{{}, {""}, {"", ""}, {"a", "b"}, {"ab"}, {"ab", ""}, {"", "ab"}, {"b", "a"}} {
		var bs [][]byte
		for _, p := range parts {
			bs = append(bs, []byte(p))
		}
		m, name := key.MAC(bs...), fmt.Sprintf("%q", parts)
		if other, ok := seen[m]; ok {
			t.Errorf("%s and %s have one fingerprint", name, other)
		}
		seen[m] = name
	}
}

func TestMACIsSafeForConcurrentUse(t *testing.T) {
	key := fixedKey(t, 1, 1)
	want := key.MAC([]byte("ann"))
	done := make(chan bool)
	for range 4 {
		go func() {
			same := true
			for range 2000 {
				same = same && key.MAC([]byte("ann")) == want
			}
			done <- same
		}()
	}
	for range 4 {
		if !<-done {
			t.Error("a fingerprint differed")
		}
	}
}

func TestSecretsNeverShowWhenPrinted(t *testing.T) {
	raw := bytes.Repeat([]byte("SECR"), 8)
	m, err := newMaster(firstVersion, raw)
	if err != nil {
		t.Fatal(err)
	}
	key, err := newKey(Ref{}, [16]byte{}, raw)
	if err != nil {
		t.Fatal(err)
	}
	type around struct {
		Master Master
		inner  Master
		Key    *Key
		key    Key
	}
	k := Keyring{master: m}
	for _, v := range []any{m, &m, key, &key, around{m, m, &key, key}, k, &k} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
			shown := strings.ToLower(fmt.Sprintf(verb, v))
			for _, secret := range []string{"secrsecr", "53454352", "83 69 67 82", "0x53, 0x45", "0x52434553"} {
				if strings.Contains(shown, secret) {
					t.Errorf("%s of %T shows the key: %s", verb, v, shown)
				}
			}
		}
	}
}
