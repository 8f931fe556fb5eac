package store

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/efface/efface/store/erasure"
)

// seenPart is a part of a graph, as a keyed digest: whoever has it can tell what is
// new, and nothing of what it is.
type seenPart [6]byte

// seenParts are the parts of a graph by kind, in the order of [seenNames].
type seenParts [4]struct {
	n     int
	parts []seenPart // sorted; nil where there are more than [seenListed]
}

var seenNames = [4]string{"identifier", "source", "joined profile", "shared identifier"}

// seenShared is the kind of the identifiers that lead to others too.
const seenShared = 3

// seenListed is how many parts of a kind are kept in what was seen, which has
// to fit into a form. Of more their number is, for a graph only grows.
const seenListed = 1000

func (db *DB) seenParts(p profile, g graph) (s seenParts) {
	add := func(kind int, what []byte) {
		d := db.digest("seen", p.efface[:], []byte(seenNames[kind]), what)
		s[kind].parts = append(s[kind].parts, seenPart(d[:6]))
	}
	for l, others := range g.identifiers {
		what := append(binary.AppendVarint(nil, l.key), l.mac[:]...)
		add(0, what)
		if others > 0 {
			add(seenShared, what)
		}
	}
	for _, name := range g.sources {
		add(1, []byte(name))
	}
	for _, id := range g.former {
		add(2, id[:])
	}
	for i := range s {
		slices.SortFunc(s[i].parts, func(a, b seenPart) int { return bytes.Compare(a[:], b[:]) })
		s[i].parts = slices.Compact(s[i].parts)
		s[i].n = len(s[i].parts)
	}
	return s
}

// text is what a form carries between the look and the request.
func (s seenParts) text() string {
	b := []byte{1}
	for _, kind := range s {
		b = binary.AppendUvarint(b, uint64(kind.n))
		if kind.n > seenListed {
			continue
		}
		for _, p := range kind.parts {
			b = append(b, p[:]...)
		}
	}
	return base64.RawURLEncoding.EncodeToString(b)
}

var errSeen = errors.New("what was seen cannot be read")

func parseSeen(text string) (s seenParts, err error) {
	b, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil || len(b) == 0 || b[0] != 1 {
		return s, errSeen
	}
	b = b[1:]
	for i := range s {
		n, size := binary.Uvarint(b)
		if size <= 0 || n > 1<<32 {
			return s, errSeen
		}
		s[i].n, b = int(n), b[size:]
		if n > seenListed {
			continue
		}
		if len(b) < 6*int(n) {
			return s, errSeen
		}
		for ; n > 0; n-- {
			s[i].parts, b = append(s[i].parts, seenPart(b[:6])), b[6:]
		}
	}
	return s, nil
}

// since counts the parts that are new since others were seen.
func (s seenParts) since(seen seenParts) (grown [4]int) {
	for i, kind := range s {
		if kind.n > seenListed || seen[i].n > seenListed {
			grown[i] = max(0, kind.n-seen[i].n)
			continue
		}
		before := map[seenPart]bool{}
		for _, p := range seen[i].parts {
			before[p] = true
		}
		for _, p := range kind.parts {
			if !before[p] {
				grown[i]++
			}
		}
	}
	return grown
}

// seenAll refuses, as [erasure.CodeConflict] of the field "seen", a
// request for a profile of which more is held by now than was seen.
func (t *tx) seenAll(p profile, text string) error {
	g, err := t.graph(p)
	if err != nil {
		return fmt.Errorf("reading what goes: %w", err)
	}
	seen, err := parseSeen(text)
	if err != nil {
		return erasure.Errorf(erasure.CodeConflict, "Check what will go, then confirm again.").In("seen")
	}
	grown := t.db.seenParts(p, g).since(seen)
	var came []string
	for i, n := range grown[:seenShared] {
		switch {
		case n == 1:
			came = append(came, "1 "+seenNames[i])
		case n > 1:
			came = append(came, fmt.Sprintf("%d %ss", n, seenNames[i]))
		}
	}
	list := strings.Join(came, ", ")
	if last := len(came) - 1; last > 0 {
		list = strings.Join(came[:last], ", ") + " and " + came[last]
	}
	if list != "" {
		list += " came since you looked"
	}
	switch shared := grown[seenShared]; {
	case shared == 0 && list == "":
		return nil
	case shared > 0 && list == "":
		list = fmt.Sprintf("Since you looked, %d of the identifiers came to lead to another profile too", shared)
	case shared > 0:
		list += fmt.Sprintf(", and %d of the identifiers lead to another profile too by now", shared)
	}
	return erasure.Errorf(erasure.CodeConflict, "%s: check what will go now, then confirm again.", list).In("seen")
}
