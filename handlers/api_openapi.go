package handlers

import (
	_ "embed"
	"net/http"
)

// openAPI describes Efface's own API and CustomerLabs' routes.
//
//go:embed openapi.json
var openAPI []byte

// showOpenAPI is open to everyone, for it says nothing of this store.
func (s *Server) showOpenAPI(w http.ResponseWriter, _ *http.Request) error {
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(openAPI) // a failed write means that the client went away
	return nil
}
