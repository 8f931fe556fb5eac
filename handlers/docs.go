package handlers

import (
	"net/http"

	"github.com/efface/efface/docs"
)

// downloadVerifier gives the program that checks evidence without Efface.
func (s *Server) downloadVerifier(w http.ResponseWriter, _ *http.Request) error {
	send(w, "text/x-python; charset=utf-8", "verify.py", docs.Verifier)
	return nil
}

// showEvidence shows the page on the format of all evidence, as plain text.
func (s *Server) showEvidence(w http.ResponseWriter, _ *http.Request) error {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = w.Write(docs.Evidence) // a failed write means that the client went away, and the error names its address
	return nil
}
