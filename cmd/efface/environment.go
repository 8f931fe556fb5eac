package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
)

// warnOfVariables names each variable of environ, of the form NAME=VALUE, that
// begins as those of Efface do and belongs to no flag of any command, on a line
// of its own. Values are not shown. An empty variable counts as not set.
func warnOfVariables(w io.Writer, root *kong.Node, environ []string) {
	known := map[string]bool{}
	addVariables(known, root)
	names := slices.Sorted(maps.Keys(known))
	for _, e := range slices.Sorted(slices.Values(environ)) {
		name, value, _ := strings.Cut(e, "=")
		if !strings.HasPrefix(name, variablePrefix) || value == "" || known[name] {
			continue
		}
		guess := "."
		if meant := nearest(name, names); meant != "" {
			guess = "; did you mean " + meant + "?"
		}
		fmt.Fprintf(w, "efface: %s is no setting of Efface, and is not used%s\n", name, guess)
	}
}

func addVariables(known map[string]bool, n *kong.Node) {
	for _, f := range n.Flags {
		if hasVariable(f.Name) {
			known[variable(f.Name)] = true
		}
	}
	for _, below := range n.Children {
		addVariables(known, below)
	}
}

// nearest returns the name that is fewest changes away, or "" where each is
// more than three away or more than a third of what follows the prefix.
func nearest(name string, names []string) (found string) {
	least := min(3, (len(name)-len(variablePrefix))/3) + 1
	for _, n := range names {
		if d := changes(name, n); d < least {
			least, found = d, n
		}
	}
	return found
}

// changes counts the bytes to put in, take out or replace to make b of a.
func changes(a, b string) int {
	row := make([]int, len(b)+1) // from what is read of a to each beginning of b
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		before := row[0]
		row[0] = i + 1
		for j := range len(b) {
			kept := before
			if a[i] != b[j] {
				kept = 1 + min(before, row[j], row[j+1])
			}
			before, row[j+1] = row[j+1], kept
		}
	}
	return row[len(b)]
}
