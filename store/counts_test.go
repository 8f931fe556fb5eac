package store_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/efface/efface/store"
	"github.com/efface/efface/store/erasure"
	"github.com/efface/efface/store/ingest"
	"github.com/efface/efface/store/storetest"
)

// A request is counted where it stands, whatever it has been through.
func TestRequestsAreCountedWhereTheyStand(t *testing.T) {
	for seed := range uint64(3) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			h := newWander(t, seed)
			for range storetest.Scale(t, 40) {
				h.walk(50)
				h.check()
			}
			for _, s := range erasure.States {
				if !h.been[s] {
					t.Errorf("no request has ever been %s: that is no history", s)
				}
			}
		})
	}
}

// A store that kept no counts begins with those of its rows.
func TestAnOlderStoreIsCounted(t *testing.T) {
	h := newWander(t, 9)
	h.walk(300)
	script, err := os.ReadFile("migrations/0008_counts.sql")
	must(t, err)
	raw := storetest.Raw(t, h.dir)
	must(t, second(raw.Exec(`DROP TABLE request_counts; DROP TABLE batch_counts`)))
	must(t, second(raw.Exec(string(script))))
	h.check()
	h.walk(100)
	h.check()
}

func TestASweepTellsOfWrongCounts(t *testing.T) {
	var log bytes.Buffer
	dir := t.TempDir()
	db := storetest.Open(t, storetest.InDir(dir), func(o *store.Options) { o.Logger = slog.New(slog.NewTextHandler(&log, nil)) })
	storetest.Identify(t, db, "shop", "user_id", "u1")
	storetest.Requested(t, db, "user_id", "u1")
	sweep(t, db)
	if strings.Contains(log.String(), "counted wrongly") {
		t.Errorf("the log tells of a right count: %s", &log)
	}
	must(t, second(storetest.Raw(t, dir).Exec(`UPDATE request_counts SET requests = 3`)))
	sweep(t, db)
	if !strings.Contains(log.String(), "counted wrongly") || !strings.Contains(log.String(), "missing=-2") {
		t.Errorf("the log says nothing of a wrong count: %s", &log)
	}
}

// wander does at random whatever moves a request.
type wander struct {
	onDisk
	t       *testing.T
	random  *rand.Rand
	made    []erasure.RequestID
	batches []erasure.BatchID
	been    map[erasure.State]bool
}

func newWander(t *testing.T, seed uint64) *wander {
	return &wander{onDisk: openOnDisk(t), t: t, random: rand.New(rand.NewPCG(seed, 8)), been: map[erasure.State]bool{}}
}

func (h *wander) walk(steps int) {
	h.t.Helper()
	for range steps {
		step := []func() error{h.tell, h.tell, h.tellGroup, h.ask, h.ask, h.ask, h.askMany, h.cancel, h.cancelBatch, h.claim, h.destroy, h.delete, h.fail}[h.random.IntN(13)]
		if err := step(); err != nil && erasure.CodeOf(err) == "" {
			h.t.Fatal(err)
		}
		h.clock.Advance(time.Duration(h.random.IntN(4)) * time.Hour)
		in, _, err := h.RequestCounts(h.t.Context())
		must(h.t, err)
		for s, n := range in {
			h.been[s] = h.been[s] || n > 0
		}
	}
}

func (h *wander) user() []string {
	return []string{"user_id", fmt.Sprint("u", h.random.IntN(12))}
}

func (h *wander) email() []string {
	return []string{"email", fmt.Sprintf("m%d@example.com", h.random.IntN(8))}
}

func (h *wander) either() erasure.Identifier {
	if h.random.IntN(5) == 0 {
		return erasure.Identifier{Table: erasure.Group, Key: erasure.KeyGroupID, Value: fmt.Sprint("g", h.random.IntN(3))}
	}
	if h.random.IntN(2) == 0 {
		return storetest.Identifiers(h.user()...)[0]
	}
	return storetest.Identifiers(h.email()...)[0]
}

func (h *wander) tell() error {
	storetest.Identify(h.t, h.DB, "shop", append(h.user(), h.email()...)...)
	return nil
}

