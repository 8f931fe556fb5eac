package handlers

import (
	"context"
	"net/http"
	"slices"

	"github.com/efface/efface/handlers/wire"
	"github.com/efface/efface/store"
	"github.com/efface/efface/store/erasure"
)

// apiIdentifier is an identifier as a body of Efface's own API gives it.
type apiIdentifier struct {
	Key    string `json:"key"`
	Value  string `json:"value"`
	Table  string `json:"table"`
	Region string `json:"region"`
}

// keyNames lists the keys that a table's identifiers may have.
type keyNames func(context.Context, erasure.Table) ([]string, error)

// identifier checks what a body names. A key that nobody has is refused and
// not searched: "e-mail" would find nobody, which reads as if all was done.
func (a apiIdentifier) identifier(ctx context.Context, names keyNames) (id erasure.Identifier, err error) {
	switch {
	case a.Key == "":
		return id, erasure.Errorf(erasure.CodeInvalid, "Give key, such as email.").In("key")
	case a.Value == "":
		return id, erasure.Errorf(erasure.CodeInvalid, "Give value.").In("value")
	}
	table, err := erasure.ParseTable(a.Table)
	if err != nil {
		return id, err
	}
	keys, err := names(ctx, table)
	if err != nil {
		return id, err
	}
	if !slices.Contains(keys, a.Key) {
		return id, erasure.Errorf(erasure.CodeInvalid, "Give key as %s.", anyOf(keys)).In("key")
	}
	if err := erasure.CheckRegion(a.Region); err != nil {
		return id, err
	}
	return erasure.Identifier{Table: table, Key: a.Key, Value: a.Value, Region: a.Region}, nil
}

// newDeletion is what a body asks for.
type newDeletion struct {
	apiIdentifier
	Reason    string `json:"reason"`
	Reference string `json:"reference"`
	Suppress  *bool  `json:"suppress"` // nil is the server's default
}

func (s *Server) suppresses(n newDeletion) bool {
	if n.Suppress == nil {
		return s.config.Suppress
	}
	return *n.Suppress
}

var deletionMembers = erasure.Members{
	"key": nil, "value": nil, "table": nil, "region": nil, "reason": nil, "reference": nil, "suppress": nil,
}

// createDeletion asks for one profile's erasure.
func (s *Server) createDeletion(w http.ResponseWriter, r *http.Request, key erasure.APIKey) error {
	var asked newDeletion
	body, err := readJSON(w, r, &asked, deletionMembers)
	if err != nil {
		return err
	}
	id, err := asked.identifier(r.Context(), s.db.KeyNames)
	if err != nil {
		return err
	}
	mark, err := once(r, body)
	if err != nil {
		return err
	}
	made, created, err := s.db.RequestErasureOnce(r.Context(), erasure.NewRequest{
		Asked: id, Origin: erasure.API, Actor: wire.Actor(key),
		Reason: asked.Reason, Reference: asked.Reference, Suppress: s.suppresses(asked),
	}, mark)
	if err != nil {
		return err
	}
	if created {
		s.wakeForNew()
	}
	w.Header().Set("Location", "/api/v1/deletions/"+made.ID.String())
	return writeJSON(w, http.StatusAccepted, deletionOf(made))
}

func (s *Server) readDeletion(w http.ResponseWriter, r *http.Request, _ erasure.APIKey) error {
	id, ok := erasure.ParseRequestID(r.PathValue("id"))
	if !ok {
		return store.ErrNoRequest
	}
	found, err := s.db.Request(r.Context(), id)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, deletionOf(found))
}

func (s *Server) cancelDeletion(w http.ResponseWriter, r *http.Request, key erasure.APIKey) error {
	body, err := readNothing(w, r)
	if err != nil {
		return err
	}
	id, ok := erasure.ParseRequestID(r.PathValue("id"))
	if !ok {
		return store.ErrNoRequest
	}
	mark, err := once(r, body)
	if err != nil {
		return err
	}
	cancelled, err := s.db.CancelOnce(r.Context(), id, wire.Actor(key), erasure.API, mark)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, deletionOf(cancelled))
}
