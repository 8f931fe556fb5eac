package scan

import (
	"encoding/binary"
	"math/bits"
)

// MinLength is the least number of bytes that may be looked for: among a
// billion random ones a shorter value is found by chance.
const MinLength = 6

// Patterns are byte strings that are looked for all at once. The zero value is
// empty; a search may not run while one is added.
//
// A search looks at 4 bytes at a time, a step apart that is short enough for
// one of these windows to lie within the first bytes of each occurrence. So of
// text and noise alike it reads a part, and compares hardly any.
type Patterns struct {
	all     []pattern
	longest int
	least   int

	step   int // 0 until a search has to build what follows
	shift  int
	maybe  []uint64 // a bit for each hash that a window of a pattern has
	heads  []int32  // by hash: the first of these windows, counted from 1 on
	chains []window
}

type pattern struct {
	form
	id int
}

// window is 4 bytes of a pattern, at one of its first places.
type window struct {
	folded  uint32
	pattern int32
	at      int32
	next    int32 // of the same hash; 0 at the end
}

// Match is an occurrence of a pattern.
type Match struct {
	ID       int
	Encoding string // "" where the text stands as it is
	At       int64  // its first byte, counted from 0 on
	size     int
}

// AddText adds a text of [MinLength] bytes or more, in every encoding.
func (p *Patterns) AddText(id int, text string) {
	for _, f := range forms(text) {
		p.add(pattern{f, id})
	}
}

// AddBytes adds [MinLength] bytes or more, just as they are.
func (p *Patterns) AddBytes(id int, b []byte) {
	p.add(pattern{form{bytes: b, exact: true}, id})
}

func (p *Patterns) add(pat pattern) {
	n := len(pat.bytes)
	if n < MinLength {
		panic("scan: too short to be told from chance")
	}
	if len(p.all) == 0 || n < p.least {
		p.least = n
	}
	p.longest = max(p.longest, n)
	p.all = append(p.all, pat)
	p.step = 0
}

const (
	windowSize = 4
	maxStep    = 16
	anyCase    = 0x20202020 // makes of A and a the same, and of some others
)

func (p *Patterns) build() {
	p.step = min(p.least-windowSize+1, maxStep)
	windows := len(p.all) * p.step
	size := min(max(16, bits.Len(uint(windows))+4), 24) // one bit in 16 to 32 is set
	p.shift = 32 - size
	p.maybe = make([]uint64, 1<<size/64)
	p.heads = make([]int32, 1<<size)
	p.chains = make([]window, 1, windows+1)
	for i, pat := range p.all {
		for at := range p.step {
			folded := binary.LittleEndian.Uint32(pat.bytes[at:]) | anyCase
			hash := p.hash(folded)
			p.maybe[hash/64] |= 1 << (hash % 64)
			p.chains = append(p.chains, window{folded, int32(i), int32(at), p.heads[hash]})
			p.heads[hash] = int32(len(p.chains) - 1)
		}
	}
}

func (p *Patterns) hash(folded uint32) uint32 { return folded * 0x9e3779b1 >> p.shift }

// Find calls found for every occurrence in b.
//
// The race detector, which would make it ten times as slow, does not watch it:
// it shares nothing.
//
//go:norace
func (p *Patterns) Find(b []byte, found func(Match)) {
	if len(p.all) == 0 {
		return
	}
	if p.step == 0 {
		p.build()
	}
	step, shift, maybe := p.step, p.shift, p.maybe
	for i := 0; i+windowSize <= len(b); i += step {
		folded := binary.LittleEndian.Uint32(b[i:]) | anyCase
		hash := folded * 0x9e3779b1 >> shift
		if maybe[hash/64]&(1<<(hash%64)) != 0 {
			p.compare(b, i, folded, p.heads[hash], found)
		}
	}
}

//go:norace
func (p *Patterns) compare(b []byte, i int, folded uint32, head int32, found func(Match)) {
	for ; head != 0; head = p.chains[head].next {
		w := p.chains[head]
		if w.folded != folded {
			continue
		}
		pat := &p.all[w.pattern]
		if at := i - int(w.at); at >= 0 && pat.begins(b[at:]) {
			found(Match{pat.id, pat.encoding, int64(at), len(pat.bytes)})
		}
	}
}

//go:norace
func (f *form) begins(b []byte) bool {
	if len(b) < len(f.bytes) {
		return false
	}
	for i, want := range f.bytes {
		if c := b[i]; c != want && (f.exact || folded[c] != want) {
			return false
		}
	}
	return true
}
