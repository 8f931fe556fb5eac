package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"github.com/efface/efface/store"
	"github.com/efface/efface/store/erasure"
	"github.com/efface/efface/store/ingest"
)

type importCommand struct {
	storeFlags
	Format      ingest.Format     `help:"How the file is written, csv or ndjson; told by its name or beginning unless given." placeholder:"FORMAT"`
	Source      string            `help:"Who tells this; one name for one system." default:"import" placeholder:"NAME"`
	Table       string            `help:"Whom the rows of a CSV file are about: user or group." placeholder:"TABLE"`
	Key         map[string]string `help:"A further column that is an identifier, and its key." mapsep:"none" placeholder:"COLUMN=KEY"`
	PhoneRegion string            `help:"Country for phone numbers without one; fixed in the store at first use." placeholder:"CC"`
	KeyLimit    keyLimit          `help:"How many identifiers of one key a profile may have." default:"${key_limit}" placeholder:"N"`
	File        string            `arg:"" help:"The file, packed with gzip or not; - is stdin."`
}

// Run implements the command.
func (c *importCommand) Run(ctx context.Context, p program) error {
	if err := c.check(); err != nil {
		return misuse{err}
	}
	file, size, err := c.open(p.stdin)
	if err != nil {
		return misuse{err}
	}
	defer file.Close()
	counted := &countingReader{r: file}
	calls, err := c.reader(counted)
	if err != nil {
		return fileError(c.File, err)
	}
	c.storeFlags.keyLimit = c.KeyLimit
	return p.withNew(ctx, c.storeFlags, func(db *store.DB) error {
		if err := p.fixRegion(ctx, db, c.PhoneRegion); err != nil {
			return err
		}
		im := importer{db: db, stderr: p.stderr, progress: newProgress(p.stderr, size, &counted.n, "lines")}
		im.columns, _ = calls.(*ingest.CSVReader)
		s, err := im.run(ctx, calls)
		im.progress.clear()
		fmt.Fprintln(p.stderr, s)
		if err != nil {
			return stopped(c.File, db.Explain(err))
		}
		if s.refused > 0 {
			return errSaid
		}
		return nil
	})
}

// check looks at what the command line says before anything is made.
func (c *importCommand) check() error {
	if c.Format != "" && c.Format != ingest.FormatCSV && c.Format != ingest.FormatNDJSON {
		return erasure.Errorf(erasure.CodeInvalid, "Choose the format csv or ndjson.")
	}
	if err := ingest.CheckSource(c.Source); err != nil {
		return err
	}
	if _, err := erasure.ParseTable(c.Table); err != nil {
		return err
	}
	for _, key := range c.Key {
		if err := erasure.CheckKeyName(key); err != nil {
			return err
		}
	}
	return erasure.CheckRegion(c.PhoneRegion)
}

func (c *importCommand) open(stdin io.Reader) (io.ReadCloser, int64, error) {
	if c.File == "-" {
		return io.NopCloser(stdin), 0, nil
	}
	f, err := os.Open(c.File)
	if err != nil {
		return nil, 0, fileError(c.File, err)
	}
	info, err := f.Stat()
	if err == nil && info.IsDir() {
		err = erasure.Errorf(erasure.CodeInvalid, "%s is a directory; name a file in it.", c.File)
	}
	if err != nil {
		return nil, 0, errors.Join(err, f.Close())
	}
	return f, info.Size(), nil
}

// fileError puts what is wrong with the file itself into a sentence.
func fileError(name string, err error) error {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return erasure.Errorf(erasure.CodeInvalid, "There is no file %s; check its name.", name)
	case errors.Is(err, fs.ErrPermission):
		return erasure.Errorf(erasure.CodeInvalid, "The file %s can't be read by this user; change its permissions.", name)
	}
	return err
}

// stopped tells an import that ended early how it is finished. What was
// committed before stays.
func stopped(name string, err error) error {
	var known *erasure.Error
	switch {
	case errors.Is(err, context.Canceled):
		return erasure.Errorf(erasure.CodeInvalid, "The import was stopped. Run it again to finish it: what was stored is not stored twice.")
	case errors.As(err, &known):
		return erasure.Errorf(known.Code, "%s Then run the import again: what was stored is not stored twice.", known.Sentence)
	}
	return fileError(name, err)
}

// reader chooses how the file is read.
func (c *importCommand) reader(r io.Reader) (callReader, error) {
	table, err := erasure.ParseTable(c.Table)
	if err != nil {
		return nil, err
	}
	format, r := c.formatOf(r)
	if format == ingest.FormatCSV {
		return ingest.CSV(r, ingest.CSVOptions{Source: c.Source, Table: table, Keys: c.Key})
	}
	if len(c.Key) > 0 || c.Table != "" {
		return nil, erasure.Errorf(erasure.CodeInvalid, "Leave out --key and --table; they are for CSV files, and an NDJSON line says both itself.")
	}
	return ingest.NDJSON(r, ingest.NDJSONOptions{Source: c.Source})
}

func (c *importCommand) formatOf(r io.Reader) (ingest.Format, io.Reader) {
	name := strings.TrimSuffix(strings.ToLower(c.File), ".gz")
	switch {
	case c.Format != "":
		return c.Format, r
	case strings.HasSuffix(name, ".csv"):
		return ingest.FormatCSV, r
	case strings.HasSuffix(name, ".ndjson"), strings.HasSuffix(name, ".jsonl"):
		return ingest.FormatNDJSON, r
	}
	return ingest.Detect(r)
}
