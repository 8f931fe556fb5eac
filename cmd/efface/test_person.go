package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"strings"

	"github.com/efface/efface/jobs"
	"github.com/efface/efface/store"
)

// program itself, also after an upgrade has replaced its file.
const self = "/proc/self/exe"

// searchIn searches a store's files by efface scan as a process of its own: a
// process that reads a database of its own and closes it loses SQLite's locks.
func searchIn(o store.Options) jobs.Search {
	return func(ctx context.Context, values []string) (files []string, err error) {
		var found, said bytes.Buffer
		c := exec.CommandContext(ctx, self, "scan", "--data", o.Dir, "--keyring", o.Keyring, "--witness", o.Witness)
		c.Stdin, c.Stdout, c.Stderr = strings.NewReader(strings.Join(values, "\n")), &found, &said
		err = c.Run()
		for line := range strings.Lines(found.String()) {
			if file, _, ok := strings.Cut(line, ": byte "); ok && !slices.Contains(files, file) {
				files = append(files, file)
			}
		}
		if len(files) > 0 || err == nil {
			return files, nil
		}
		if text := strings.TrimSpace(said.String()); text != "" {
			err = errors.Join(err, errors.New(text))
		}
		return nil, fmt.Errorf("efface scan: %w", err)
	}
}
