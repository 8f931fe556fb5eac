package handlers

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"

	"github.com/efface/efface/handlers/wire"
	"github.com/efface/efface/store"
	"github.com/efface/efface/store/erasure"
)

var checkMembers = erasure.Members{"identifiers": {"key": nil, "value": nil, "table": nil}}

// apiSuppression says of one identifier whether it may be collected.
type apiSuppression struct {
	Suppressed bool    `json:"suppressed"`
	Since      *string `json:"since"`
	ExpiresAt  *string `json:"expires_at"`
}

// checkSuppressions tells other systems what they may not collect either. A
// call is refused as a whole: one that was answered in part could be read as
// if the rest may be collected.
func (s *Server) checkSuppressions(w http.ResponseWriter, r *http.Request, key erasure.APIKey) error {
	var asked struct {
		Identifiers *[]apiIdentifier `json:"identifiers"`
	}
	if _, err := readJSON(w, r, &asked, checkMembers); err != nil {
		return err
	}
	if asked.Identifiers == nil {
		return erasure.Errorf(erasure.CodeInvalid, "Give identifiers as an array.").In("identifiers")
	}
	if len(*asked.Identifiers) > store.CheckAtOnce {
		return erasure.Errorf(erasure.CodeTooLarge, "Give 1,000 identifiers at most in one call.").In("identifiers")
	}
	ids, err := s.identifiersToCheck(r.Context(), *asked.Identifiers)
	if err != nil {
		return err
	}
	found, err := s.db.CheckSuppressions(r.Context(), wire.Actor(key), ids)
	if err != nil {
		return err
	}
	answer := struct {
		Results []apiSuppression `json:"results"`
	}{make([]apiSuppression, len(found))}
	for i, f := range found {
		if f != nil {
			answer.Results[i] = apiSuppression{true, wire.Time(f.Since), wire.Time(f.Until)}
		}
	}
	return writeJSON(w, http.StatusOK, answer)
}

// collectedKeys takes a key that nobody has, too: nothing of it is suppressed. A
// User ID is given by Efface, and never is.
func (a apiIdentifier) collectedKeys(_ context.Context, table erasure.Table) ([]string, error) {
	keys := slices.DeleteFunc(erasure.KeyNames(table), func(k string) bool { return k == erasure.KeyEffaceID })
	if a.Key != erasure.KeyEffaceID && erasure.CheckKeyName(a.Key) == nil {
		keys = append(keys, a.Key)
	}
	return keys, nil
}

func (s *Server) identifiersToCheck(ctx context.Context, asked []apiIdentifier) (ids []erasure.Identifier, err error) {
	region, err := s.db.Region(ctx)
	if err != nil {
		return nil, err
	}
	for i, a := range asked {
		id, err := a.identifier(ctx, a.collectedKeys)
		if err == nil {
			_, _, err = erasure.Normalise(id, region)
		}
		if e, ok := errors.AsType[*erasure.Error](err); ok {
			in := *e
			in.Sentence = fmt.Sprintf("Identifier %d: %s", i+1, e.Sentence)
			return nil, &in
		}
		if err != nil {
			return nil, err
		}
		ids = append(ids, id)
	}
	return ids, nil
}
