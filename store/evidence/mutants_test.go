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
	entries  [][]byte // their files, in the log's order
	log      []byte
	key      string
	verifier note.Verifier
	signer   evidence.Signer
	secret   note.Signer
	other    note.Verifier // of the store that the mutants take from
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
		_, err := db.Checkpoint(t.Context())
		must(t, err)
	}
	for _, id := range ids {
		_, file, err := db.Receipt(t.Context(), id)
		must(t, err)
		s.receipts = append(s.receipts, file)
	}
	err := db.ExportLog(t.Context(), erasure.Terminal, func(_ int64, b []byte) error { s.log = append(s.log, b...); return nil })
	must(t, err)
	for index := range int64(len(s.lines()) - 1) {
		file, err := db.Entry(t.Context(), index)
		must(t, err)
		s.entries = append(s.entries, file)
	}
	s.key = db.LogKey()
	if s.verifier, err = evidence.ParseVerifier(s.key); err != nil {
		t.Fatal(err)
	}
	secret, err := os.ReadFile(filepath.Join(dir, "log.key"))
	must(t, err)
	s.signer, err = evidence.NewSigner(string(secret))
	must(t, err)
	s.secret, err = note.NewSigner(strings.TrimSpace(string(secret)))
	must(t, err)
	return s
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// python runs docs/verify.py on files, and returns which of them it refuses.
func python(t *testing.T, kind, key string, files [][]byte) (refused []bool) {
	t.Helper()
	script, err := os.ReadFile("../../docs/verify.py")
	must(t, err)
	dir := t.TempDir()
	for chunk := range slices.Chunk(files, 500) {
		args := []string{"-I", "-", kind}
		for i, f := range chunk {
			name := filepath.Join(dir, fmt.Sprint(len(refused)+i))
			if err := os.WriteFile(name, f, 0o600); err != nil {
				t.Fatal(err)
			}
			args = append(args, name)
		}
		var stderr bytes.Buffer
		c := exec.CommandContext(t.Context(), "python3", append(args, "--key", key)...)
		c.Stdin, c.Stderr = bytes.NewReader(script), &stderr
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

func verifyEntry(file []byte, v note.Verifier) error {
	_, err := evidence.VerifyEntry(file, v)
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
	s.other = other.verifier
	for _, kind := range []struct {
		name    string
		holds   [][]byte
		verify  func([]byte, note.Verifier) error
		mutants []mutant
	}{
		{"receipt", s.receipts, verifyReceipt, receiptMutants(t, s, other)},
		{"entry", append(s.droppedEntries(t), s.entries...), verifyEntry, entryMutants(t, s, other)},
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
				t.Errorf("the %s holds after %s:\n%s", kind.name, m.how, m.file)
			}
		}
		for i, refused := range python(t, kind.name, s.key, files) {
			if !refused {
				t.Errorf("verify.py: the %s holds after %s:\n%s", kind.name, kind.mutants[i].how, files[i])
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
	for i, file := range s.receipts {
		all = append(all, s.resigned(t, file, other.receipts[i], s.receipts[(i+1)%len(s.receipts)])...)
		all = append(all, s.respelt(t, file)...)
	}
	for len(all) < storetest.Scale(t, 5000) {
		file := s.receipts[random.IntN(len(s.receipts))]
		if random.IntN(6) == 0 {
			all = append(all, cut(random, file))
		} else {
			all = append(all, flipped(random, file))
		}
	}
	return append(all, mutant{"another store's key", other.receipts[0]},
		mutant{"a byte added", append(bytes.Clone(s.receipts[0]), '\n')},
		mutant{"a space", bytes.Replace(s.receipts[0], []byte(`,"signature"`), []byte(`, "signature"`), 1)},
		mutant{"stray bits in the signature", strayBits(s.receipts[0], `"}`)})
}

// resigned changes what a receipt says and signs it anew, as only the keeper of
// the key can: the log holds against that too.
func (s scene) resigned(t *testing.T, file, foreign, another []byte) (all []mutant) {
	t.Helper()
	mine, err := evidence.VerifyReceipt(file, s.verifier)
	must(t, err)
	theirs, err := evidence.VerifyReceipt(foreign, note.Verifier(s.other))
	must(t, err)
	next, err := evidence.VerifyReceipt(another, s.verifier)
	must(t, err)
	for how, change := range map[string]func(r *evidence.Receipt){
		"other counts":                          func(r *evidence.Receipt) { r.Counts.Records++ },
		"another reference":                     func(r *evidence.Receipt) { r.Request.Reference += "x" },
		"another request":                       func(r *evidence.Receipt) { r.Request.ID = theirs.Request.ID },
		"another time":                          func(r *evidence.Receipt) { r.Request.CompletedAt = r.Request.RequestedAt },
		"another origin":                        func(r *evidence.Receipt) { r.Request.Origin = erasure.June },
		"another batch":                         func(r *evidence.Receipt) { r.Request.Batch = "eb_1" },
		"another log's entry":                   func(r *evidence.Receipt) { r.Entry = theirs.Entry },
		"another erasure's entry":               func(r *evidence.Receipt) { r.Entry, r.Proof = next.Entry, next.Proof },
		"another log's proof":                   func(r *evidence.Receipt) { r.Proof = theirs.Proof },
		"a longer proof":                        func(r *evidence.Receipt) { r.Proof = append(slices.Clone(r.Proof), r.Proof[0]) },
		"a shorter proof":                       func(r *evidence.Receipt) { r.Proof = r.Proof[1:] },
		"another log's checkpoint":              func(r *evidence.Receipt) { r.Checkpoint = theirs.Checkpoint },
		"an older checkpoint, before the entry": func(r *evidence.Receipt) { r.Checkpoint = s.checkpointOf(t, 2) },
		"a checkpoint with two signatures":      func(r *evidence.Receipt) { r.Checkpoint += r.Checkpoint[strings.LastIndex(r.Checkpoint, "\u2014"):] },
		"a checkpoint of another origin":        func(r *evidence.Receipt) { r.Checkpoint = s.renamed(t, r.Checkpoint) },
		"another version":                       func(r *evidence.Receipt) { r.Version++ },
	} {
		r := mine
		change(&r)
		b, err := r.Sign(s.signer)
		must(t, err)
		all = append(all, mutant{how + ", signed anew", b})
	}
	return all
}

// respelt says the same in other bytes, signed anew: one thing has one form.
func (s scene) respelt(t *testing.T, file []byte) (all []mutant) {
	t.Helper()
	body, _, _ := strings.Cut(strings.TrimPrefix(string(file), `{"receipt":`), `,"signature":`)
	for how, change := range map[string][2]string{
		"a space":               {`"counts":`, `"counts": `},
		"an escape":             {`"operator:`, `"\u006fperator:`},
		"a member twice":        {`"counts":{`, `"counts":{"identifiers":2,"identifiers":2,`},
		"another order":         {`"table":"user"}`, `"table":"user","a":1}`},
		"a fraction":            {`"v":1}`, `"v":1.0}`},
		"true for 1":            {`"table":"user"},"v":1}`, `"table":"user"},"v":true}`},
		"stray bits in a proof": {`="`, `"`},
		"hex in upper case":     {`"nonce":"` + nonceOf(body), `"nonce":"` + strings.ToUpper(nonceOf(body))},
	} {
		spelt := strings.Replace(body, change[0], change[1], 1)
		if spelt == body {
			continue
		}
		signed, err := note.Sign(&note.Note{Text: spelt + "\n"}, s.secret)
		must(t, err)
		n, err := note.Open(signed, note.VerifierList(s.verifier))
		must(t, err)
		all = append(all, mutant{how + ", signed anew", fmt.Appendf(nil, `{"receipt":%s,"signature":"%s"}`+"\n", spelt, n.Sigs[0].Base64)})
	}
	return all
}

func nonceOf(body string) string {
	_, rest, _ := strings.Cut(body, `"nonce":"`)
	nonce, _, _ := strings.Cut(rest, `"`)
	return nonce
}

// strayBits sets a bit that base64's padding leaves unused, in the text before
// a place.
func strayBits(file []byte, before string) []byte {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
	b := bytes.Clone(file)
	at := bytes.LastIndex(b, []byte("="+before)) - 1
	b[at] = alphabet[strings.IndexByte(alphabet, b[at])^1]
	return b
}

// checkpointOf signs a tree of so many entries that are not the log's.
func (s scene) checkpointOf(t *testing.T, size int64) string {
	t.Helper()
	signed, err := evidence.Checkpoint{Origin: s.signer.Origin(), Size: size}.Sign(s.signer)
	must(t, err)
	return signed
}

// renamed signs what a checkpoint says under another origin, with the same key.
func (s scene) renamed(t *testing.T, signed string) string {
	t.Helper()
	text, _, _ := strings.Cut(signed, "\n\n")
	b, err := note.Sign(&note.Note{Text: "efface/other" + text[strings.IndexByte(text, '\n'):] + "\n"}, s.secret)
	must(t, err)
	return string(b)
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
	newer := bytes.Join([][]byte{s.newer(t).Entry, evidence.CheckpointLine(s.newer(t).Checkpoint)}, []byte("\n"))
	return append(all, mutant{"an entry of another version", newer},
		mutant{"another store's key", other.log}, mutant{"a line added", append(bytes.Clone(s.log), '\n')},
		mutant{"two checkpoints", append(bytes.Clone(s.log), lastLine(s.log)...)},
		mutant{"stray bits in a signature", strayBits(s.log, `\n"}`)}, mutant{"stray bits in a root", strayBits(s.log, `\n\n`)},
		mutant{"stray bits in a hash", strayBits(s.withDropped(), `","index"`)},
		mutant{"an escape", bytes.Replace(s.log, []byte(`\n"}`), []byte(`\u000a"}`), 1)},
		mutant{"two signatures", bytes.Replace(s.log, []byte(`\n"}`), []byte(`\n`+signatureOf(s.log)+`"}`), 1)},
		mutant{"a space in a line", bytes.Replace(s.withDropped(), []byte(`,"index"`), []byte(`, "index"`), 1)},
		mutant{"a fraction", bytes.Replace(s.withDropped(), []byte(`"index":0}`), []byte(`"index":0.0}`), 1)},
		mutant{"true for 1", bytes.Replace(s.withDropped(), []byte(`"index":1}`), []byte(`"index":true}`), 1)},
		mutant{"a member more", bytes.Replace(s.withDropped(), []byte(`"index":0}`), []byte(`"index":0,"x":1}`), 1)},
		mutant{"no index", bytes.Replace(s.withDropped(), []byte(`,"index":0}`), []byte(`}`), 1)},
		mutant{"a member twice", bytes.Replace(s.withDropped(), []byte(`"index":0}`), []byte(`"index":0,"index":0}`), 1)},
		mutant{"no line at all", nil}, mutant{"a checkpoint alone", evidence.CheckpointLine(s.checkpointOf(t, 0))})
}

func lastLine(log []byte) []byte { return log[bytes.LastIndexByte(log[:len(log)-1], '\n')+1:] }

// signatureOf is the signature line of a log's checkpoint, as JSON has it.
func signatureOf(log []byte) string {
	line := string(lastLine(log))
	return strings.TrimSuffix(line[strings.Index(line, "\u2014"):], "\"}\n")
}
