package evidence_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/efface/efface/store/erasure"
	"github.com/efface/efface/store/evidence"
	"github.com/efface/efface/store/storetest"
)

// placed is an entry's file, taken apart.
type placed struct {
	Checkpoint string          `json:"checkpoint"`
	Entry      json.RawMessage `json:"entry"`
	Proof      []string        `json:"proof"`
	Version    int             `json:"v"`
}

func apart(t *testing.T, file []byte) (p placed) {
	t.Helper()
	must(t, json.Unmarshal(file, &p))
	return p
}

func (p placed) file(t *testing.T) []byte {
	t.Helper()
	b, err := evidence.PlacedFile(p.Entry, p.Checkpoint, p.Proof)
	must(t, err)
	return b
}

// dropped is the entry once its content has gone after its retention.
func (p placed) dropped(t *testing.T) placed {
	t.Helper()
	var e struct{ Index int64 }
	must(t, json.Unmarshal(p.Entry, &e))
	p.Entry = bytes.TrimSuffix(evidence.DroppedLine(e.Index, erasure.EntryHash(p.Entry)), []byte("\n"))
	return p
}

// droppedEntries are files without their entries' content, and those of a log
// of one entry, to which no proof is needed.
func (s scene) droppedEntries(t *testing.T) (files [][]byte) {
	t.Helper()
	for _, file := range s.entries {
		files = append(files, apart(t, file).dropped(t).file(t))
	}
	alone := s.alone(t, apart(t, s.entries[0]).Entry)
	return append(files, alone.file(t), alone.dropped(t).file(t))
}

// alone is the only entry of a log.
func (s scene) alone(t *testing.T, entry []byte) placed {
	t.Helper()
	signed, err := evidence.Checkpoint{Origin: s.signer.Origin(), Size: 1, Root: erasure.EntryHash(entry)}.Sign(s.signer)
	must(t, err)
	return placed{Checkpoint: signed, Entry: entry}
}

// newer is the only entry of a log, in a version that these programs do not
// know.
func (s scene) newer(t *testing.T) placed {
	t.Helper()
	return s.alone(t, bytes.Replace(apart(t, s.entries[0]).Entry, []byte(`"v":1}`), []byte(`"v":2}`), 1))
}

func entryMutants(t *testing.T, s, other scene) (all []mutant) {
	random := rand.New(rand.NewPCG(3, 3))
	dropped := s.droppedEntries(t)
	alone := dropped[len(dropped)-1]
	for i, file := range s.entries[:8] {
		next := apart(t, s.entries[i+1])
		theirs := apart(t, other.entries[i])
		for _, of := range [][]byte{file, dropped[i]} {
			all = append(all, s.replaced(t, apart(t, of), next, theirs)...)
		}
	}
	for _, file := range [][]byte{s.entries[2], dropped[2], alone} {
		all = append(all, respeltEntry(file)...)
	}
	all = append(append(all, everyByte(s.entries[2])...), everyByte(alone)...)
	holds := slices.Concat(s.entries, dropped)
	for range storetest.Scale(t, 5000) {
		file := holds[random.IntN(len(holds))]
		if random.IntN(6) == 0 {
			all = append(all, cut(random, file))
		} else {
			all = append(all, flipped(random, file))
		}
	}
	return append(all, mutant{"an entry of another version", s.newer(t).file(t)},
		mutant{"another store's key", other.entries[0]}, mutant{"nothing left", nil})
}

// everyByte changes each byte of a file by a bit, each bit in its turn.
func everyByte(file []byte) (all []mutant) {
	for at := range file {
		b := bytes.Clone(file)
		b[at] ^= 1 << (at % 8)
		all = append(all, mutant{fmt.Sprintf("changing a bit of byte %d", at), b})
	}
	return all
}

