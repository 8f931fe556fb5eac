package handlers

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/efface/efface/store"
	"github.com/efface/efface/store/erasure"
	"github.com/efface/efface/store/storetest"
)

// BenchmarkBulk measures one call for many known people, spread over a store of
// ten times as many, until all of it is durable, and how long a Find takes
// before and beside it. Each iteration asks for others.
func BenchmarkBulk(b *testing.B) {
	n, people := storetest.Scale(b, 100_000), storetest.Scale(b, 1_000_000)
	db, err := store.Open(b.Context(), store.Options{Dir: filepath.Join(b.TempDir(), "data")})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { db.Close() })
	if _, err := db.FixRegion(b.Context(), "DE"); err != nil { // as every server does
		b.Fatal(err)
	}
	storetest.People(b, db, people)
	token, _, err := db.CreateKey(b.Context(), erasure.System, store.NewKey{Name: "bench", Scopes: []erasure.Scope{erasure.ScopeDeletionsWrite}})
	if err != nil {
		b.Fatal(err)
	}
	address := servedAt(b, db)
	idle, stop := context.WithTimeout(b.Context(), 5*time.Second)
	alone := timeFinds(b, idle, db, people)
	stop()

	asked := 0
	var took time.Duration
	var beside []time.Duration
	for b.Loop() {
		b.StopTimer()
		if asked+n > people {
			b.Fatalf("%d people are too few", people)
		}
		var body bytes.Buffer
		for range n {
			// Spread over the whole store: neighbours share pages.
			fmt.Fprintf(&body, `{"key":"email","value":%q}`+"\n", storetest.PersonEmail(asked*7919%people))
			asked++
		}
		ctx, done := context.WithCancel(b.Context())
		finds := make(chan []time.Duration)
		go func() { finds <- timeFinds(b, ctx, db, people) }()
		b.StartTimer()
		began := time.Now()
		res := sendList(b, address, token, &body)
		took += time.Since(began)
		b.StopTimer()
		done()
		beside = append(beside, <-finds...)
		text, err := io.ReadAll(res.Body)
		res.Body.Close()
		if queued := bytes.Count(text, []byte(`"status":"queued"`)); err != nil || queued != n {
			b.Fatalf("%d of %d are queued, %v: %.200s", queued, n, err, text)
		}
		b.StartTimer()
	}
	b.ReportMetric(float64(asked)/took.Seconds(), "identifiers/s")
	b.ReportMetric(p99(alone), "idle-find-p99-µs")
	b.ReportMetric(p99(beside), "find-p99-µs")
}

func servedAt(b *testing.B, db *store.DB) (address string) {
	b.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	address = "http://" + l.Addr().String()
	s, err := New(db, Config{BaseURL: address, CancelWindow: 24 * time.Hour})
	if err != nil {
		b.Fatal(err)
	}
	front := s.HTTPServer()
	served := make(chan error, 1)
	go func() { served <- front.Serve(l) }()
	b.Cleanup(func() {
		_ = front.Close()
		<-served
	})
	return address
}

// sendList returns once the list is queued; its results are still to be read.
func sendList(b *testing.B, address, token string, list io.Reader) *http.Response {
	r, err := http.NewRequestWithContext(b.Context(), http.MethodPost, address+batchPath, list)
	if err != nil {
		b.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+token)
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		b.Fatal(err)
	}
	return res
}

// timeFinds finds somebody each millisecond, as many people at work do.
func timeFinds(b *testing.B, ctx context.Context, db *store.DB, people int) (took []time.Duration) {
	for tick := time.NewTicker(time.Millisecond); ; {
		select {
		case <-ctx.Done():
			return took
		case <-tick.C:
		}
		id := storetest.Identifiers(erasure.KeyEmail, storetest.PersonEmail(rand.IntN(people)))[0]
		began := time.Now()
		found, err := db.Find(b.Context(), id)
		took = append(took, time.Since(began))
		if err != nil || len(found) != 1 {
			b.Errorf("%d are found, %v", len(found), err)
		}
	}
}

func p99(took []time.Duration) (microseconds float64) {
	slices.Sort(took)
	return float64(took[len(took)*99/100].Microseconds())
}
