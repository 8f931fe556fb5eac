package evidence_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"

	"github.com/efface/efface/store"
	"github.com/efface/efface/store/erasure"
	"github.com/efface/efface/store/evidence"
	"github.com/efface/efface/store/storetest"
)

// scene is a store in which people were erased, with what proves it.
type scene struct {
	receipts [][]byte
	log      []byte
	key      string
	verifier note.Verifier
	signer   evidence.Signer
}

// newScene erases people one after the other, each signed by a checkpoint.
func newScene(t *testing.T, people int) (s scene) {
	t.Helper()
	dir, clock := filepath.Join(t.TempDir(), "data"), storetest.NewClock()
	db := storetest.Open(t, storetest.InDir(dir), storetest.WithClock(clock))
	var ids []erasure.RequestID
	for i := range people {
		storetest.Identify(t, db, "shop", "user_id", storetest.PersonID(i), "email", storetest.PersonEmail(i))
		r := storetest.Requested(t, db, "user_id", storetest.PersonID(i))
		ids = append(ids, r.ID)
		clock.Advance(store.DefaultCancelWindow + time.Second)
		storetest.EraseAll(t, db)
		if _, err := db.Checkpoint(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	for _, id := range ids {
		file, err := db.Receipt(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		s.receipts = append(s.receipts, file)
	}
	err := db.ExportLog(t.Context(), erasure.Terminal, func(b []byte) error { s.log = append(s.log, b...); return nil })
	if err != nil {
		t.Fatal(err)
	}
	s.key = db.LogKey()
	if s.verifier, err = evidence.ParseVerifier(s.key); err != nil {
		t.Fatal(err)
	}
	secret, err := os.ReadFile(filepath.Join(dir, "log.key"))
	if err != nil {
		t.Fatal(err)
	}
	if s.signer, err = evidence.NewSigner(string(secret)); err != nil {
		t.Fatal(err)
	}
	return s
}

// python runs docs/verify.py on files, and returns which of them it refuses.
func python(t *testing.T, kind, key string, files [][]byte) (refused []bool) {
	t.Helper()
	script, err := filepath.Abs("../../docs/verify.py")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for chunk := range slices.Chunk(files, 500) {
		args := []string{"-I", script, kind}
		for i, f := range chunk {
			name := filepath.Join(dir, fmt.Sprint(len(refused)+i))
			if err := os.WriteFile(name, f, 0o600); err != nil {
				t.Fatal(err)
			}
			args = append(args, name)
		}
		var stderr bytes.Buffer
		c := exec.CommandContext(t.Context(), "python3", append(args, "--key", key)...)
		c.Stderr = &stderr
		out, err := c.Output()
		lines := strings.Split(strings.TrimSpace(string(out)), "\n")
		if len(lines) != len(chunk) {
			t.Fatalf("verify.py answered %d lines for %d files: %v %s", len(lines), len(chunk), err, &stderr)
		}
		all := true
		for _, line := range lines {
			refuses := strings.Contains(line, ": does not hold: ")
			all = all && !refuses
			refused = append(refused, refuses)
		}
		if all != (err == nil) {
			t.Errorf("verify.py ended with %v", err)
		}
	}
	return refused
}

func verifyLog(file []byte, v note.Verifier) error {
	_, err := evidence.VerifyLog(bytes.NewReader(file), v)
	return err
}

func verifyReceipt(file []byte, v note.Verifier) error {
	_, err := evidence.VerifyReceipt(file, v)
	return err
}

// mutant is a changed file and how it was changed.
type mutant struct {
	how  string
	file []byte
}

// What is signed is verified by both programs, and nothing else is: bytes
// flipped, entries dropped, swapped and repeated, files cut, another key, an
// older tree grown differently.
func TestBothVerifiersRefuseWhateverWasChanged(t *testing.T) {
	s, other := newScene(t, 7), newScene(t, 7)
	for _, kind := range []struct {
		name    string
		holds   [][]byte
		verify  func([]byte, note.Verifier) error
		mutants []mutant
	}{
		{"receipt", s.receipts, verifyReceipt, receiptMutants(t, s, other)},
		{"log", [][]byte{s.log, s.withDropped()}, verifyLog, logMutants(t, s, other)},
	} {
		for i, file := range kind.holds {
			if err := kind.verify(file, s.verifier); err != nil {
				t.Errorf("%s %d: %v", kind.name, i, err)
			}
		}
		if slices.Contains(python(t, kind.name, s.key, kind.holds), true) {
			t.Errorf("verify.py refuses a %s that holds", kind.name)
		}
		files := make([][]byte, len(kind.mutants))
		for i, m := range kind.mutants {
			files[i] = m.file
			if kind.verify(m.file, s.verifier) == nil {
				t.Errorf("a %s holds after %s:\n%s", kind.name, m.how, m.file)
			}
		}
		for i, refused := range python(t, kind.name, s.key, files) {
			if !refused {
				t.Errorf("verify.py: a %s holds after %s:\n%s", kind.name, kind.mutants[i].how, files[i])
			}
		}
	}
}

// flipped changes one byte, at random.
func flipped(random *rand.Rand, file []byte) mutant {
	b := bytes.Clone(file)
	at := random.IntN(len(b))
	b[at] ^= byte(1 + random.IntN(255))
	return mutant{fmt.Sprintf("flipping byte %d", at), b}
}

func cut(random *rand.Rand, file []byte) mutant {
	at := random.IntN(len(file))
	return mutant{fmt.Sprintf("cutting at byte %d", at), bytes.Clone(file[:at])}
}

func receiptMutants(t *testing.T, s, other scene) (all []mutant) {
	random := rand.New(rand.NewPCG(1, 1))
	for range storetest.Scale(t, 5000) {
		file := s.receipts[random.IntN(len(s.receipts))]
		switch random.IntN(8) {
		case 0:
			all = append(all, cut(random, file))
		case 1:
			all = append(all, s.resigned(t, random, file, other))
		default:
			all = append(all, flipped(random, file))
		}
	}
	return append(all, mutant{"another store's key", other.receipts[0]},
		mutant{"a byte added", append(bytes.Clone(s.receipts[0]), '\n')},
		mutant{"a space", bytes.Replace(s.receipts[0], []byte(`,"signature"`), []byte(`, "signature"`), 1)})
}

// resigned changes what a receipt says and signs it anew, as only the keeper of
// the key can: the log holds against that too.
func (s scene) resigned(t *testing.T, random *rand.Rand, file []byte, other scene) mutant {
	t.Helper()
	r, err := evidence.VerifyReceipt(file, s.verifier)
	if err != nil {
		t.Fatal(err)
	}
	same, err := evidence.VerifyReceipt(s.receipts[random.IntN(len(s.receipts)-1)], s.verifier)
	if err != nil {
		t.Fatal(err)
	}
	foreign, err := evidence.VerifyReceipt(other.receipts[random.IntN(len(other.receipts))], other.verifier)
	if err != nil {
		t.Fatal(err)
	}
	changes := []struct {
		how string
		do  func()
	}{
		{"other counts", func() { r.Counts.Records++ }},
		{"another reference", func() { r.Request.Reference += "x" }},
		{"another request", func() { r.Request.ID = foreign.Request.ID }},
		{"another time", func() { r.Request.CompletedAt = r.Request.RequestedAt }},
		{"another origin", func() { r.Request.Origin = erasure.June }},
		{"another batch", func() { r.Request.Batch = "eb_1" }},
		{"another entry", func() { r.Entry = foreign.Entry }},
		{"another proof", func() { r.Proof = append(slices.Clone(r.Proof), r.Proof[0]) }},
		{"a shorter proof", func() { r.Proof = r.Proof[1:] }},
		{"another log's checkpoint", func() { r.Checkpoint = foreign.Checkpoint }},
		{"an older checkpoint, before the entry", func() { r.Checkpoint = s.checkpointOf(t, 2) }},
		{"a younger tree grown differently", func() { r.Proof = foreign.Proof }},
		{"another version", func() { r.Version++ }},
	}
	if !bytes.Equal(same.Entry, r.Entry) {
		changes = append(changes, struct {
			how string
			do  func()
		}{"another erasure's entry", func() { r.Entry, r.Proof = same.Entry, same.Proof }})
	}
	c := changes[random.IntN(len(changes))]
	c.do()
	b, err := r.Sign(s.signer)
	if err != nil {
		t.Fatal(err)
	}
	return mutant{c.how + ", signed anew", b}
}

// checkpointOf signs a tree of so many entries that are not the log's.
func (s scene) checkpointOf(t *testing.T, size int64) string {
	t.Helper()
	signed, err := evidence.Checkpoint{Origin: s.signer.Origin(), Size: size}.Sign(s.signer)
	if err != nil {
		t.Fatal(err)
	}
	return signed
}

func (s scene) lines() [][]byte {
	return slices.Collect(bytes.Lines(s.log))
}

// withDropped is the log after the retention of some entries has passed.
func (s scene) withDropped() []byte {
	lines := s.lines()
	for i := range lines[:len(lines)/2] {
		lines[i] = evidence.DroppedLine(int64(i), erasure.EntryHash(bytes.TrimSuffix(lines[i], []byte("\n"))))
	}
	return bytes.Join(lines, nil)
}

func logMutants(t *testing.T, s, other scene) (all []mutant) {
	random := rand.New(rand.NewPCG(2, 2))
	fork := other.lines()
	for range storetest.Scale(t, 5000) {
		file := s.log
		if random.IntN(2) == 0 {
			file = s.withDropped()
		}
		lines := slices.Collect(bytes.Lines(file))
		i, j := random.IntN(len(lines)), random.IntN(len(lines)-1)
		switch random.IntN(8) {
		case 0:
			all = append(all, cut(random, file))
		case 1:
			all = append(all, mutant{fmt.Sprintf("dropping line %d", i), bytes.Join(slices.Delete(lines, i, i+1), nil)})
		case 2:
			if i == j {
				j = (i + 1) % len(lines)
			}
			lines[i], lines[j] = lines[j], lines[i]
			all = append(all, mutant{fmt.Sprintf("swapping lines %d and %d", i, j), bytes.Join(lines, nil)})
		case 3:
			all = append(all, mutant{fmt.Sprintf("repeating line %d", i), bytes.Join(slices.Insert(lines, i, lines[i]), nil)})
		case 4: // an older tree, grown differently from line j on
			grown := slices.Concat(lines[:j], fork[j:len(fork)-1], lines[len(lines)-1:])
			all = append(all, mutant{fmt.Sprintf("growing differently from line %d on", j), bytes.Join(grown, nil)})
		default:
			all = append(all, flipped(random, file))
		}
	}
	return append(all, mutant{"another store's key", other.log}, mutant{"a line added", append(bytes.Clone(s.log), '\n')},
		mutant{"no line at all", nil}, mutant{"a checkpoint alone", evidence.CheckpointLine(s.checkpointOf(t, 0))})
}
