package main

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/efface/efface/store/erasure"
	"github.com/efface/efface/store/evidence"
	"golang.org/x/mod/sumdb/note"
)

type verifyCommand struct {
	Receipt verifyReceipts `cmd:"" help:"Check receipts: the signature, the log entry, its place in the log."`
	Log     verifyLog      `cmd:"" help:"Check an exported log from its first entry to its checkpoint."`
}

type verifyReceipts struct {
	Files []string `arg:"" name:"file" help:"Receipts."`
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
	k.Verifier, err = evidence.ParseVerifier(string(text))
	return err
}

// maxReceipt is far above the size of any receipt.
const maxReceipt = 1 << 20

// Run implements the command. Every file is checked, and one that does not hold
// makes it fail.
func (c *verifyReceipts) Run(p program) error {
	var failed error
	for _, name := range c.Files {
		r, err := verifyReceiptFile(name, c.Key)
		if err != nil {
			failed = errSaid
			fmt.Fprintf(p.stdout, "%s: does not hold: %v\n", name, err)
			continue
		}
		fmt.Fprintf(p.stdout, "%s: holds: request %s was completed at %s\n", name, r.Request.ID, r.Request.CompletedAt)
	}
	return failed
}

func verifyReceiptFile(name string, v note.Verifier) (r evidence.Receipt, err error) {
	f, err := openEvidence(name)
	if err != nil {
		return r, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxReceipt))
	if err != nil {
		return r, err
	}
	return evidence.VerifyReceipt(b, v)
}

// Run implements the command.
func (c *verifyLog) Run(p program) error {
	f, err := openEvidence(c.File)
	if err != nil {
		return err
	}
	defer f.Close()
	s, err := evidence.VerifyLog(f, c.Key)
	if err != nil {
		fmt.Fprintf(p.stdout, "%s: does not hold: %v\n", c.File, err)
		return errSaid
	}
	fmt.Fprintf(p.stdout, "%s: holds: %d entries, of %d only the hash is left\n", c.File, s.Size, s.Dropped)
	return nil
}

func openEvidence(name string) (*os.File, error) {
	f, err := os.Open(name)
	if errors.Is(err, os.ErrNotExist) {
		return nil, erasure.Errorf(erasure.CodeInvalid, "There is no file %s.", name)
	}
	return f, err
}
