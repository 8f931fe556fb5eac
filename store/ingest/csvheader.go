package ingest

import (
	"errors"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/efface/efface/store/erasure"
)

// header reads what the columns are.
func (in *input) header(table erasure.Table, keys map[string]string) ([]Column, error) {
	names, err := in.names()
	if err != nil {
		return nil, err
	}
	return assignKeys(table, names, keys)
}

// names reads the names of the columns. Its sentences name columns by number:
// the first line of a file without a header is somebody's data.
func (in *input) names() ([]string, error) {
	_, names, err := in.row()
	var bad *LineError
	switch {
	case err == io.EOF:
		return nil, refuse("Choose a file that is not empty; its first line names the columns.")
	case errors.As(err, &bad):
		return nil, refuse("Mend the first line, which names the columns: %s", bad.Err.Sentence)
	case err != nil:
		return nil, err
	}
	return names, checkNames(names)
}

// checkNames cleans the names in place.
func checkNames(names []string) error {
	for i, name := range names {
		if err := checkText(name); err != nil {
			return refuse("Save the file as UTF-8 text; its first line, which names the columns, is not.")
		}
		if strings.ContainsRune(name, '\r') {
			return refuse("End the file's lines with LF or CRLF, not with CR alone.")
		}
		names[i] = erasure.CleanPaste(name)
		if names[i] == "" {
			return refuse("Name column %d in the first line.", i+1)
		}
		if first := slices.Index(names[:i], names[i]); first >= 0 {
			return refuse("Give columns %d and %d different names.", first+1, i+1)
		}
	}
	return nil
}

// assignKeys makes identifiers of the columns that are named like a key of the
// table, in any letter case, and of those that keys names.
func assignKeys(table erasure.Table, names []string, keys map[string]string) ([]Column, error) {
	for _, name := range slices.Sorted(maps.Keys(keys)) {
		if err := erasure.CheckKeyName(keys[name]); err != nil {
			return nil, err
		}
		if !slices.Contains(names, name) {
			return nil, refuse("Add the column %q, which --key names, or leave that --key out.", name)
		}
	}
	columns := make([]Column, len(names))
	found := false
	for i, name := range names {
		columns[i] = Column{Name: name, Key: keys[name]}
		if k := erasure.KeyOf(table, strings.ToLower(name)); columns[i].Key == "" && k.Known {
			columns[i].Key = k.Name
		}
		if columns[i].Key == "" {
			columns[i].Suggests = suggestedBy(table, name)
		}
		found = found || columns[i].Key != ""
	}
	if !found {
		return nil, noIdentifier(table, names)
	}
	return columns, nil
}

func noIdentifier(table erasure.Table, names []string) error {
	if otherwiseSeparated(names) {
		return errSeparator
	}
	known := strings.Join(erasure.KeyNames(table), ", ")
	return refuse("Name one column in the first line after a key (%s), or say with --key COLUMN=KEY which one is an identifier.", known)
}

var errSeparator = refuse("Separate the columns by commas.")

func otherwiseSeparated(names []string) bool {
	return len(names) == 1 && strings.ContainsAny(names[0], ";\t|")
}
