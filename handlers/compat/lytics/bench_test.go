package lytics_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/efface/efface/handlers"
	"github.com/efface/efface/store"
	"github.com/efface/efface/store/erasure"
	"github.com/efface/efface/store/storetest"
)

// BenchmarkStatus measures what a script polls, over HTTP, beside many
// requests: half of them in batches, half on their own.
func BenchmarkStatus(b *testing.B) {
	db, err := store.Open(b.Context(), store.Options{Dir: filepath.Join(b.TempDir(), "data")})
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	made := askedFor(b, db, storetest.Scale(b, 1_000_000))
	token, _, err := db.CreateKey(b.Context(), erasure.System, store.NewKey{Name: "bench", Scopes: []erasure.Scope{erasure.ScopeLytics}})
	if err != nil {
		b.Fatal(err)
	}
	s, err := handlers.New(db, handlers.Config{BaseURL: "http://localhost"})
	if err != nil {
		b.Fatal(err)
	}
	front := httptest.NewServer(s.Handler())
	defer front.Close()
	for name, paths := range map[string][]string{"request": made.requests, "batch": made.batches,
		"list": {"delete/status"}, "short-list": {"delete/status?limit=10"}, "overview": {"deletestatus/overview"}} {
		b.Run(name, func(b *testing.B) {
			var took []time.Duration
			for n := 0; b.Loop(); n++ {
				began := time.Now()
				if err := poll(b, front.URL+"/v2/identity/"+paths[n%len(paths)], token); err != nil {
					b.Fatal(err)
				}
				took = append(took, time.Since(began))
			}
			slices.Sort(took)
			b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "p99-ms")
		})
	}
}

func poll(b *testing.B, url, token string) error {
	r, err := http.NewRequestWithContext(b.Context(), http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	r.Header.Set("Authorization", token)
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, res.Body)
	if res.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s is answered with %s", url, res.Status)
	}
	return errors.Join(err, res.Body.Close())
}

// polled are paths of some of the requests and batches.
type polled struct{ requests, batches []string }

// askedFor queues n requests for people of whom nothing is known, which takes
// less time than to store them.
func askedFor(b *testing.B, db *store.DB, n int) (made polled) {
	b.Helper()
	const size = 10_000
	for from := 0; from < n/2; from += size {
		ask := erasure.NewBatch{Unknown: true, Origin: erasure.Lytics, Actor: erasure.System}
		for i := range size {
			ask.Asked = append(ask.Asked, storetest.Identifiers("user_id", fmt.Sprint("batch-", from+i))...)
		}
		batch, _, err := db.RequestBatch(b.Context(), ask)
		if err != nil {
			b.Fatal(err)
		}
		made.batches = append(made.batches, "delete/status/"+batch.ID.String())
	}
	const clients = 64
	var wait sync.WaitGroup
	last := make([]erasure.RequestID, clients)
	for c := range clients {
		wait.Go(func() {
			for i := c; i < n/2; i += clients {
				r, _, err := db.RequestErasure(b.Context(), erasure.NewRequest{Unknown: true, Origin: erasure.Lytics, Actor: erasure.System,
					Asked: storetest.Identifiers("user_id", fmt.Sprint("single-", i))[0]})
				if err != nil {
					b.Error(err)
					return
				}
				last[c] = r.ID
			}
		})
	}
	wait.Wait()
	for _, id := range last {
		made.requests = append(made.requests, "delete/status/"+id.String())
	}
	return made
}
