package handlers

import (
	"net/http"
	"time"

	"github.com/efface/efface/store/erasure"
	"github.com/efface/efface/views"
)

// showReceipt shows a completed erasure's receipt, to be printed on one sheet.
func (s *Server) showReceipt(w http.ResponseWriter, r *http.Request) error {
	request, err := s.pathRequest(r)
	if err != nil {
		return err
	}
	receipt, _, err := s.db.Receipt(r.Context(), request.ID)
	if err != nil {
		return err
	}
	page := views.ReceiptPage{
		Request: request, RequestedBy: receipt.Request.RequestedBy, Keys: receipt.Counts.Keys,
		Method: receipt.Method, Program: receipt.Program, Checkpoint: receipt.Checkpoint, LogKey: s.db.LogKey(),
	}
	if page.Entry, err = receipt.EntryIndex(); err != nil {
		return err
	}
	if page.CopiesUntil, err = time.Parse(time.RFC3339, receipt.CopiesUntil); err != nil {
		return err
	}
	return render(w, r, http.StatusOK, views.Receipt(s.page(r), page))
}

// downloadReceipt gives the receipt byte for byte as it is signed.
func (s *Server) downloadReceipt(w http.ResponseWriter, r *http.Request) error {
	request, err := s.pathRequest(r)
	if err != nil {
		return err
	}
	_, file, err := s.db.Receipt(r.Context(), request.ID)
	if err != nil {
		return err
	}
	sendReceipt(w, request.ID, file)
	return nil
}

func sendReceipt(w http.ResponseWriter, id erasure.RequestID, file []byte) {
	send(w, "application/json", "receipt-"+id.String()+".json", file)
}
