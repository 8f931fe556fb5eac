package storetest

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/efface/efface/store/erasure"
)

// CheckWitness compares the witness of a directory, while nobody writes to it,
// with the store: its entries are those of the log in their order, the lines of
// requests are those of the open ones, and the suppressions are the same.
func CheckWitness(t testing.TB, dir string) {
	t.Helper()
	CheckWitnessedLog(t, dir, true)
	open := map[string]bool{}
	for _, line := range witnessLines(t, dir, "requests.jsonl") {
		var r struct{ Request, Sealed string }
		readLine(t, line, &r)
		if open[r.Request] || r.Sealed == "" {
			t.Errorf("the witness has two lines of %s, or an empty one", r.Request)
		}
		open[r.Request] = true
	}
	for _, id := range column(t, dir, `SELECT id FROM requests WHERE state IN ('pending', 'in_progress', 'failed')`) {
		name := erasure.RequestID(id).String()
		if !open[name] {
			t.Errorf("the witness lacks the open request %s", name)
		}
		delete(open, name)
	}
	for id := range open {
		t.Errorf("the witness keeps %s, which has ended", id)
	}
	suppressed := map[string]bool{}
	for _, line := range witnessLines(t, dir, "suppressions.jsonl") {
		var s struct {
			MAC    string
			Lifted bool
		}
		readLine(t, line, &s)
		suppressed[s.MAC] = true
		if s.Lifted {
			delete(suppressed, s.MAC)
		}
	}
	for _, mac := range column(t, dir, `SELECT mac FROM suppressions`) {
		if !suppressed[hex.EncodeToString(mac)] {
			t.Errorf("the witness lacks the suppression %x", mac)
		}
		delete(suppressed, hex.EncodeToString(mac))
	}
	if len(suppressed) > 0 {
		t.Errorf("the witness has %d suppressions too many", len(suppressed))
	}
}

// CheckWitnessedLog compares the log's lines in the witness with the store's.
// Unless they are to be whole, those of the last commits may be missing.
func CheckWitnessedLog(t testing.TB, dir string, whole bool) {
	t.Helper()
	lines := witnessLines(t, dir, "log.jsonl")
	hashes := column(t, dir, `SELECT hash FROM log_hashes ORDER BY idx`)
	if len(lines) > len(hashes) || whole && len(lines) < len(hashes) {
		t.Fatalf("the witness has %d entries, and the log %d", len(lines), len(hashes))
	}
	for i, line := range lines {
		if hash := erasure.EntryHash(line); !bytes.Equal(hash[:], hashes[i]) && !bytes.HasPrefix(line, []byte(`{"hash":`)) {
			t.Fatalf("line %d of the witness is not entry %d of the log: %s", i+1, i, line)
		}
	}
}

// witnessLines reads the whole lines that are not blank.
func witnessLines(t testing.TB, dir, name string) (lines [][]byte) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, "witness", name))
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range bytes.SplitAfter(b, []byte("\n")) {
		if text := strings.TrimSpace(string(line)); text != "" && bytes.HasSuffix(line, []byte("\n")) {
			lines = append(lines, []byte(text))
		}
	}
	return lines
}

func readLine(t testing.TB, line []byte, v any) {
	t.Helper()
	if err := json.Unmarshal(line, v); err != nil {
		t.Fatalf("a line of the witness: %v: %s", err, line)
	}
}

func column(t testing.TB, dir, query string) (values [][]byte) {
	t.Helper()
	db := Raw(t, dir)
	defer db.Close()
	rows, err := db.Query(query)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var b []byte
		if err := rows.Scan(&b); err != nil {
			t.Fatal(err)
		}
		values = append(values, b)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return values
}
