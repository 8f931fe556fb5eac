package handlers

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"unicode/utf8"

	"github.com/efface/efface/handlers/wire"
	"github.com/efface/efface/store/erasure"
)

// FuzzList reads any body as a list. However its bytes arrive, the lines are
// the same; what is taken is read by encoding/json, which is more lenient, as
// the same list of objects, too.
func FuzzList(f *testing.F) {
	ann := byEmail("ann")
	for _, seed := range []string{
		array(ann), array(ann, ann), ndjson(ann, ann), ndjson(ann, "", " ", ann+"\r", ""), " \n\n " + array(ann) + " \n", `[{}]`, `{}`, `[ ]`, `[]`,
		`[`, `[[`, `[{`, `[{}`, `[{},`, `[{},]`, `[{}{}]`, `[{} {}]`, `[{},,{}]`, `[,{}]`, `[{}]]`, `[{}]{}`, array(ann) + ann, ann + array(ann), "{}\n[]", "{}{}",
		"{}\n{", "{}\n\n{}x", `[{"key":"email","key":"x"}]`, "{\"key\":\"email\",\"key\":\"x\"}", `[{"Key":"email"}]`, `[{"x":1}]`, `[null]`, `[7,"x",true]`,
		`[{"key":null}]`, `[{"key":["email"]}]`, `[{"suppress":"yes"}]`, `[{"value":"\u0000"}]`, `[{"value":"\ud800"}]`, "[{\"value\":\"\xff\"}]",
		`[{"v\u0061lue":"ann","key":"em\u0061il","suppress":true}]`, `[{"value":"` + strings.Repeat("a", 1025) + `"}]`,
		"[" + strings.Repeat(" ", 200) + "{}]", array("{}") + strings.Repeat("\n", 200), strings.Repeat("[", 40),
		`[{"x":` + strings.Repeat(`{"x":`, 40), "\ufeff[{}]", "\x1f\x8b\x08\x00", "null", "", "\r\n", "\v{}",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		lines, numbers, err := readList(t, bytes.NewReader(body))
		again, _, slow := readList(t, iotest.OneByteReader(bytes.NewReader(body)))
		if len(lines) != len(again) || (err == nil) != (slow == nil) {
			t.Fatalf("%q has %d lines, %v; byte by byte %d, %v", body, len(lines), err, len(again), slow)
		}
		if err != nil {
			return
		}
		if !utf8.Valid(body) && len(lines) > 0 {
			t.Fatalf("%q is taken", body)
		}
		for i, want := range theirLines(t, body) {
			if i >= len(lines) || !bytes.Equal(bytes.TrimSpace(want), lines[i]) || i > 0 && numbers[i] <= numbers[i-1] {
				t.Fatalf("%q is read as %q at %d", body, lines, numbers)
			}
		}
	})
}

// readList reads a list as a call does, up to its first line that is refused.
func readList(t *testing.T, r io.Reader) (lines [][]byte, numbers []int, err error) {
	t.Helper()
	list, err := newBulkReader(r)
	for err == nil {
		var line []byte
		if line, err = list.next(); err != nil {
			break
		}
		if len(line) == 0 || len(line) > bulkLine {
			t.Fatalf("a line has %d bytes", len(line))
		}
		err = errNoObject
		if line[0] == '{' {
			err = wire.Decode(line, &newDeletion{}, erasure.JSONContract{Members: deletionMembers, RefuseUnknown: true})
		}
		lines, numbers = append(lines, bytes.Clone(line)), append(numbers, list.line)
	}
	if err == io.EOF {
		return lines, numbers, nil
	}
	if said, ok := errors.AsType[*erasure.Error](err); !ok || said.Sentence == "" {
		t.Fatalf("it fails inside: %v", err)
	}
	return lines, numbers, err
}

// theirLines reads a list with encoding/json.
func theirLines(t *testing.T, body []byte) (lines []json.RawMessage) {
	t.Helper()
	if bytes.HasPrefix(bytes.TrimSpace(body), []byte("[")) {
		if err := json.Unmarshal(body, &lines); err != nil {
			t.Fatalf("%q is taken: %v", body, err)
		}
		return lines
	}
	for line := range bytes.Lines(body) {
		if line = bytes.TrimSpace(line); len(line) > 0 {
			if !json.Valid(line) {
				t.Fatalf("%q is taken", body)
			}
			lines = append(lines, line)
		}
	}
	return lines
}
