package store

import (
	"encoding/binary"
	"errors"
)

// How a page of a b-tree begins, as https://www.sqlite.org/fileformat2.html
// has it.
const (
	indexInterior = 0x02
	tableInterior = 0x05
	indexLeaf     = 0x0a
	tableLeaf     = 0x0d
)

// fileHeader is what stands before the first page's own header. It says, at
// reservedAt, how many bytes at the end of each page SQLite leaves alone.
const (
	fileHeader = 100
	reservedAt = 20
)

// lastPlainPage is the last page of a file in which no other page can look like
// one of a b-tree: those of overflowing values and of the list of free pages
// begin with the number of a page, of four bytes.
const lastPlainPage = indexInterior<<24 - 1

// errPage says that a page does not add up. Nothing of it is cleared then.
var errPage = errors.New("a page of the database is not as SQLite lays it out")

// isTree reports whether a page is one of a b-tree.
func isTree(page []byte, number int64) bool {
	switch page[headerAt(number)] {
	case indexInterior, tableInterior, indexLeaf, tableLeaf:
		return true
	}
	return false
}

func headerAt(number int64) int {
	if number == 1 {
		return fileHeader
	}
	return 0
}

// cleared copies to clean what is in use of a page of a b-tree, and zeros
// elsewhere: between its cells, behind the headers of its free blocks, and
// between what points to the cells and the first of them.
//
// SQLite keeps account of every byte of a page. Where the account is not met,
// the page is not understood, and the error is [errPage].
func cleared(clean, page []byte, number int64, reserved int) error {
	clear(clean)
	p := treePage{page: page, clean: clean, header: headerAt(number), usable: len(page) - reserved}
	return p.copy()
}

type treePage struct {
	page, clean []byte
	header      int
	usable      int
	content     int // where the area of cells begins
	used        int // bytes of it that are accounted for
}

func (p *treePage) copy() error {
	kind := p.page[p.header]
	cells := p.number(p.header + 3)
	pointers := p.header + 8
	if kind == indexInterior || kind == tableInterior {
		pointers += 4
	}
	end := pointers + 2*cells
	p.content = p.number(p.header + 5)
	if p.content == 0 {
		p.content = 65536
	}
	if end > p.content || p.content > p.usable {
		return errPage
	}
	copy(p.clean, p.page[:end])
	copy(p.clean[p.usable:], p.page[p.usable:])
	for at := pointers; at < end; at += 2 {
		if !p.keep(p.number(at), p.cellSize(kind, p.number(at))) {
			return errPage
		}
	}
	if !p.keepFreeBlocks() || p.used+int(p.page[p.header+7]) != p.usable-p.content {
		return errPage
	}
	return nil
}

func (p *treePage) number(at int) int { return int(binary.BigEndian.Uint16(p.page[at:])) }

// keep copies what is in use.
func (p *treePage) keep(at, size int) bool {
	if at < p.content || size <= 0 || at+size > p.usable {
		return false
	}
	copy(p.clean[at:], p.page[at:at+size])
	p.used += size
	return true
}

func (p *treePage) keepFreeBlocks() bool {
	for at, before := p.number(p.header+1), 0; at != 0; {
		if at <= before || at < p.content || at+4 > p.usable {
			return false
		}
		next, size := p.number(at), p.number(at+2)
		if size < 4 || at+size > p.usable || !p.keep(at, 4) {
			return false
		}
		p.used += size - 4
		at, before = next, at
	}
	return true
}

// cellSize is how many bytes of the page a cell takes; 0 where it has no end.
func (p *treePage) cellSize(kind byte, at int) int {
	from := at
	if kind == indexInterior || kind == tableInterior {
		at += 4
	}
	if at >= p.usable {
		return 0
	}
	value, n := varint(p.page[at:p.usable])
	at += n
	if kind == tableInterior {
		return at - from
	}
	if kind == tableLeaf {
		_, n := varint(p.page[min(at, p.usable):p.usable])
		at += n
	}
	return max(4, at-from+p.local(kind, value))
}

// local is how much of a value of so many bytes stands in its cell, with the
// number of the page that the rest begins on.
func (p *treePage) local(kind byte, value uint64) int {
	most := (p.usable-12)*64/255 - 23
	if kind == tableLeaf {
		most = p.usable - 35
	}
	if value <= uint64(most) {
		return int(value)
	}
	least := (p.usable-12)*32/255 - 23
	some := least + int((value-uint64(least))%uint64(p.usable-4))
	if some > most {
		some = least
	}
	return some + 4
}

// varint reads one of SQLite's integers of variable length, and how long it is.
func varint(b []byte) (value uint64, n int) {
	for i, c := range b[:min(9, len(b))] {
		if i == 8 {
			return value<<8 | uint64(c), 9
		}
		value = value<<7 | uint64(c&0x7f)
		if c < 0x80 {
			return value, i + 1
		}
	}
	return value, len(b)
}
