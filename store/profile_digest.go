package store

import (
	"bytes"
	"crypto/hmac"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/efface/efface/store/erasure"
)

// seenPart is a part of a graph, as a keyed digest: whoever has it can tell what is
// new, and nothing of what it is.
type seenPart [6]byte

// seenParts are the parts of a graph by kind, in the order of [seenNames].
type seenParts [4]struct {
	n     int
	parts []seenPart // sorted; nil where a form does not carry them
}

var seenNames = [4]string{"identifier", "source", "joined profile", "shared identifier"}

// The kinds of parts that are marked where they are shown.
const (
	seenIdentifier = 0
	seenSource     = 1
	seenShared     = 3 // the identifiers that lead to others too
)

// seenListed is how many parts of each kind a form carries: 8 KiB in all. Of
// more it carries their number, for a graph only grows.
var seenListed = [4]int{640, 64, 64, 192}

func (db *DB) seenPart(efface uuid.UUID, kind int, what []byte) seenPart {
	d := db.digest("seen", efface[:], []byte(seenNames[kind]), what)
	return seenPart(d[:6])
}

func (l lookedUp) bytes() []byte { return append(binary.AppendVarint(nil, l.key), l.mac[:]...) }

func (db *DB) seenParts(efface uuid.UUID, g graph) (s seenParts) {
	add := func(kind int, what []byte) {
		s[kind].parts = append(s[kind].parts, db.seenPart(efface, kind, what))
	}
	for l, others := range g.identifiers {
		add(seenIdentifier, l.bytes())
		if others > 0 {
			add(seenShared, l.bytes())
		}
	}
	for _, name := range g.sources {
		add(seenSource, []byte(name))
	}
	for _, id := range g.former {
		add(2, id[:])
	}
	for i := range s {
		slices.SortFunc(s[i].parts, seenPart.compare)
		s[i].parts = slices.Compact(s[i].parts)
		s[i].n = len(s[i].parts)
	}
	return s
}

func (p seenPart) compare(q seenPart) int { return bytes.Compare(p[:], q[:]) }

// seenText is what a form carries between the look and the request: nobody but
// the store can make it, and for no other profile.
func (db *DB) seenText(efface uuid.UUID, s seenParts) string {
	b := []byte{seenVersion}
	for i, kind := range s {
		b = binary.AppendUvarint(b, uint64(kind.n))
		if kind.n > seenListed[i] {
			continue
		}
		for _, p := range kind.parts {
			b = append(b, p[:]...)
		}
	}
	mac := db.digest("seen form", efface[:], b)
	return base64.RawURLEncoding.EncodeToString(append(b, mac[:]...))
}

const seenVersion = 2

var errSeen = errors.New("what was seen cannot be read")

// parseSeen reads what [DB.seenText] wrote for the profile.
func (db *DB) parseSeen(efface uuid.UUID, text string) (s seenParts, err error) {
	b, err := base64.RawURLEncoding.DecodeString(text)
	end := len(b) - 16
	if err != nil || end < 1 || b[0] != seenVersion {
		return s, errSeen
	}
	if mac := db.digest("seen form", efface[:], b[:end]); !hmac.Equal(mac[:], b[end:]) {
		return s, errSeen
	}
	b = b[1:end]
	for i := range s {
		n, size := binary.Uvarint(b)
		if size <= 0 || n > math.MaxInt32 {
			return s, errSeen
		}
		s[i].n, b = int(n), b[size:]
		if s[i].n > seenListed[i] {
			continue
		}
		if len(b) < 6*s[i].n {
			return s, errSeen
		}
		for range s[i].n {
			s[i].parts, b = append(s[i].parts, seenPart(b[:6])), b[6:]
		}
	}
	return s, nil
}

// has reports whether a part was seen, as far as the form carried its kind.
func (s seenParts) has(kind int, p seenPart) bool {
	if s[kind].n > seenListed[kind] {
		return true
	}
	_, found := slices.BinarySearchFunc(s[kind].parts, p, seenPart.compare)
	return found
}

// since counts the parts that are new since others were seen.
func (s seenParts) since(seen seenParts) (grown [4]int) {
	for i, kind := range s {
		if seen[i].n > seenListed[i] {
			grown[i] = max(0, kind.n-seen[i].n)
			continue
		}
		for _, p := range kind.parts {
			if !seen.has(i, p) {
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
	seen, err := t.db.parseSeen(p.efface, text)
	if err != nil {
		return erasure.Errorf(erasure.CodeConflict, "Check what will go, then confirm again.").In("seen")
	}
	grown := t.db.seenParts(p.efface, g).since(seen)
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
