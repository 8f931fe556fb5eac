package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"golang.org/x/text/language"
	"golang.org/x/text/message"

	"github.com/efface/efface/store"
	"github.com/efface/efface/store/erasure"
	"github.com/efface/efface/store/ingest"
)

// importBatch is how many lines share a commit.
const importBatch = 500

// callReader gives a file's calls one by one, as [ingest.CSVReader.Next] does.
type callReader interface {
	Next() (line int, call ingest.Call, err error)
}

// importer stores the calls of a file and says which lines were refused.
type importer struct {
	db       *store.DB
	stderr   io.Writer
	progress *progress
	columns  *ingest.CSVReader // whose columns are still to be told; nil where there are none

	calls   []ingest.Call
	lines   []int
	refused []ingest.LineError // since the last commit
	summary summary
}

// summary counts what became of a file's lines.
type summary struct {
	added, seen, suppressed, refused int
	took                             time.Duration
}

// String implements fmt.Stringer.
func (s summary) String() string {
	return fmt.Sprintf("%s added, %s seen before, %s suppressed, %s refused, in %s.", thousands(s.added), thousands(s.seen),
		thousands(s.suppressed), thousands(s.refused), s.took.Round(time.Millisecond))
}

func (s summary) lines() int { return s.added + s.seen + s.suppressed + s.refused }

// run reads to the end. A refused line is no error; with any other, what was
// committed before it stays.
func (im *importer) run(ctx context.Context, from callReader) (summary, error) {
	began := time.Now()
	err := im.readAll(ctx, from)
	if err == nil || erasure.CodeOf(err) != "" { // the file ends, or is damaged from here on
		err = errors.Join(im.commit(ctx), err)
	}
	im.summary.took = time.Since(began)
	return im.summary, err
}

func (im *importer) readAll(ctx context.Context, from callReader) error {
	for {
		line, call, err := from.Next()
		var bad *ingest.LineError
		switch {
		case err == io.EOF:
			return nil
		case errors.As(err, &bad):
			im.refused = append(im.refused, *bad)
		case err != nil:
			return err
		default:
			im.calls = append(im.calls, call)
			im.lines = append(im.lines, line)
		}
		if len(im.calls)+len(im.refused) >= importBatch {
			if err := im.commit(ctx); err != nil {
				return fmt.Errorf("storing up to line %d: %w", line, err)
			}
		}
	}
}

// tellColumns says once, when the first rows are read, by which columns people
// will be found, while it can still be mended at no cost. Names are quoted, for
// they may hold what moves a terminal's cursor.
func (im *importer) tellColumns() {
	if im.columns == nil {
		return
	}
	var identifiers, traits, warnings []string
	for _, c := range im.columns.Columns() {
		switch {
		case c.Key != "":
			identifiers = append(identifiers, fmt.Sprintf("%q (%s)", c.Name, c.Key))
			continue
		case c.Suggests != "":
			warnings = append(warnings, fmt.Sprintf("Warning: nobody will be found by the column %q, which looks like an identifier; --key %q makes it one.",
				c.Name, c.Name+"="+c.Suggests))
		}
		traits = append(traits, fmt.Sprintf("%q", c.Name))
	}
	if len(traits) == 0 {
		traits = []string{"none"}
	}
	im.columns = nil
	fmt.Fprintf(im.stderr, "Identifiers: %s. Traits: %s.\n", strings.Join(identifiers, ", "), strings.Join(traits, ", "))
	for _, w := range warnings {
		fmt.Fprintln(im.stderr, w)
	}
}

// commit stores what was gathered and reports the refused lines in order.
func (im *importer) commit(ctx context.Context) error {
	im.tellColumns()
	results, err := im.db.Ingest(ctx, im.calls)
	if err != nil {
		return err
	}
	for i, r := range results {
		im.count(im.lines[i], r)
	}
	slices.SortFunc(im.refused, func(a, b ingest.LineError) int { return a.Line - b.Line })
	im.progress.clear()
	for _, bad := range im.refused {
		fmt.Fprintf(im.stderr, "line %d: %s\n", bad.Line, bad.Err.Sentence)
	}
	im.summary.refused += len(im.refused)
	im.calls, im.lines, im.refused = im.calls[:0], im.lines[:0], im.refused[:0]
	im.progress.show(im.summary.lines())
	return nil
}

func (im *importer) count(line int, r store.Result) {
	switch r.Outcome {
	case store.Added:
		im.summary.added++
	case store.Seen:
		im.summary.seen++
	case store.Suppressed:
		im.summary.suppressed++
	default:
		var known *erasure.Error
		if !errors.As(r.Err, &known) {
			known = erasure.Errorf(erasure.CodeInvalid, "The line can't be stored.")
		}
		im.refused = append(im.refused, ingest.LineError{Line: line, Err: known})
	}
}

// thousands writes 1234567 as 1,234,567.
func thousands(n int) string { return message.NewPrinter(language.English).Sprintf("%d", n) }
