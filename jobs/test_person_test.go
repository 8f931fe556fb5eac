package jobs

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/efface/efface/store"
	"github.com/efface/efface/store/erasure"
	"github.com/efface/efface/store/storetest"
)

// testingPersons is a store with a runner and a tester whose search says what a test
// wants it to.
type testingPersons struct {
	*store.DB
	clock    *storetest.Clock
	tester   *Tester
	searched [][]string
	files    []string
	err      error
}

func newTestingPersons(t *testing.T) *testingPersons {
	t.Helper()
	p := &testingPersons{clock: storetest.NewClock()}
	p.DB = storetest.Open(t, storetest.WithClock(p.clock), func(o *store.Options) { o.Serve = true })
	log := slog.New(slog.DiscardHandler)
	runner := NewRunner(p.DB, log)
	ctx, stop := context.WithCancel(t.Context())
	stopped := make(chan struct{})
	go func() { defer close(stopped); runner.Run(ctx) }()
	t.Cleanup(func() { stop(); <-stopped })
	p.tester = NewTester(p.DB, runner.Wake, func(_ context.Context, values []string) ([]string, error) {
		p.searched = append(p.searched, values)
		return p.files, p.err
	}, log)
	return p
}

func (p *testingPersons) test(t *testing.T, after time.Duration) erasure.TestPersons {
	t.Helper()
	p.clock.Advance(after)
	if err := p.tester.Test(t.Context()); err != nil {
		t.Fatal(err)
	}
	return p.TestPersons()
}

func TestEachDayAPersonIsMadeUpErasedAndLookedFor(t *testing.T) {
	p := newTestingPersons(t)
	for _, after := range []time.Duration{0, 23 * time.Hour} {
		if p.test(t, after); len(p.searched) != 0 {
			t.Fatal("there was a test person before a day had passed")
		}
	}
	if tested := p.test(t, time.Hour); tested.Passed.IsZero() || !tested.Failed.IsZero() || len(p.searched) != 1 {
		t.Errorf("after a day there is %+v", tested)
	}
	if p.test(t, time.Hour); len(p.searched) != 1 {
		t.Error("there were two test persons within a day")
	}
	requests, _, err := p.Requests(t.Context(), erasure.RequestFilter{Origin: erasure.TestPerson})
	if err != nil || len(requests) != 1 || requests[0].State != erasure.Completed || requests[0].Actor != erasure.System ||
		requests[0].Identifiers != 2 || requests[0].Records != 1 || !requests[0].CancelBefore.Equal(requests[0].RequestedAt) {
		t.Errorf("the test person's requests are %+v, %v", requests, err)
	}
	for _, value := range p.searched[0] {
		if len(value) < 16 {
			t.Errorf("%q is looked for", value)
		}
	}
	if p.test(t, 24*time.Hour); len(p.searched) != 2 || p.searched[0][0] == p.searched[1][0] {
		t.Errorf("on the next day %v are looked for", p.searched)
	}
}

// A failure is shown until a test passes, also after a restart; when the last
// one passed is known all along.
func TestATestThatFailsIsToldUntilOnePasses(t *testing.T) {
	p := newTestingPersons(t)
	p.test(t, 0)
	passed := p.test(t, 24*time.Hour).Passed
	p.files = []string{"/data/one", "/data/two"}
	shown := p.test(t, 24*time.Hour)
	if shown.Failed.IsZero() || !shown.Passed.Equal(passed) || !strings.Contains(shown.Why, "/data/one, /data/two") {
		t.Errorf("one that is shown in files gives %+v", shown)
	}
	p.files, p.err = nil, errors.New("no such program")
	if failed := p.test(t, 24*time.Hour); failed.Failed.Equal(shown.Failed) || strings.Contains(failed.Why, "program") || p.Status().Tests != failed {
		t.Errorf("a search that fails gives %+v", failed)
	}
	p.err = nil
	if again := p.test(t, 24*time.Hour); !again.Failed.IsZero() || again.Why != "" || !again.Passed.After(passed) {
		t.Errorf("the next one gives %+v", again)
	}
}
