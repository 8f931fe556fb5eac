package evidence

import (
	"fmt"

	"github.com/google/uuid"

	"github.com/efface/efface/store/erasure"
)

// entry is a log entry as it is read; [erasure.Entry] says what its members
// are.
type entry struct {
	Actor     string             `json:"actor"`
	Batch     string             `json:"batch"`
	Counts    *erasure.Counts    `json:"counts"`
	From      string             `json:"from"`
	Index     int64              `json:"index"`
	Keys      []string           `json:"keys"`
	Kind      erasure.Kind       `json:"kind"`
	Nonce     string             `json:"nonce"`
	Origin    erasure.Origin     `json:"origin"`
	Profiles  []uuid.UUID        `json:"profiles"`
	Reason    erasure.LiftReason `json:"reason"`
	Reference string             `json:"reference"`
	Request   string             `json:"request"`
	Subject   string             `json:"subject"`
	Target    *uuid.UUID         `json:"target"`
	Time      string             `json:"time"`
	To        string             `json:"to"`
	Version   int                `json:"v"`
}

func readEntry(b []byte) (e entry, err error) {
	if err := readCanonical(b, &e); err != nil {
		return e, fmt.Errorf("the log entry: %w", err)
	}
	if e.Version != erasure.EntryVersion {
		return e, fmt.Errorf("the log entry is of version %d; use a newer program", e.Version)
	}
	return e, nil
}
