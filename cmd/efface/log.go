package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/efface/efface/store"
	"github.com/efface/efface/store/erasure"
)

type logCommand struct {
	Key    logKey    `cmd:"" help:"Print the public key that verifies receipts and exported logs."`
	Export logExport `cmd:"" help:"Write the whole log with its newest checkpoint, to a file or stdout."`
}

type logKey struct{ storeFlags }

// Run implements the command.
func (c *logKey) Run(ctx context.Context, p program) error {
	return c.withExisting(ctx, func(db *store.DB) error {
		_, err := fmt.Fprintln(p.stdout, db.LogKey())
		return err
	})
}

type logExport struct {
	storeFlags
	File string `arg:"" optional:"" help:"The file to write, which must not exist yet; - or none is the standard output."`
}

// Run implements the command.
func (c *logExport) Run(ctx context.Context, p program) error {
	return c.withExisting(ctx, func(db *store.DB) error {
		if c.File == "" || c.File == "-" {
			return exportLog(ctx, db, p.stdout)
		}
		f, err := os.OpenFile(c.File, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		if errors.Is(err, fs.ErrExist) {
			return erasure.Errorf(erasure.CodeConflict, "%s is there already; give another name.", c.File)
		}
		if err != nil {
			return erasure.Errorf(erasure.CodeInvalid, "The file %s can't be written; check that its directory exists and may be written to.", c.File)
		}
		if err := exportLog(ctx, db, f); err != nil {
			return errors.Join(err, f.Close(), os.Remove(c.File))
		}
		return errors.Join(f.Sync(), f.Close())
	})
}

func exportLog(ctx context.Context, db *store.DB, to io.Writer) error {
	w := bufio.NewWriter(to)
	err := db.ExportLog(ctx, erasure.Terminal, func(_ int64, lines []byte) error {
		_, err := w.Write(lines)
		return err
	})
	return errors.Join(err, w.Flush())
}
