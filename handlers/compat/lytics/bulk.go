package lytics

import (
	"context"
	"net/http"
	"slices"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/efface/efface/handlers/wire"
	"github.com/efface/efface/store"
	"github.com/efface/efface/store/erasure"
)

// bulk is what asks for many, in one of two forms.
type bulk struct {
	Table      *string          `json:"table"`
	Field      *string          `json:"field"`
	Values     []jsontext.Value `json:"values"`
	Identities []identity       `json:"identities"`
}

type identity struct {
	Table string  `json:"table"`
	Field string  `json:"field"`
	Value *string `json:"value"`
}

var batchContract = erasure.JSONContract{Members: erasure.Members{"table": nil, "field": nil, "values": nil,
	"identities": {"table": nil, "field": nil, "value": nil}}}

// RequestBatch asks for everyone that several identifiers lead to.
func (h *Handler) RequestBatch(w http.ResponseWriter, r *http.Request) error {
	c, err := h.enter(r)
	if err != nil {
		return err
	}
	defer c.leave()
	var b bulk
	if err := read(w, r, &b, batchContract); err != nil {
		return err
	}
	asked, err := b.identifiers()
	if err != nil {
		return err
	}
	made, _, err := h.requestBatch(r.Context(), once(asked), c.actor)
	if err != nil {
		return err
	}
	return write(w, http.StatusAccepted, answer[status]{Data: statusOf(erasure.Submission{Batch: &made}), Status: http.StatusAccepted, Message: success})
}

// once leaves out what is asked for again: as two values that lead nowhere it
// would count as two profiles that are never deleted.
func once(asked []erasure.Identifier) []erasure.Identifier {
	seen := map[erasure.Identifier]bool{}
	return slices.DeleteFunc(asked, func(id erasure.Identifier) bool {
		again := seen[id]
		seen[id] = true
		return again
	})
}

func (h *Handler) requestBatch(ctx context.Context, asked []erasure.Identifier, actor erasure.Actor) (erasure.Batch, []erasure.BatchResult, error) {
	made, results, err := h.db.RequestBatch(ctx, erasure.NewBatch{Asked: asked, EveryMatch: true, Origin: erasure.Lytics, Actor: actor})
	if made.Queued() > 0 {
		h.wake()
	}
	return made, results, err
}

func read(w http.ResponseWriter, r *http.Request, into any, contract erasure.JSONContract) error {
	body, err := wire.ReadBody(w, r, wire.BodyLimit)
	if err != nil {
		return err
	}
	if err := wire.Decode(body, into, contract); err != nil {
		if (erasure.JSONContract{}).Check(body) != nil {
			return notJSON{err}
		}
		return err
	}
	return nil
}

// identifiers reads whom a body of either form is about.
func (b bulk) identifiers() (ids []erasure.Identifier, err error) {
	if b.Identities != nil {
		return b.eachIdentity()
	}
	switch {
	case b.Table == nil, b.Field == nil, b.Values == nil:
		return nil, erasure.Errorf(erasure.CodeInvalid, "Give table, field and values, or identities.")
	case len(b.Values) == 0, len(b.Values) > store.BatchLimit:
		return nil, errCount
	}
	for _, v := range b.Values {
		text, ok := asString(v)
		if !ok {
			return nil, erasure.Errorf(erasure.CodeInvalid, "Give values as an array of strings.")
		}
		id, err := identifier(*b.Table, *b.Field, text)
		if err != nil {
			return nil, err
		}
		ids = append(ids, id)
	}
	return ids, nil
}

func (b bulk) eachIdentity() (ids []erasure.Identifier, err error) {
	switch {
	case b.Table != nil, b.Field != nil, b.Values != nil:
		return nil, erasure.Errorf(erasure.CodeInvalid, "Give identities alone, or table, field and values.")
	case len(b.Identities) == 0, len(b.Identities) > store.BatchLimit:
		return nil, errCount
	}
	for _, one := range b.Identities {
		if one.Field == "" || one.Value == nil {
			return nil, erasure.Errorf(erasure.CodeInvalid, "Give each of identities table, field and value.")
		}
		id, err := identifier(one.Table, one.Field, *one.Value)
		if err != nil {
			return nil, err
		}
		ids = append(ids, id)
	}
	return ids, nil
}

var errCount = erasure.Errorf(erasure.CodeInvalid, "Give 1 to 10,000 values in a call.")

func asString(v jsontext.Value) (string, bool) {
	if v.Kind() != '"' {
		return "", false
	}
	text, err := jsontext.AppendUnquote(nil, v)
	return string(text), err == nil
}
