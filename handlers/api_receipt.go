package handlers

import (
	"net/http"

	"github.com/efface/efface/store"
	"github.com/efface/efface/store/erasure"
)

// readReceipt gives a completed erasure's receipt, byte for byte as it is signed.
func (s *Server) readReceipt(w http.ResponseWriter, r *http.Request, _ erasure.APIKey) error {
	id, ok := erasure.ParseRequestID(r.PathValue("id"))
	if !ok {
		return store.ErrNoRequest
	}
	_, file, err := s.db.Receipt(r.Context(), id)
	if err != nil {
		return err
	}
	sendReceipt(w, id, file)
	return nil
}
