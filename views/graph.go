package views

import (
	"fmt"
	"slices"
	"strings"
	"unicode"

	"github.com/google/uuid"
	"golang.org/x/text/width"

	"github.com/efface/efface/store/erasure"
)

// A graph is drawn in three columns: sources, identifiers by key, profiles.
// Its sizes are in the units of its viewBox, which are pixels where it is as
// wide as it wants to be.
const (
	graphWidth  = 880
	boxHeight   = 22
	rowHeight   = 28
	headHeight  = 26
	graphTop    = 30
	cellWidth   = 7.6 // of a character; wide ones take two
	boxPadding  = 9
	graphShown  = 60 // identifiers; of more, a few of each key
	sourcesMost = 20
	othersMost  = 30
)

var graphColumns = [3]struct{ x, w int }{{0, 150}, {240, 330}, {670, 210}}

// graphBox is a box of the picture, graphEdge a line between two.
type graphBox struct {
	X, Y, W int
	Class   string
	Text    string
}

type graphEdge struct {
	Path  string
	Class string
}

type graphHead struct {
	X, Y int
	Text string
}

// graph is the identity graph of a profile as a picture. It is the same for
// the same profile.
type graph struct {
	Height int
	Boxes  []graphBox
	Edges  []graphEdge
	Heads  []graphHead
}

// graphRow is a line of the middle column.
type graphRow struct {
	heldValue
	text, class string
	box         graphBox
	led         []graphBox // the other profiles'
}

func drawGraph(p erasure.Profile) graph {
	g := graph{Heads: []graphHead{{graphColumns[0].x, 18, "Sources"}, {graphColumns[1].x, 18, "Identifiers"}, {graphColumns[2].x, 18, "Profiles"}}}
	rows, y := g.identifiers(p)
	sources, low := g.sources(rows)
	this, lower := g.profiles(rows)
	g.Height = max(y, low, lower) + 8
	for _, r := range rows {
		for _, s := range r.Sources {
			g.join(sources[s], r.box, "graph-edge")
		}
		g.join(r.box, this, "graph-edge")
		for _, other := range r.led {
			g.join(r.box, other, "graph-edge graph-shared")
		}
	}
	return g
}

// graphValues are the identifiers to draw by key: where they are many, a few
// of each and one line for the rest.
func graphValues(p erasure.Profile) (keys []heldKey) {
	values := byValue(p)
	keys = byKey(values, listed)
	drawn := 0
	for _, k := range keys {
		drawn += len(k.Values)
	}
	if drawn <= graphShown {
		return keys
	}
	return byKey(values, max(1, min(listed, graphShown/len(keys))))
}

func (g *graph) identifiers(p erasure.Profile) (rows []graphRow, y int) {
	y = graphTop
	keys := graphValues(p)
	more := max(0, len(keys)-graphShown)
	for _, k := range keys[:len(keys)-more] {
		y += headHeight
		g.Heads = append(g.Heads, graphHead{graphColumns[1].x, y - 8, fitted(keyText(k.Key), graphColumns[1].w)})
		for _, v := range k.Values {
			r := graphRow{heldValue: v, text: v.Value, class: "graph-id"}
			if v.Damaged {
				r.text = "Damaged: it cannot be read"
			}
			if v.Shared {
				r.class += " graph-shared"
			}
			rows = append(rows, g.row(r, &y))
		}
		if len(k.Rest) > 0 {
			rows = append(rows, g.row(graphRow{text: "and " + number(len(k.Rest)) + " more", class: "graph-more"}, &y))
		}
	}
	if more > 0 {
		rows = append(rows, g.row(graphRow{text: "and " + count(more, "more key"), class: "graph-more"}, &y))
	}
	return rows, y
}

func (g *graph) row(r graphRow, y *int) graphRow {
	r.box = g.box(1, *y, r.class, r.text)
	*y += rowHeight
	return r
}

func (g *graph) box(column, y int, class, text string) graphBox {
	c := graphColumns[column]
	b := graphBox{X: c.x, Y: y, W: c.w, Class: class, Text: fitted(text, c.w)}
	g.Boxes = append(g.Boxes, b)
	return b
}

