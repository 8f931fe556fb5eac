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
	File        string            `arg:"" help:"The file, packed with gzip or not; - is stdin."`
}

// Run implements the command.
func (c *importCommand) Run(ctx context.Context, p program) error {
	file, size, err := c.open(p.stdin)
	if err != nil {
		return err
	}
	defer file.Close()
	counted := &countingReader{r: file}
	next, err := c.reader(counted)
	if err != nil {
		return fileError(c.File, err)
	}
	return c.with(ctx, func(db *store.DB) error {
		if err := p.fixRegion(ctx, db, c.PhoneRegion); err != nil {
			return err
		}
		im := importer{db: db, stderr: p.stderr, progress: newProgress(p.stderr, size, counted)}
		s, err := im.run(ctx, next)
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
		return erasure.Errorf(erasure.CodeInvalid, "The import was stopped; run it again to finish it, nothing is added twice.")
	case errors.As(err, &known):
		return erasure.Errorf(known.Code, "%s Run the import again then, nothing is added twice.", known.Sentence)
	}
	return fileError(name, err)
}

// reader chooses how the file is read.
func (c *importCommand) reader(r io.Reader) (nextCall, error) {
	table, err := erasure.ParseTable(c.Table)
	if err != nil {
		return nil, err
	}
	format, r, err := c.formatOf(r)
	if err != nil {
		return nil, err
	}
	if format == ingest.FormatCSV {
		rows, err := ingest.CSV(r, ingest.CSVOptions{Source: c.Source, Table: table, Keys: c.Key})
		if err != nil {
			return nil, err
		}
		return rows.Next, nil
	}
	if len(c.Key) > 0 || c.Table != "" {
		return nil, erasure.Errorf(erasure.CodeInvalid, "Leave out --key and --table; they are for CSV files, and an NDJSON line says both itself.")
	}
	lines, err := ingest.NDJSON(r, ingest.NDJSONOptions{Source: c.Source})
	if err != nil {
		return nil, err
	}
	return lines.Next, nil
}

func (c *importCommand) formatOf(r io.Reader) (ingest.Format, io.Reader, error) {
	name := strings.TrimSuffix(strings.ToLower(c.File), ".gz")
	switch {
	case c.Format == ingest.FormatCSV, c.Format == ingest.FormatNDJSON:
		return c.Format, r, nil
	case c.Format != "":
		return "", nil, erasure.Errorf(erasure.CodeInvalid, "Choose the format csv or ndjson.")
	case strings.HasSuffix(name, ".csv"):
		return ingest.FormatCSV, r, nil
	case strings.HasSuffix(name, ".ndjson"), strings.HasSuffix(name, ".jsonl"):
		return ingest.FormatNDJSON, r, nil
	}
	format, r := ingest.Detect(r)
	return format, r, nil
}
