package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"sync/atomic"
	"unicode/utf8"

	"github.com/efface/efface/store/erasure"
	"github.com/efface/efface/store/scan"
)

type scanCommand struct {
	Data    string   `help:"Directory of the store." default:"./data" placeholder:"DIR"`
	Keyring string   `help:"Keyring file; keyring.db in the directory unless given." placeholder:"FILE"`
	Witness string   `help:"Directory of the witness; witness in the directory unless given." placeholder:"DIR"`
	Also    []string `arg:"" optional:"" name:"path" help:"Further files and directories, such as backups."`
}

// Run implements the command. It opens no store, and writes no file.
func (c *scanCommand) Run(ctx context.Context, p program) error {
	files, err := c.files()
	if err != nil {
		return misuse{err}
	}
	patterns, err := readIdentifiers(p.stdin)
	if err != nil {
		return misuse{err}
	}
	s := scanner{stdout: p.stdout, stderr: p.stderr, patterns: scan.NewReader(patterns)}
	s.progress = newProgress(p.stderr, files.size, &s.read, "MB")
	for _, path := range files.unread {
		s.skip(path)
	}
	for _, path := range files.paths {
		if err := s.file(ctx, path); err != nil {
			return err
		}
	}
	return s.end(len(files.paths))
}

// scanner searches files and says what it finds.
type scanner struct {
	stdout, stderr io.Writer
	patterns       *scan.Reader
	progress       *progress
	read           atomic.Int64 // bytes
	found, skipped int
}

// file searches one file. The identifiers are named by their lines: what is
// printed here ends in logs.
func (s *scanner) file(ctx context.Context, path string) error {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) { // gone since
		return nil
	}
	if err != nil {
		s.skip(path)
		return nil
	}
	defer f.Close()
	var failed error
	err = s.patterns.Search(&watched{ctx, f, s}, func(m scan.Match) {
		s.found++
		s.progress.clear()
		in := ""
		if m.Encoding != "" {
			in = ", in " + m.Encoding
		}
		if _, err := fmt.Fprintf(s.stdout, "%s: byte %d: line %d%s\n", path, m.At, m.ID, in); err != nil {
			failed = err
		}
	})
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case err != nil:
		s.skip(path)
	}
	return failed
}

// skip tells of what can't be read: then nobody can say that nothing is there.
func (s *scanner) skip(path string) {
	s.skipped++
	s.progress.clear()
	fmt.Fprintf(s.stderr, "efface: %s can't be read; run this as the user that runs efface.\n", path)
}

// watched counts what is read of a file, and stops where the command does.
type watched struct {
	ctx  context.Context
	file *os.File
	s    *scanner
}

// Read implements io.Reader.
func (w *watched) Read(b []byte) (int, error) {
	if err := w.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := w.file.Read(b)
	w.s.progress.show(int(w.s.read.Add(int64(n)) / 1e6))
	return n, err
}

func (s *scanner) end(files int) error {
	s.progress.clear()
	switch {
	case s.found > 0:
		fmt.Fprintf(s.stderr, "efface: Places where it is found: %s. Files read: %s.\n", thousands(s.found), thousands(files))
		return errSaid
	case s.skipped > 0:
		fmt.Fprintf(s.stderr, "efface: Nothing is found in what could be read.\n")
		return errSaid
	}
	fmt.Fprintf(s.stderr, "Nothing is found in %s files, %s MB.\n", thousands(files), thousands(int(s.read.Load()/1e6)))
	return nil
}

// maxIdentifier is far above the length of any that the store keeps.
const maxIdentifier = 64 << 10

// readIdentifiers reads one a line, and calls each by its line's number.
func readIdentifiers(r io.Reader) (*scan.Patterns, error) {
	p := &scan.Patterns{}
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, maxIdentifier)
	some := false
	line := 0
	for lines.Scan() {
		line++
		text := strings.TrimSpace(lines.Text())
		switch {
		case text == "":
			continue
		case !utf8.ValidString(text):
			return nil, erasure.Errorf(erasure.CodeInvalid, "Line %d of the identifiers is no UTF-8.", line)
		case len(text) < scan.MinLength:
			return nil, erasure.Errorf(erasure.CodeInvalid,
				"Leave line %d of the identifiers out: fewer than %d bytes are found by chance.", line, scan.MinLength)
		}
		p.AddText(line, text)
		some = true
	}
	switch err := lines.Err(); {
	case errors.Is(err, bufio.ErrTooLong):
		return nil, erasure.Errorf(erasure.CodeInvalid, "Line %d of the identifiers is too long.", line+1)
	case err != nil:
		return nil, erasure.Errorf(erasure.CodeInvalid, "The identifiers on standard input can't be read.")
	case !some:
		return nil, erasure.Errorf(erasure.CodeInvalid, "Give the identifiers on standard input, one a line.")
	}
	return p, nil
}
