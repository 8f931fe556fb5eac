package handlers

import (
	"net/http"
	"strconv"

	"github.com/efface/efface/store/erasure"
)

var errCheckpointSize = erasure.Errorf(erasure.CodeInvalid, "The size of a checkpoint is a number of log entries, 1 or more.")

// downloadCheckpoint signs how the log stands, or gives the checkpoint of so many
// entries that the answer of /logs.csv names.
func (s *Server) downloadCheckpoint(w http.ResponseWriter, r *http.Request) error {
	size := int64(0)
	if typed := r.URL.Query().Get("size"); typed != "" {
		var err error
		if size, err = strconv.ParseInt(typed, 10, 64); err != nil || size < 1 {
			return errCheckpointSize
		}
	} else if _, err := s.db.Checkpoint(r.Context()); err != nil {
		return err
	}
	signed, err := s.db.CheckpointAt(r.Context(), size)
	if err != nil {
		return err
	}
	send(w, "text/plain; charset=utf-8", "efface-log.checkpoint", []byte(signed))
	return nil
}