// sources stand as high as the identifiers that they gave do on average.
func (g *graph) sources(rows []graphRow) (boxes map[string]graphBox, y int) {
	sum, n := map[string]int{}, map[string]int{}
	var names []string
	for _, r := range rows {
		for _, s := range r.Sources {
			if n[s] == 0 {
				names = append(names, s)
			}
			sum[s] += r.box.Y
			n[s]++
		}
	}
	slices.SortStableFunc(names, func(a, b string) int { return sum[a]/n[a] - sum[b]/n[b] })
	boxes, y = map[string]graphBox{}, graphTop+headHeight
	shown := min(sourcesMost, len(names))
	for _, s := range names[:shown] {
		y = max(y, sum[s]/n[s])
		boxes[s] = g.box(0, y, "graph-source", s)
		y += rowHeight
	}
	if more := len(names) - shown; more > 0 {
		g.box(0, y, "graph-more", "and "+number(more)+" more")
		y += rowHeight
	}
	return boxes, y
}

// profiles stand below this one, each as high as the first identifier that
// leads to it or lower. It tells each row which of their boxes are its own.
func (g *graph) profiles(rows []graphRow) (this graphBox, y int) {
	y = graphTop + headHeight
	next := func(low int, class, text string) graphBox {
		y = max(y, low)
		b := g.box(2, y, class, text)
		y += rowHeight
		return b
	}
	this = next(y, "graph-this", "This profile")
	boxes, left := map[uuid.UUID]graphBox{}, map[uuid.UUID]bool{}
	var undrawn []*graphRow
	for i := range rows {
		r := &rows[i]
		for _, id := range r.Others {
			b, drawn := boxes[id]
			if !drawn && len(boxes) == othersMost {
				left[id] = true
				if n := len(undrawn); n == 0 || undrawn[n-1] != r {
					undrawn = append(undrawn, r)
				}
				continue
			}
			if !drawn {
				b = next(r.box.Y, "graph-other", shortID(id))
				boxes[id] = b
			}
			r.led = append(r.led, b)
		}
		if r.More > 0 {
			r.led = append(r.led, next(r.box.Y, "graph-more", "and "+atLeast(r.More)+" more"))
		}
	}
	if len(left) > 0 {
		b := next(y, "graph-more", "and "+number(len(left))+" more, listed below")
		for _, r := range undrawn {
			r.led = append(r.led, b)
		}
	}
	return this, y
}

// shortID is the end of a User ID: their beginnings are times, and alike.
func shortID(id uuid.UUID) string { s := id.String(); return "…" + s[len(s)-17:] }

// join draws a line from the right of one box to the left of another.
func (g *graph) join(from, to graphBox, class string) {
	if from.W == 0 || to.W == 0 {
		return // it is not drawn
	}
	x1, y1, x2, y2 := from.X+from.W, from.Y+boxHeight/2, to.X, to.Y+boxHeight/2
	middle := (x1 + x2) / 2
	g.Edges = append(g.Edges, graphEdge{fmt.Sprintf("M%d %dC%d %d %d %d %d %d", x1, y1, middle, y1, middle, y2, x2, y2), class})
}

// fitted cuts a text to a box's width. What it shows turns no text beside it
// round: it stands in an isolate, and its own marks of direction are left out.
func fitted(text string, w int) string {
	room := int(float64(w-2*boxPadding) / cellWidth)
	var b strings.Builder
	cells := 0
	for _, r := range text {
		switch {
		case unicode.Is(unicode.Bidi_Control, r):
			continue
		case unicode.IsControl(r):
			r = ' '
		}
		cells += cellsOf(r)
		if cells > room {
			return "\u2068" + strings.TrimRightFunc(b.String(), func(r rune) bool { return unicode.IsSpace(r) || r == '\u200d' }) + "…\u2069"
		}
		b.WriteRune(r)
	}
	return "\u2068" + b.String() + "\u2069"
}

// cellsOf is how many characters' room one takes, at most.
func cellsOf(r rune) int {
	switch k := width.LookupRune(r).Kind(); {
	case unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf):
		return 0
	case k == width.EastAsianWide || k == width.EastAsianFullwidth || r >= 0x1f000 || unicode.Is(unicode.So, r):
		return 2
	}
	return 1
}
