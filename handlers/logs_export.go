package handlers

import (
	"errors"
	"net/http"
)

// exportLog streams the whole deletion log with its newest checkpoint, as
// `efface log export` writes it.
func (s *Server) exportLog(w http.ResponseWriter, r *http.Request) error {
	begun := false
	err := s.db.ExportLog(r.Context(), actor(r), func(lines []byte) error {
		if !begun {
			w.Header().Set("Content-Type", "application/jsonl; charset=utf-8")
			w.Header().Set("Content-Disposition", `attachment; filename="efface-log.jsonl"`)
			begun = true
		}
		return errors.Join(moveDeadlines(w), written(w, lines))
	})
	if err != nil && begun {
		return breakOff(r, err)
	}
	return err
}
