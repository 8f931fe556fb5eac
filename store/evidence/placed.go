package evidence

import (
	"bytes"
	"fmt"

	"github.com/go-json-experiment/json/jsontext"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/efface/efface/store/erasure"
)

// PlacedVersion is the form of an entry's file that this program writes.
const PlacedVersion = 1

// placedFile is an entry of the log with what proves its place. The root that
// the checkpoint signs pins every member, so that it needs no signature of its
// own.
type placedFile struct {
	Checkpoint string         `json:"checkpoint"`
	Entry      jsontext.Value `json:"entry"` // as its line of an exported log has it
	Proof      []string       `json:"proof"`
	Version    int            `json:"v"`
}

// PlacedEntry is a log entry that stands in the log.
type PlacedEntry struct {
	Checkpoint
	Signed  string       // the checkpoint, a signed note
	Index   int64        // from 0
	Leaf    tlog.Hash    // of the entry
	Proof   []string     // RFC 6962's audit path, base64, from the leaf upwards
	Dropped bool         // only the hash is left of it
	Kind    erasure.Kind // "" where it is dropped, as is Time
	Time    string
}

// PlacedFile writes an entry's file from its line of the log, without the line
// end.
func PlacedFile(line []byte, signed string, proof []string) ([]byte, error) {
	b, err := writeCanonical(placedFile{signed, line, proof, PlacedVersion})
	return append(b, '\n'), err
}

// VerifyEntry checks an entry's file: that the entry stands in the log that its
// checkpoint signs, at its index.
func VerifyEntry(file []byte, v note.Verifier) (p PlacedEntry, err error) {
	body, ended := bytes.CutSuffix(file, []byte("\n"))
	var f placedFile
	if err := readCanonical(body, &f); err != nil || !ended {
		return p, errForm
	}
	if whole, err := writeCanonical(f); err != nil || !bytes.Equal(whole, body) {
		return p, errForm // a member is missing
	}
	if f.Version != PlacedVersion {
		return p, fmt.Errorf("it is an entry's file of version %d; use a newer program", f.Version)
	}
	e, leaf, dropped, err := readLeaf(f.Entry)
	if err != nil {
		return p, err
	}
	p = PlacedEntry{Signed: f.Checkpoint, Index: e.Index, Leaf: leaf, Proof: f.Proof, Dropped: dropped, Kind: e.Kind, Time: e.Time}
	p.Checkpoint, err = included(f.Checkpoint, f.Proof, e.Index, leaf, v)
	return p, err
}

// included checks that a leaf stands in the log that a checkpoint signs.
func included(signed string, proof []string, index int64, leaf tlog.Hash, v note.Verifier) (Checkpoint, error) {
	c, err := OpenCheckpoint(signed, v)
	if err != nil {
		return c, err
	}
	path := make(tlog.RecordProof, len(proof))
	for i, h := range proof {
		if path[i], err = readHash(h); err != nil {
			return c, fmt.Errorf("the proof: %w", err)
		}
	}
	if index < 0 || index >= c.Size {
		return c, fmt.Errorf("entry %d is not in the log of %d entries that the checkpoint signs", index, c.Size)
	}
	if err := tlog.CheckRecord(path, c.Size, c.Root, index, leaf); err != nil {
		return c, fmt.Errorf("the proof does not lead from entry %d to the checkpoint", index)
	}
	return c, nil
}
