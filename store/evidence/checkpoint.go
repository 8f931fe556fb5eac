package evidence

import (
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// Checkpoint is a signed statement of how long the log is and what stands in
// it, as C2SP's tlog-checkpoint has it.
type Checkpoint struct {
	Origin string
	Size   int64 // entries
	Root   tlog.Hash
}

// Sign writes the checkpoint as a signed note.
func (c Checkpoint) Sign(k Signer) (string, error) {
	text := fmt.Sprintf("%s\n%d\n%s\n", c.Origin, c.Size, c.Root)
	signed, err := note.Sign(&note.Note{Text: text}, k.signer)
	return string(signed), err
}

// OpenCheckpoint reads a checkpoint that the key of v has signed, and nobody
// else.
func OpenCheckpoint(signed string, v note.Verifier) (c Checkpoint, err error) {
	n, err := note.Open([]byte(signed), note.VerifierList(v))
	if err != nil {
		return c, fmt.Errorf("the checkpoint is not signed by the key %s", v.Name())
	}
	if _, err := readBase64(n.Sigs[0].Base64); err != nil || signed != n.Text+"\n"+signatureLine(n.Sigs[0]) {
		return c, fmt.Errorf("the checkpoint: %w", errForm)
	}
	lines := strings.Split(n.Text, "\n")
	if len(lines) != 4 || lines[0] != v.Name() {
		return c, fmt.Errorf("the checkpoint: %w", errForm)
	}
	c.Origin = lines[0]
	if c.Size, err = strconv.ParseInt(lines[1], 10, 64); err != nil || c.Size < 0 || lines[1] != strconv.FormatInt(c.Size, 10) {
		return c, fmt.Errorf("the checkpoint: %w", errForm)
	}
	if c.Root, err = readHash(lines[2]); err != nil {
		return c, fmt.Errorf("the checkpoint: %w", err)
	}
	return c, nil
}

func signatureLine(s note.Signature) string {
	return fmt.Sprintf("— %s %s\n", s.Name, s.Base64)
}
