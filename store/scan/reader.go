package scan

import (
	"errors"
	"io"
)

// readSize is how much is read at once: it stays in the processor's cache until
// it is searched, and the disk reads ahead of it.
const readSize = 256 << 10

// Reader searches what it reads with one buffer.
type Reader struct {
	patterns *Patterns
	buf      []byte
}

// NewReader returns a reader that looks for p.
func NewReader(p *Patterns) *Reader { return &Reader{p, make([]byte, p.longest+readSize)} }

// Search reads r to its end and calls found for every occurrence, also those
// that lie across two reads.
func (s *Reader) Search(r io.Reader, found func(Match)) error {
	start := int64(0) // of the buffer
	kept := 0         // bytes of it that were searched before
	for {
		n, err := io.ReadFull(r, s.buf[kept:kept+readSize])
		s.patterns.Find(s.buf[:kept+n], func(m Match) {
			if int(m.At)+m.size > kept { // else it was found before
				m.At += start
				found(m)
			}
		})
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return nil
		}
		if err != nil {
			return err
		}
		next := min(kept+n, s.patterns.longest-1)
		copy(s.buf, s.buf[kept+n-next:kept+n])
		start += int64(kept + n - next)
		kept = next
	}
}
