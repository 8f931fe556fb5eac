package store

import (
	"bytes"
	"cmp"
	"context"
	"slices"

	"github.com/google/uuid"
)

// lookedUp is what an identifier is looked up by.
type lookedUp struct {
	key int64
	mac [16]byte
}

// graph is what joins a profile into one, as far as it may grow between the
// look at it and the request for its erasure. Traits and records are left out:
// where they come every second, nobody could ever confirm.
type graph struct {
	identifiers map[lookedUp]int // and how many other live profiles they lead to, up to a limit
	sources     []string
	former      []uuid.UUID
}

// shared lists some of the identifiers that lead to other profiles too, always
// the same.
func (g graph) shared(limit int) (led []lookedUp) {
	for l, others := range g.identifiers {
		if others > 0 {
			led = append(led, l)
		}
	}
	slices.SortFunc(led, func(a, b lookedUp) int {
		return cmp.Or(cmp.Compare(a.key, b.key), bytes.Compare(a.mac[:], b.mac[:]))
	})
	return led[:min(limit, len(led))]
}

// othersCounted is up to how many other profiles of an identifier are counted:
// that of a team may lead to 100,000.
const othersCounted = 1000

const graphQuery = `SELECT l.key, l.mac, (SELECT COUNT(*) FROM (SELECT 1 FROM lookup o
	WHERE o.key = l.key AND o.mac = l.mac AND o.profile <> l.profile
		AND NOT EXISTS (SELECT 1 FROM claimed c WHERE c.profile = o.profile) LIMIT $1) AS others)
	FROM lookup l WHERE l.profile = $2`

func scanLed(led map[lookedUp]int) func(scan func(...any) error) error {
	return func(scan func(...any) error) error {
		var l lookedUp
		var others int
		err := scan(&l.key, scan16(&l.mac), &others)
		led[l] = others
		return err
	}
}

// graph reads a profile's graph as the write under way finds it.
func (t *tx) graph(p profile) (g graph, err error) {
	g.identifiers = map[lookedUp]int{}
	if err := t.each(scanLed(g.identifiers), graphQuery, 1, p.id); err != nil {
		return g, err
	}
	err = t.each(func(scan func(...any) error) error {
		var name string
		err := scan(&name)
		g.sources = append(g.sources, name)
		return err
	}, `SELECT s.name FROM fragments f JOIN sources s ON s.id = f.source WHERE f.profile = $1`, p.id)
	if err != nil {
		return g, err
	}
	err = t.each(func(scan func(...any) error) error {
		var id uuid.UUID
		err := scan(scan16(&id))
		g.former = append(g.former, id)
		return err
	}, formerQuery, p.id)
	return g, err
}

// lookGraph reads a profile's graph: one query for its identifiers, for there
// may be many thousands. Where only what is shared is asked for, one other
// profile says so.
func (db *DB) lookGraph(ctx context.Context, l *look) error {
	l.graph = graph{identifiers: map[lookedUp]int{}, former: l.summary.Former}
	for _, f := range l.fragments {
		l.graph.sources = append(l.graph.sources, f.Name)
	}
	counted := 1
	if l.joined {
		counted = othersCounted
	}
	rows, err := db.reads.QueryContext(ctx, graphQuery, counted, l.id)
	if err != nil {
		return err
	}
	err = eachRow(rows, scanLed(l.graph.identifiers))
	if l.joined {
		l.summary.Seen = db.seenText(l.efface, db.seenParts(l.efface, l.graph))
	}
	return err
}

const (
	othersShown   = 10  // of one identifier
	othersQueries = 100 // of one profile: each identifier that is shared takes one
)

const othersQuery = `SELECT p.efface_id FROM lookup l CROSS JOIN profiles p WHERE l.key = $1 AND l.mac = $2 AND l.profile <> $3
	AND p.id = l.profile AND NOT EXISTS (SELECT 1 FROM claimed c WHERE c.profile = l.profile) ORDER BY l.profile LIMIT $4`

// others reads which other profiles the shared identifiers of a profile lead to.
func (db *DB) others(ctx context.Context, l look) (map[lookedUp][]uuid.UUID, error) {
	others := map[lookedUp][]uuid.UUID{}
	for _, by := range l.graph.shared(othersQueries) {
		rows, err := db.reads.QueryContext(ctx, othersQuery, by.key, by.mac[:], l.id, othersShown)
		if err != nil {
			return nil, err
		}
		others[by] = []uuid.UUID{}
		err = eachRow(rows, func(scan func(...any) error) error {
			var id uuid.UUID
			err := scan(scan16(&id))
			others[by] = append(others[by], id)
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return others, nil
}
