package evidence

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"

	"github.com/go-json-experiment/json"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// The exported log is a file of lines: each entry as it stands in the log or,
// where its content has gone after its retention, its index and hash; at the
// end the newest checkpoint.
type (
	droppedLine struct {
		Hash  string `json:"hash"`
		Index int64  `json:"index"`
	}
	checkpointLine struct {
		Checkpoint string `json:"checkpoint"`
	}
)

// maxLine bounds what a line of a log may have. An entry of an erasure names
// the keys destroyed, some 40 bytes for each.
const maxLine = 64 << 20

// DroppedLine is the line of an entry whose content has gone.
func DroppedLine(index int64, hash [32]byte) []byte {
	b, _ := json.Marshal(droppedLine{base64.StdEncoding.EncodeToString(hash[:]), index}) // cannot fail
	return append(b, '\n')
}

// CheckpointLine is the last line.
func CheckpointLine(signed string) []byte {
	b, _ := json.Marshal(checkpointLine{signed})
	return append(b, '\n')
}

// LogSummary is what a verified log holds.
type LogSummary struct {
	Checkpoint
	Dropped int64 // entries of which only the hash is left
}

// VerifyLog reads an exported log to its end and checks that its lines, in
// their order, are the log that its checkpoint signs.
func VerifyLog(file io.Reader, v note.Verifier) (s LogSummary, err error) {
	lines := bufio.NewReaderSize(file, 1<<20)
	var tree Frontier
	for {
		line, err := readLine(lines)
		if err != nil {
			return s, fmt.Errorf("after %d entries: %w", tree.size, err)
		}
		if bytes.HasPrefix(line, []byte(`{"checkpoint":`)) {
			return s.end(line, lines, &tree, v)
		}
		hash, dropped, err := LineHash(line, tree.size)
		if err != nil {
			return s, fmt.Errorf("entry %d: %w", tree.size, err)
		}
		if dropped {
			s.Dropped++
		}
		tree.Add(hash)
	}
}

func readLine(r *bufio.Reader) ([]byte, error) {
	line, err := r.ReadSlice('\n')
	if errors.Is(err, bufio.ErrBufferFull) {
		line = bytes.Clone(line)
		for errors.Is(err, bufio.ErrBufferFull) && len(line) < maxLine {
			var more []byte
			more, err = r.ReadSlice('\n')
			line = append(line, more...)
		}
	}
	switch {
	case errors.Is(err, io.EOF) && len(line) > 0:
		return nil, errors.New("the line is cut off")
	case errors.Is(err, io.EOF):
		return nil, errors.New("the file ends without a checkpoint")
	case errors.Is(err, bufio.ErrBufferFull):
		return nil, fmt.Errorf("the line has more than %d MB", maxLine>>20)
	case err != nil:
		return nil, err
	}
	return line[:len(line)-1], nil
}

// Dropped reports whether a line is that of an entry whose content has gone.
func Dropped(line []byte) bool { return bytes.HasPrefix(line, []byte(`{"hash":`)) }

// LineHash gives the leaf hash of a line's entry, which must have an index.
func LineHash(line []byte, index int64) (hash tlog.Hash, dropped bool, err error) {
	e, hash, dropped, err := readLeaf(line)
	if err == nil && e.Index != index {
		err = fmt.Errorf("entry %d stands in its place", e.Index)
	}
	return hash, dropped, err
}

// readLeaf reads a line's entry, of which nothing but its index is known where
// its content has gone.
func readLeaf(line []byte) (e entry, hash tlog.Hash, dropped bool, err error) {
	if Dropped(line) {
		var d droppedLine
		if err := readCanonical(line, &d); err != nil {
			return e, hash, true, err
		}
		hash, err = readHash(d.Hash)
		if err == nil && !bytes.Equal(DroppedLine(d.Index, hash), append(bytes.Clone(line), '\n')) {
			err = errForm // a member is missing
		}
		return entry{Index: d.Index}, hash, true, err
	}
	e, err = readEntry(line)
	return e, tlog.RecordHash(line), false, err
}

// end checks the last line against what was read.
func (s LogSummary) end(line []byte, rest *bufio.Reader, tree *Frontier, v note.Verifier) (LogSummary, error) {
	var l checkpointLine
	if err := readCanonical(line, &l); err != nil {
		return s, fmt.Errorf("the last line: %w", err)
	}
	var err error
	if s.Checkpoint, err = OpenCheckpoint(l.Checkpoint, v); err != nil {
		return s, err
	}
	if _, err := rest.ReadByte(); !errors.Is(err, io.EOF) {
		return s, errors.New("lines follow the checkpoint")
	}
	if s.Size != tree.size {
		return s, fmt.Errorf("the checkpoint signs %d entries, and the file has %d", s.Size, tree.size)
	}
	if s.Root != tree.Root() {
		return s, errors.New("the entries are not those that the checkpoint signs")
	}
	return s, nil
}
