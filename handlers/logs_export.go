package handlers

import (
	"errors"
	"fmt"
	"net/http"
	"time"
)

// exportLog streams the whole deletion log with its newest checkpoint, as
// `efface log export` writes it.
func (s *Server) exportLog(w http.ResponseWriter, r *http.Request) error {
	begun, broken := false, false
	err := s.db.ExportLog(r.Context(), actor(r), func(size int64, lines []byte) error {
		if !begun {
			today := s.db.Options().Clock.Now().Wall.In(s.config.Location).Format(time.DateOnly)
			w.Header().Set("Content-Type", "application/jsonl; charset=utf-8")
			w.Header().Set("Content-Disposition", fmt.Sprintf(`attachment; filename="efface-log-%d-%s.jsonl"`, size, today))
			begun = true
		}
		err := errors.Join(moveDeadlines(w), written(w, lines))
		broken = err != nil
		return err
	})
	switch {
	case broken:
		return breakOff(r, nil) // the client went away or stalled, and the error names its address
	case err != nil && begun:
		return breakOff(r, err)
	}
	return err
}
