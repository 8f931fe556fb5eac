package ingest

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/efface/efface/store/erasure"
)

// checkCall holds what Call promises to whoever stores it.
func checkCall(t *testing.T, c Call) {
	t.Helper()
	if len(c.Identifiers) == 0 {
		t.Fatal("a call about nobody")
	}
	for _, ids := range [][]erasure.Identifier{c.Identifiers, c.GroupIdentifiers} {
		one := map[string]bool{}
		for _, id := range ids {
			if _, _, err := erasure.Normalise(id, "DE"); err != nil {
				t.Fatalf("%+v: %v", id, err)
			}
			if erasure.KeyOf(id.Table, id.Key).OneValue && one[id.Key] {
				t.Fatalf("two of %s", id.Key)
			}
			one[id.Key] = true
		}
	}
	for name, v := range c.Traits {
		if !v.IsValid() || strings.ContainsRune(name, 0) {
			t.Fatalf("trait %q: %s", name, v)
		}
	}
	if (c.PreviousID != "") != (c.Kind == Alias) || (c.GroupID != "") != (c.Kind == Group) {
		t.Fatalf("%s with %q and %q", c.Kind, c.PreviousID, c.GroupID)
	}
}

// checkReading reads to the end: lines go up, and every call keeps its promise.
func checkReading(t *testing.T, r reader) {
	t.Helper()
	last := 0
	for {
		line, call, err := r.Next()
		var bad *LineError
		if err != nil && !errors.As(err, &bad) {
			if err != io.EOF && erasure.CodeOf(err) == "" {
				t.Fatal(err)
			}
			return
		}
		if line <= last || bad != nil && (bad.Line != line || bad.Err.Sentence == "") {
			t.Fatalf("line %d after %d: %v", line, last, err)
		}
		last = line
		if bad == nil {
			checkCall(t, call)
		}
	}
}

func FuzzCSV(f *testing.F) {
	for _, s := range []string{"", "user_id\n1\n", "\ufeffuser_id,email\r\n1,\"a\"\"b@c\"\r\n\r\n", "user_id,a\n1,\"x\ny\n2,z\n", "user_id,a\n1,\"x\"y\n2,\n",
		"user_id,\n1,2", "user_id\n1\"\n\x00\n\xff\n2", "\x1f\x8b\x08", "\xff\xfe", "user_id\n\"1\"\r", "user_id\n\"", "efface_id,phone\nx,1\n,+1\n"} {
		f.Add([]byte(s))
		f.Add([]byte(packed(f, s)))
	}
	f.Fuzz(func(t *testing.T, file []byte) {
		r, err := CSV(bytes.NewReader(file), CSVOptions{})
		if err == nil {
			checkReading(t, r)
		} else if erasure.CodeOf(err) == "" {
			t.Fatal(err)
		}
	})
}

func FuzzNDJSON(f *testing.F) {
	for _, s := range []string{"", "{}", `{"type":"identify","userId":"1","traits":{"email":"a@b","x":[1,{"y":null}]}}`,
		`{"type":"group","groupId":"g","anonymousId":"a","traits":{"phone":1}}`, `{"type":"alias","userId":"1","previousId":"2"}`,
		`{"type":"track","event":"e","userId":"1","context":{"traits":{"fbp":""},"externalIds":[{"id":"1","type":"x"}]}}` + "\r\n\n{\"type\":",
		`{"type":"page","userId":"\u0000"}`, `{"type":"screen","userId":"1","timestamp":"2021-01-01"}`} {
		f.Add([]byte(s))
		f.Add([]byte(packed(f, s)))
	}
	f.Fuzz(func(t *testing.T, file []byte) {
		r, err := NDJSON(bytes.NewReader(file), NDJSONOptions{})
		if err == nil {
			checkReading(t, r)
		} else if erasure.CodeOf(err) == "" {
			t.Fatal(err)
		}
	})
}
