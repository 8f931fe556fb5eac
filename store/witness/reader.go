package witness

import (
	"bufio"
	"errors"
	"io"
)

// lineReader reads whole lines.
type lineReader struct {
	r    *bufio.Reader
	long []byte
}

// maxLine bounds a line: an entry of an erasure names the keys destroyed, some
// 40 bytes for each.
const maxLine = 64 << 20

var errLong = errors.New("the line is too long")

func newLineReader(r io.Reader, buffer int) *lineReader {
	return &lineReader{r: bufio.NewReaderSize(r, buffer)}
}

// next returns the next line without its end; io.EOF at the end, also within a
// half line. The line is good until the next call.
func (r *lineReader) next() ([]byte, error) {
	r.long = r.long[:0]
	for {
		part, err := r.r.ReadSlice('\n')
		if err == nil && len(r.long) == 0 {
			return part[:len(part)-1], nil
		}
		r.long = append(r.long, part...)
		switch {
		case err == nil:
			return r.long[:len(r.long)-1], nil
		case !errors.Is(err, bufio.ErrBufferFull):
			return nil, err
		case len(r.long) > maxLine:
			return nil, errLong
		}
	}
}
