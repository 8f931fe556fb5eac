package store

import (
	"bytes"
	"context"

	"github.com/efface/efface/store/erasure"
	"github.com/efface/efface/store/evidence"
)

// linesPerRead is how many entries one read of an export takes.
const linesPerRead = 500

const logLinesQuery = `SELECT h.idx, h.hash, e.entry FROM log_hashes h LEFT JOIN log_entries e ON e.idx = h.idx
	WHERE h.idx >= $1 AND h.idx < $2 ORDER BY h.idx LIMIT $3`

// ExportLog writes the whole log as lines of JSON, and its newest checkpoint
// as the last one: what [evidence.VerifyLog] verifies. That it was taken away
// is logged first. write is told how many entries there are in all; it is called
// between reads and never within one.
func (db *DB) ExportLog(ctx context.Context, actor erasure.Actor, write func(size int64, lines []byte) error) error {
	if err := db.LogExport(ctx, actor); err != nil {
		return err
	}
	c, err := db.checkpointOf(ctx, 0)
	if err != nil {
		return err
	}
	for from := int64(0); from < c.size; from += linesPerRead {
		lines, err := db.logLines(ctx, from, c.size)
		if err != nil {
			return err
		}
		if err := write(c.size, lines); err != nil {
			return err
		}
	}
	return write(c.size, evidence.CheckpointLine(c.signed))
}

func (db *DB) logLines(ctx context.Context, from, size int64) ([]byte, error) {
	rows, err := db.reads.QueryContext(ctx, logLinesQuery, from, size, linesPerRead)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	err = eachRow(rows, func(scan func(...any) error) error {
		var index int64
		var hash [32]byte
		var entry []byte
		if err := scan(&index, scan32(&hash), &entry); err != nil {
			return err
		}
		if entry == nil {
			out.Write(evidence.DroppedLine(index, hash))
			return nil
		}
		out.Write(entry)
		return out.WriteByte('\n')
	})
	return out.Bytes(), err
}
