package handlers

import (
	"github.com/google/uuid"

	"github.com/efface/efface/handlers/wire"
	"github.com/efface/efface/store/erasure"
)

// deletion is a request as Efface's own API tells of it.
type deletion struct {
	ID           string         `json:"id"`
	EffaceID     *uuid.UUID     `json:"efface_id"`
	Table        *erasure.Table `json:"table"`
	State        erasure.State  `json:"state"`
	Origin       erasure.Origin `json:"origin"`
	RequestedBy  string         `json:"requested_by"`
	RequestedAt  *string        `json:"requested_at"`
	CancelBefore *string        `json:"cancel_before"`
	StartedAt    *string        `json:"started_at"`
	FinishedAt   *string        `json:"finished_at"`
	Identifiers  int            `json:"identifiers"`
	Records      int            `json:"records"`
	Attempts     int            `json:"attempts"`
	LastError    *string        `json:"last_error"`
	BatchID      *string        `json:"batch_id"`
	Suppress     *bool          `json:"suppress"`
	Reference    *string        `json:"reference"`
	CheckedAt    *string        `json:"checked_at"`
	ClearedAt    *string        `json:"cleared_at"`
	FromLog      bool           `json:"from_log"`
}

func deletionOf(r erasure.Request) deletion {
	d := deletion{
		ID: r.ID.String(), EffaceID: r.EffaceID, State: r.State, Origin: r.Origin,
		RequestedBy: r.RequestedBy, RequestedAt: wire.Time(r.RequestedAt), CancelBefore: wire.Time(r.CancelBefore),
		StartedAt: wire.Time(r.StartedAt), FinishedAt: wire.Time(r.FinishedAt),
		CheckedAt: wire.Time(r.CheckedAt), ClearedAt: wire.Time(r.ClearedAt),
		Identifiers: r.Identifiers, Records: r.Records, Attempts: r.Attempts, LastError: wire.OrNull(r.LastError),
		Reference: wire.OrNull(r.Reference), FromLog: r.FromLog,
	}
	if !r.FromLog || r.EffaceID != nil {
		d.Table = &r.Table
	}
	if !r.FromLog || r.Suppress {
		d.Suppress = &r.Suppress
	}
	if r.Batch != nil {
		d.BatchID = new(r.Batch.String())
	}
	return d
}
