package handlers

import (
	"io"
	"net/http"
	"strconv"

	"github.com/efface/efface/store/erasure"
)

var errCheckpointSize = erasure.Errorf(erasure.CodeInvalid, "The size of a checkpoint is a number of log entries, 1 or more.")

// downloadCheckpoint gives the newest checkpoint, or the one of so many entries
// that the answer of /logs.csv names.
func (s *Server) downloadCheckpoint(w http.ResponseWriter, r *http.Request) error {
	size := int64(0)
	if typed := r.URL.Query().Get("size"); typed != "" {
		var err error
		if size, err = strconv.ParseInt(typed, 10, 64); err != nil || size < 1 {
			return errCheckpointSize
		}
	}
	signed, err := s.db.CheckpointAt(r.Context(), size)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Content-Disposition", `attachment; filename="efface-log.checkpoint"`)
	_, err = io.WriteString(w, signed)
	return err
}
