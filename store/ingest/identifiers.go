package ingest

import (
	"errors"

	"github.com/efface/efface/store/erasure"
)

// gathering collects one profile's identifiers out of a row or call.
type gathering struct {
	table erasure.Table
	ids   []erasure.Identifier
}

// callIdentifiers is how many a call may give of one profile: some tens of calls
// share a commit, and others wait for it.
const callIdentifiers = 50

// add takes an identifier, unless it is there already or there is nothing to
// see in it: sources send empty values for what they do not know.
func (g *gathering) add(key, value string) error {
	if erasure.CleanPaste(value) == "" {
		return nil
	}
	id := erasure.Identifier{Table: g.table, Key: key, Value: value}
	if err := erasure.CheckIdentifier(id); err != nil {
		return about(key, err)
	}
	one := erasure.KeyOf(g.table, key).OneValue
	for _, have := range g.ids {
		if have.Key != key {
			continue
		}
		if erasure.CleanPaste(have.Value) == erasure.CleanPaste(value) {
			return nil
		}
		if one {
			return refuse("Give one %s, not two different ones.", key)
		}
	}
	if len(g.ids) == callIdentifiers {
		return refuse("Give %d identifiers at most in a call.", callIdentifiers)
	}
	g.ids = append(g.ids, id)
	return nil
}

// about says which identifier a sentence is about, for a line has many.
func about(name string, err error) error {
	var e *erasure.Error
	if erasure.CheckKeyName(name) != nil || !errors.As(err, &e) {
		return err
	}
	return refuse("In %s: %s", name, e.Sentence)
}
