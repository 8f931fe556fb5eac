package customerlabs_test

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/efface/efface/handlers"
	"github.com/efface/efface/store"
	"github.com/efface/efface/store/erasure"
	"github.com/efface/efface/store/ingest"
	"github.com/efface/efface/store/storetest"
)

const connections = 64

// BenchmarkUserDeletion measures durable intakes over HTTP, one commit for
// many, beside the same with a transaction each.
func BenchmarkUserDeletion(b *testing.B) {
	for _, how := range []struct {
		name  string
		limit int
	}{{"shared-commits", 0}, {"one-transaction-each", 1}} {
		b.Run(how.name, func(b *testing.B) { benchmarkIntake(b, how.limit) })
	}
}

func benchmarkIntake(b *testing.B, limit int) {
	db := storetest.Open(b, func(o *store.Options) { o.Clock, o.CommitLimit = store.SystemClock{}, limit })
	fill(b, db, b.N)
	token, _, err := db.CreateKey(b.Context(), erasure.System, store.NewKey{Name: "bench", Scopes: []erasure.Scope{erasure.ScopeCustomerLabs}})
	if err != nil {
		b.Fatal(err)
	}
	url := serve(b, db)
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: connections}}
	defer client.CloseIdleConnections()
	var next, failed atomic.Int64
	var clients sync.WaitGroup
	b.ResetTimer()
	for range connections {
		clients.Go(func() {
			for n := next.Add(1) - 1; n < int64(b.N); n = next.Add(1) - 1 {
				if !ask(client, url, token, email(int(n))) {
					failed.Add(1)
				}
			}
		})
	}
	clients.Wait()
	b.StopTimer()
	if failed.Load() > 0 {
		b.Fatalf("%d of %d requests were not taken", failed.Load(), b.N)
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "requests/s")
}

func email(n int) string { return fmt.Sprintf("person%d@example.com", n) }

func fill(b *testing.B, db *store.DB, people int) {
	for from := 0; from < people; from += 1000 {
		var calls []ingest.Call
		for n := from; n < min(from+1000, people); n++ {
			calls = append(calls, ingest.Call{Kind: ingest.Identify, Table: erasure.User, Source: "crm",
				Identifiers: storetest.Identifiers("email", email(n), "user_id", fmt.Sprint(n))})
		}
		if _, err := db.Ingest(b.Context(), calls); err != nil {
			b.Fatal(err)
		}
	}
}

func serve(b *testing.B, db *store.DB) (url string) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	url = "http://" + l.Addr().String()
	s, err := handlers.New(db, handlers.Config{BaseURL: url, CancelWindow: 24 * time.Hour})
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
	return url
}

func ask(client *http.Client, url, token, email string) bool {
	r, err := http.NewRequest(http.MethodPost, url+"/user-deletion/",
		bytes.NewReader([]byte(`{"identify_by_key":"email","identify_by_value":"`+email+`"}`)))
	if err != nil {
		return false
	}
	r.Header.Set("X-API-Key", token)
	a, err := client.Do(r)
	if err != nil {
		return false
	}
	defer a.Body.Close()
	text, err := io.ReadAll(a.Body)
	return err == nil && a.StatusCode == http.StatusOK && bytes.HasPrefix(text, []byte(`{"success": true`))
}
