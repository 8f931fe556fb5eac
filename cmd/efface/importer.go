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
const importBatch = 800

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

	summary summary
}

// gathered is what was read of a file for one commit.
type gathered struct {
	calls   []ingest.Call
	lines   []int // of the calls
	refused []ingest.LineError
}

// summary counts what became of a file's lines.
type summary struct {
	added, seen, suppressed, refused int
	trimmed, overLimit               int // of those added
	took                             time.Duration
}

// String implements fmt.Stringer.
func (s summary) String() string {
	said := fmt.Sprintf("%s added, %s seen before, %s suppressed, %s refused, in %s.", thousands(s.added), thousands(s.seen),
		thousands(s.suppressed), thousands(s.refused), s.took.Round(time.Millisecond))
	if s.trimmed > 0 {
		said += fmt.Sprintf("\nAdded without identifiers that are suppressed: %s.", thousands(s.trimmed))
	}
	if s.overLimit > 0 {
		said += fmt.Sprintf("\nAdded without identifiers of which a profile has as many as --key-limit allows: %s.", thousands(s.overLimit))
	}
	return said
}

func (s summary) lines() int { return s.added + s.seen + s.suppressed + s.refused }

// run reads to the end, and stores what it has read while it reads on. A refused
// line is no error; with any other, what was committed before it stays. Where
// storing fails, whoever reads is left to end with the file: standard input may
// have it wait for ever.
func (im *importer) run(ctx context.Context, from callReader) (summary, error) {
	began := time.Now()
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	batches, ended := make(chan gathered), make(chan error, 1)
	go func() {
		ended <- readAll(from, func(g gathered) (going bool) {
			im.tellColumns() // before any line is stored
			select {
			case batches <- g:
				return true
			case <-ctx.Done():
				return false
			}
		})
	}()
	err := im.storeAll(ctx, batches, ended)
	im.summary.took = time.Since(began)
	return im.summary, err
}

func (im *importer) storeAll(ctx context.Context, batches <-chan gathered, ended <-chan error) error {
	for {
		select {
		case g := <-batches:
			if err := im.commit(ctx, g); err != nil {
				return fmt.Errorf("storing lines: %w", err)
			}
		case err := <-ended: // all that was read is stored, unless reading was stopped
			return errors.Join(err, ctx.Err())
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// readAll gives the lines of a file, some hundred at a time, for as long as they
// are taken. Of a file that is damaged somewhere it gives all before that.
func readAll(from callReader, take func(gathered) (going bool)) error {
	var g gathered
	for {
		line, call, err := from.Next()
		var bad *ingest.LineError
		switch {
		case errors.As(err, &bad):
			g.refused = append(g.refused, *bad)
		case err == io.EOF:
			take(g)
			return nil
		case err != nil:
			if erasure.CodeOf(err) != "" {
				take(g)
			}
			return err
		default:
			g.calls, g.lines = append(g.calls, call), append(g.lines, line)
		}
		if len(g.calls)+len(g.refused) == importBatch {
			if !take(g) {
				return nil
			}
			g = gathered{}
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
func (im *importer) commit(ctx context.Context, g gathered) error {
	results, err := im.db.Ingest(ctx, g.calls)
	if err != nil {
		return err
	}
	for i, r := range results {
		if bad := im.count(g.lines[i], r); bad != nil {
			g.refused = append(g.refused, *bad)
		}
	}
	slices.SortFunc(g.refused, func(a, b ingest.LineError) int { return a.Line - b.Line })
	im.progress.clear()
	for _, bad := range g.refused {
		fmt.Fprintf(im.stderr, "line %d: %s\n", bad.Line, bad.Err.Sentence)
	}
	im.summary.refused += len(g.refused)
	im.progress.show(im.summary.lines())
	return nil
}

func (im *importer) count(line int, r store.Result) (bad *ingest.LineError) {
	switch r.Outcome {
	case store.Added:
		im.summary.added++
		if r.Without.Suppressed {
			im.summary.trimmed++
		}
		if r.OverLimit {
			im.summary.overLimit++
		}
	case store.Seen:
		im.summary.seen++
	case store.Suppressed:
		im.summary.suppressed++
	default:
		var known *erasure.Error
		if !errors.As(r.Err, &known) {
			known = erasure.Errorf(erasure.CodeInvalid, "The line can't be stored.")
		}
		return &ingest.LineError{Line: line, Err: known}
	}
	return nil
}

// thousands writes 1234567 as 1,234,567.
func thousands(n int) string { return message.NewPrinter(language.English).Sprintf("%d", n) }
