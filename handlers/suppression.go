package handlers

import (
	"context"
	"slices"

	"github.com/efface/efface/store/erasure"
)

// collectedKeys lists the keys of identifiers that sources give. A User ID is
// given by Efface, and is never suppressed.
func (s *Server) collectedKeys(ctx context.Context, table erasure.Table) ([]string, error) {
	keys, err := s.db.KeyNames(ctx, table)
	return slices.DeleteFunc(keys, func(k string) bool { return k == erasure.KeyEffaceID }), err
}
