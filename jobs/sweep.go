package jobs

import (
	"context"
	"log/slog"
	"time"

	"github.com/efface/efface/store"
)

// How often the sweeper looks. That a day has passed is noted in the store, so
// restarts neither hasten nor delay a sweep.
const (
	noteEvery  = time.Minute
	lookEvery  = time.Hour
	busyWait   = time.Second
	readerWait = time.Minute // each try holds the writers up
)

// Sweeper takes what time has made useless: once a day keys that nothing
// names, what is past its retention, and traces of what was deleted; every hour
// what has expired.
type Sweeper struct {
	db      *store.DB
	options store.SweepOptions
	log     *slog.Logger
}

// NewSweeper makes a sweeper; Run starts it.
func NewSweeper(db *store.DB, o store.SweepOptions, log *slog.Logger) *Sweeper {
	return &Sweeper{db: db, options: o, log: log}
}

// Run works until ctx ends. What was gathered in memory is then written.
func (s *Sweeper) Run(ctx context.Context) {
	note := time.NewTicker(noteEvery)
	defer note.Stop()
	look := time.NewTimer(0)
	defer look.Stop()
	for {
		select {
		case <-ctx.Done():
			s.note(context.WithoutCancel(ctx))
			return
		case <-note.C:
			s.note(ctx)
		case <-look.C:
			look.Reset(s.look(ctx))
		}
	}
}

func (s *Sweeper) note(ctx context.Context) {
	if err := s.db.FlushKeyUse(ctx); err != nil {
		s.log.Error("the use of API keys was not noted", "error", err)
	}
}

// look sweeps if it is time, and returns when to look again.
func (s *Sweeper) look(ctx context.Context) time.Duration {
	swept, err := s.Sweep(ctx)
	switch {
	case ctx.Err() != nil:
	case err != nil:
		s.log.Error("the sweep is not done and is tried again", "error", err)
	case swept.Busy: // a reader of the keyring, which keeps nobody from the other file
		return min(busyWait, s.scrub(ctx))
	}
	return s.scrub(ctx)
}

// scrub scrubs if it is time, and returns when to look again.
func (s *Sweeper) scrub(ctx context.Context) time.Duration {
	scrubbed, err := s.Scrub(ctx)
	switch {
	case ctx.Err() != nil:
	case err != nil:
		s.log.Error("the scrub is not done and is tried again", "error", err)
	case scrubbed.Busy:
		return readerWait
	}
	return lookEvery
}

// Scrub clears traces of what was deleted where that was last done nearly a day
// ago.
func (s *Sweeper) Scrub(ctx context.Context) (store.Scrubbed, error) {
	due, err := s.db.ScrubDue(ctx)
	if err != nil || !due {
		return store.Scrubbed{}, err
	}
	scrubbed, err := s.db.Scrub(ctx)
	if err == nil && !scrubbed.Busy {
		s.log.Info("scrubbed", "pages", scrubbed.Pages, "vacuumed", scrubbed.Vacuumed)
	}
	return scrubbed, err
}

// Sweep deletes what has expired and, where a day has passed since it was last
// done, does the daily sweep. Between sweeps it compares the witness where that
// can't wait for the next one.
func (s *Sweeper) Sweep(ctx context.Context) (store.Swept, error) {
	if err := s.db.ForgetExpired(ctx); err != nil {
		return store.Swept{}, err
	}
	due, err := s.db.SweepDue(ctx)
	if err != nil {
		return store.Swept{}, err
	}
	if !due {
		return store.Swept{}, s.compare(ctx)
	}
	swept, err := s.db.Sweep(ctx, s.options)
	if err == nil && !swept.Busy {
		s.log.Info("swept", "keys", swept.Keys, "cancelled_requests", swept.Requests,
			"log_entries", swept.Entries, "expired", swept.Expired)
	}
	return swept, err
}

func (s *Sweeper) compare(ctx context.Context) error {
	if !s.db.CompareDue() {
		return nil
	}
	return s.db.CompareWitness(ctx)
}
