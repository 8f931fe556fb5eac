package handlers

import (
	"net/http"
	"strconv"

	"github.com/efface/efface/store/erasure"
	"github.com/efface/efface/store/evidence"
	"github.com/efface/efface/views"
)

var errNoEntry = erasure.Errorf(erasure.CodeNotFound, "Check the number: there is no such entry in the deletion log.")

// pathEntry reads the number of an entry that the path names, and the entry's
// file.
func (s *Server) pathEntry(r *http.Request) (index int64, file []byte, err error) {
	typed := r.PathValue("index")
	if index, err = strconv.ParseInt(typed, 10, 64); err != nil || strconv.FormatInt(index, 10) != typed {
		return 0, nil, errNoEntry
	}
	file, err = s.db.Entry(r.Context(), index)
	if erasure.CodeOf(err) == erasure.CodeNotFound {
		return 0, nil, errNoEntry
	}
	return index, file, err
}

// showEntry shows what Activity says of an entry, and its place in the log as
// the entry's file proves it. Like Activity, it is no look at anybody.
func (s *Server) showEntry(w http.ResponseWriter, r *http.Request) error {
	index, file, err := s.pathEntry(r)
	if err != nil {
		return err
	}
	key := s.db.LogKey()
	v, err := evidence.ParseVerifier(key)
	if err != nil {
		return err
	}
	placed, err := evidence.VerifyEntry(file, v)
	if err != nil {
		return err
	}
	page := views.EntryPage{Leaf: placed.Leaf.String(), Size: placed.Size, Proof: placed.Proof, Checkpoint: placed.Signed, LogKey: key}
	if page.Activity, err = s.db.ActivityAt(r.Context(), index); err != nil {
		return err
	}
	return render(w, r, http.StatusOK, views.Entry(s.page(r), page))
}

// downloadEntry gives the entry with its proof and checkpoint.
func (s *Server) downloadEntry(w http.ResponseWriter, r *http.Request) error {
	index, file, err := s.pathEntry(r)
	if err != nil {
		return err
	}
	send(w, "application/json", views.EntryFile(index), file)
	return nil
}
