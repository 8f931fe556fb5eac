package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/efface/efface/store/evidence"
	"golang.org/x/mod/sumdb/note"
)

type verifyCommand struct {
	Receipt verifyReceipts `cmd:"" help:"Check receipts: the signature, the log entry, its place in the log."`
	Entry   verifyEntries  `cmd:"" help:"Check log entries: the place of each in the log."`
	Log     verifyLog      `cmd:"" help:"Check an exported log from its first entry to its checkpoint."`
}

type verifyReceipts struct {
	Files []string `arg:"" name:"file" help:"Receipts."`
	verifierFlag
}

type verifyEntries struct {
	Files []string `arg:"" name:"file" help:"Log entries, as the page of each gives it."`
	verifierFlag
}

type verifyLog struct {
	File string `arg:"" help:"A log that efface log export wrote."`
	verifierFlag
}

type verifierFlag struct {
	Key verifierKey `help:"The log's public key, as efface log key prints it." required:"" placeholder:"VKEY"`
}

// verifierKey is a public key of a log.
type verifierKey struct{ note.Verifier }

// UnmarshalText implements encoding.TextUnmarshaler.
func (k *verifierKey) UnmarshalText(text []byte) (err error) {
	if k.Verifier, err = evidence.ParseVerifier(string(text)); err != nil {
		return errors.New("give as efface log key printed it")
	}
	return nil
}

// Run implements the command.
func (c *verifyReceipts) Run(p program) error {
	return verifyEach(p, c.Files, func(file []byte) (string, error) {
		r, err := evidence.VerifyReceipt(file, c.Key)
		return fmt.Sprintf("request %s was completed at %s", r.Request.ID, r.Request.CompletedAt), err
	})
}

// Run implements the command.
func (c *verifyEntries) Run(p program) error {
	return verifyEach(p, c.Files, func(file []byte) (string, error) {
		e, err := evidence.VerifyEntry(file, c.Key)
		what := "only the hash is left of it"
		if !e.Dropped {
			what = fmt.Sprintf("%s at %s", e.Kind, e.Time)
		}
		return fmt.Sprintf("entry %d of a log of %d: %s", e.Index, e.Size, what), err
	})
}

// maxEvidence is far above the size of any receipt and, as an entry names the
// keys that an erasure destroyed, above that of an entry of a million keys.
const maxEvidence = 64 << 20

// verifyEach checks every file, and one that does not hold makes it fail.
func verifyEach(p program, files []string, verify func([]byte) (says string, err error)) error {
	var failed error
	for _, name := range files {
		var says string
		file, err := readEvidence(name)
		if err == nil {
			says, err = verify(file)
			if err != nil {
				err = fmt.Errorf("does not hold: %w", err)
			}
		}
		if err != nil {
			failed = errSaid
			fmt.Fprintf(p.stdout, "%s: %v\n", name, err)
			continue
		}
		fmt.Fprintf(p.stdout, "%s: holds: %s\n", name, says)
	}
	return failed
}

func readEvidence(name string) ([]byte, error) {
	f, err := openEvidence(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxEvidence+1))
	if err == nil && len(b) > maxEvidence {
		err = fmt.Errorf("can't be read: it has more than %d MB", maxEvidence>>20)
	}
	return b, err
}

// Run implements the command.
func (c *verifyLog) Run(p program) error {
	f, err := openEvidence(c.File)
	if err != nil {
		fmt.Fprintf(p.stdout, "%s: %v\n", c.File, err)
		return errSaid
	}
	defer f.Close()
	s, err := evidence.VerifyLog(f, c.Key)
	if err != nil {
		fmt.Fprintf(p.stdout, "%s: does not hold: %v\n", c.File, err)
		return errSaid
	}
	what := fmt.Sprintf("%d entries", s.Size)
	if s.Dropped > 0 {
		what += fmt.Sprintf(", of %d only the hash is left", s.Dropped)
	}
	fmt.Fprintf(p.stdout, "%s: holds: %s\n", c.File, what)
	return nil
}

func openEvidence(name string) (*os.File, error) {
	f, err := os.Open(name)
	if err, ok := errors.AsType[*fs.PathError](err); ok {
		return nil, fmt.Errorf("can't be read: %w", err.Err)
	}
	return f, err
}