// replaced puts parts of other files, or none, in the place of its own.
func (s scene) replaced(t *testing.T, mine, next, theirs placed) (all []mutant) {
	t.Helper()
	for how, change := range map[string]func(p *placed){
		"another entry":                    func(p *placed) { p.Entry = next.Entry },
		"another entry's hash":             func(p *placed) { p.Entry = next.dropped(t).Entry },
		"another entry's proof":            func(p *placed) { p.Proof = next.Proof },
		"another log's entry":              func(p *placed) { p.Entry = theirs.Entry },
		"another log's proof":              func(p *placed) { p.Proof = theirs.Proof },
		"another log's checkpoint":         func(p *placed) { p.Checkpoint = theirs.Checkpoint },
		"a longer proof":                   func(p *placed) { p.Proof = append(slices.Clone(p.Proof), p.Proof[0]) },
		"a shorter proof":                  func(p *placed) { p.Proof = p.Proof[1:] },
		"a proof the other way round":      func(p *placed) { slices.Reverse(p.Proof) },
		"no proof":                         func(p *placed) { p.Proof = nil },
		"a checkpoint before the entry":    func(p *placed) { p.Checkpoint = s.checkpointOf(t, 0) },
		"a checkpoint of another size":     func(p *placed) { p.Checkpoint = s.checkpointOf(t, 1<<20) },
		"a checkpoint with two signatures": func(p *placed) { p.Checkpoint += p.Checkpoint[strings.LastIndex(p.Checkpoint, "\u2014"):] },
		"a checkpoint of another origin":   func(p *placed) { p.Checkpoint = s.renamed(t, p.Checkpoint) },
		"an entry that is none":            func(p *placed) { p.Entry = json.RawMessage(`"entry"`) },
		"an entry of nothing":              func(p *placed) { p.Entry = json.RawMessage(`null`) },
	} {
		p := mine
		p.Proof = slices.Clone(mine.Proof)
		change(&p)
		all = append(all, mutant{how, p.file(t)})
	}
	return all
}

// respeltEntry says in other bytes what a file says, or leaves out what it
// needs.
func respeltEntry(file []byte) (all []mutant) {
	proof := string(file[bytes.Index(file, []byte(`"proof":`)):])
	for how, change := range map[string][2]string{
		"a space":                    {`"proof":`, `"proof": `},
		"an escape":                  {`"checkpoint":"e`, `"checkpoint":"\u0065`},
		"a member twice":             {`"v":1`, `"v":1,"v":1`},
		"a member more":              {`"v":1`, `"v":1,"x":1`},
		"a member in capitals":       {`"v":1`, `"V":1`},
		"a fraction":                 {`"v":1`, `"v":1.0`},
		"true for 1":                 {`"v":1`, `"v":true`},
		"another version":            {`"v":1`, `"v":2`},
		"no version":                 {`,"v":1`, ``},
		"no proof at all":            {proof, `"v":1}` + "\n"},
		"a proof of nothing":         {proof, `"proof":null,"v":1}` + "\n"},
		"a proof that is an object":  {proof, `"proof":{},"v":1}` + "\n"},
		"a proof that is a text":     {proof, `"proof":"","v":1}` + "\n"},
		"another order":              {`{"checkpoint"`, `{"v":1,"checkpoint"`},
		"an index below 0":           {`"index":`, `"index":-`},
		"an index in a text":         {`"index":0`, `"index":"0"`},
		"an index far off":           {`"index":`, `"index":9007199254740993`},
		"an index of a fraction":     {`"index":2`, `"index":2.0`},
		"no index":                   {`,"index":0`, ``},
		"an index beside the entry":  {`,"proof"`, `,"index":0,"proof"`},
		"a hash beside the entry":    {`,"proof"`, `,"hash":"","proof"`},
		"no line end":                {"}\n", `}`},
		"two line ends":              {"}\n", "}\n\n"},
		"a line end of two bytes":    {"}\n", "}\r\n"},
		"a byte order mark":          {`{"checkpoint"`, "\ufeff" + `{"checkpoint"`},
		"hex in capitals":            {`"nonce":"` + nonceOf(string(file)), `"nonce":"` + strings.ToUpper(nonceOf(string(file)))},
		"stray bits in a root":       {"", string(strayBits(file, `\n\n`))},
		"stray bits in a signature":  {"", string(strayBits(file, `\n"`))},
		"line ends within signature": {`=\n"`, `=\n\n"`},
	} {
		b := []byte(change[1])
		if change[0] != "" {
			b = bytes.Replace(file, []byte(change[0]), b, 1)
		}
		if !bytes.Equal(b, file) {
			all = append(all, mutant{how, b})
		}
	}
	return all
}