func (h *wander) tellGroup() error {
	group := erasure.Identifier{Table: erasure.Group, Key: erasure.KeyGroupID, Value: fmt.Sprint("g", h.random.IntN(3))}
	storetest.Tell(h.t, h.DB, ingest.Call{Kind: ingest.Identify, Table: erasure.Group, Source: "crm", Identifiers: []erasure.Identifier{group}})
	return nil
}

func (h *wander) ask() error {
	r, _, err := h.RequestErasure(h.t.Context(), erasure.NewRequest{Asked: h.either(), Unknown: h.random.IntN(2) == 0, Origin: erasure.API, Actor: erasure.System})
	if err == nil {
		h.made = append(h.made, r.ID)
	}
	return err
}

func (h *wander) askMany() error {
	n := erasure.NewBatch{Unknown: h.random.IntN(2) == 0, EveryMatch: h.random.IntN(2) == 0, Origin: erasure.API, Actor: erasure.System}
	for range 1 + h.random.IntN(4) {
		n.Asked = append(n.Asked, h.either())
	}
	b, results, err := h.RequestBatch(h.t.Context(), n)
	if err == nil {
		h.batches = append(h.batches, b.ID)
	}
	for _, r := range results {
		h.made = append(h.made, r.Requests...)
	}
	return err
}

func (h *wander) cancel() error {
	if len(h.made) == 0 {
		return nil
	}
	_, err := h.Cancel(h.t.Context(), h.made[h.random.IntN(len(h.made))], erasure.System, erasure.API)
	return err
}

func (h *wander) cancelBatch() error {
	if len(h.batches) == 0 {
		return nil
	}
	_, err := h.CancelBatch(h.t.Context(), h.batches[h.random.IntN(len(h.batches))], erasure.System, erasure.API)
	return err
}

func (h *wander) claim() error {
	_, err := h.ClaimDue(h.t.Context(), 1+h.random.IntN(3))
	return err
}

func (h *wander) destroy() error {
	_, _, err := h.DestroyKeys(h.t.Context(), 1+h.random.IntN(3))
	return err
}

func (h *wander) delete() error {
	_, _, err := h.DeleteRows(h.t.Context(), store.OneRequest)
	return err
}

// fail also lets enough tries fail that it shows, of either step.
func (h *wander) fail() error {
	step := []store.Step{store.Destroying, store.Deleting}[h.random.IntN(2)]
	for range []int{1, store.FailedTries}[h.random.IntN(2)] {
		if noted, err := h.NoteFailure(h.t.Context(), step, "It failed."); err != nil || !noted {
			return err
		}
		h.clock.Advance(10 * time.Minute)
	}
	return nil
}

// check compares what the store tells with what its rows come to.
func (h *wander) check() {
	h.t.Helper()
	storetest.CheckLog(h.t, h.dir)
	raw := storetest.Raw(h.t, h.dir)
	defer raw.Close()
	count := func(where string, args ...any) (n int) {
		must(h.t, raw.QueryRow(`SELECT COUNT(*) FROM requests WHERE `+where, args...).Scan(&n))
		return n
	}
	in, destroyed, err := h.RequestCounts(h.t.Context())
	must(h.t, err)
	if want := count(`state = 'in_progress' AND keys_destroyed_at > 0`); destroyed != want {
		h.t.Errorf("of %d requests the keys are gone, not of %d", want, destroyed)
	}
	for _, s := range erasure.States {
		if want := count(`state = $1`, string(s)); in[s] != want {
			h.t.Errorf("%d requests are %s, not %d", want, s, in[s])
		}
		for _, table := range []erasure.Table{erasure.User, erasure.Group} {
			_, total, err := h.RequestPage(h.t.Context(), erasure.System, store.RequestPage{Table: table, States: []erasure.State{s}, Key: "email", Number: 1, Size: 1})
			if want := count(`state = $1 AND table_ = $2`, string(s), string(table)); err != nil || total != want {
				h.t.Errorf("%d requests of the table %s are %s, not %d, %v", want, table, s, total, err)
			}
		}
	}
	for _, id := range h.batches {
		b, err := h.Batch(h.t.Context(), id)
		if want := count(`batch = $1`, id[:]); err != nil || b.Queued() != want {
			h.t.Errorf("the batch %s has %d requests, not %d, %v", id, want, b.Queued(), err)
		}
	}
}
