package jobs

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/efface/efface/store"
	"github.com/efface/efface/store/erasure"
	"github.com/efface/efface/store/storetest"
)

// listOf spools a list of user_ids and gives it to be checked.
func listOf(t *testing.T, db *store.DB, users ...string) erasure.BatchID {
	t.Helper()
	spool, err := db.OpenSpool(t.Context(), erasure.NewBulk{Origin: erasure.Console, Actor: erasure.System})
	if err != nil {
		t.Fatal(err)
	}
	for i, id := range users {
		if err := spool.Add(t.Context(), erasure.Line{N: i + 2, Asked: storetest.Identifiers("user_id", id)[0]}); err != nil {
			t.Fatal(err)
		}
	}
	id, err := spool.Check(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// until waits for a list to come to a stage.
func until(t *testing.T, db *store.DB, id erasure.BatchID, stage erasure.Stage) (list erasure.Bulk) {
	t.Helper()
	for list.Stage != stage {
		var err error
		if list, err = db.Bulk(t.Context(), id); err != nil {
			t.Fatal(err)
		}
	}
	return list
}

// started runs a runner of lists until the test ends; queued is told of each
// list that was queued.
func started(t *testing.T, db *store.DB) (r *BulkRunner, queued chan struct{}) {
	t.Helper()
	queued = make(chan struct{}, 100)
	r = NewBulkRunner(db, func() { queued <- struct{}{} }, slog.New(slog.DiscardHandler))
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); r.Run(ctx) }()
	t.Cleanup(func() { stop(); <-ended })
	return r, queued
}

func TestAListIsCheckedAndQueuedWhenTheRunnerIsWoken(t *testing.T) {
	db := storetest.Open(t)
	storetest.Identify(t, db, "shop", "user_id", "u1")
	left := listOf(t, db, "u1") // by a server that ended
	r, queued := started(t, db)
	list := until(t, db, left, erasure.Checked)
	if list.Found.Matched != 1 {
		t.Fatalf("the list leads to %+v", list.Found)
	}
	if err := db.ConfirmBulk(t.Context(), list.ID, erasure.System, 1); err != nil {
		t.Fatal(err)
	}
	r.Wake()
	if done := until(t, db, list.ID, erasure.Done); done.Batch.In[erasure.Pending] != 1 {
		t.Errorf("the batch counts %+v", done.Batch)
	}
	<-queued

	next := listOf(t, db, "u1", "nobody")
	r.Wake()
	if found := until(t, db, next, erasure.Checked).Found; found.AlreadyRequested != 1 || found.NotFound != 1 {
		t.Errorf("the next list leads to %+v", found)
	}
}

func TestAListThatFailsHoldsUpNoOtherAndIsLoggedWithoutData(t *testing.T) {
	dir := t.TempDir()
	clock := storetest.NewClock()
	db := storetest.Open(t, storetest.InDir(dir), storetest.WithClock(clock))
	storetest.Identify(t, db, "shop", "user_id", "ann@example.com")
	broken, whole := listOf(t, db, "ann@example.com"), listOf(t, db, "ann@example.com")
	if _, err := storetest.Raw(t, dir).Exec(`UPDATE spooled SET sealed = x'00' WHERE batch = $1`, broken[:]); err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	r := NewBulkRunner(db, func() {}, slog.New(slog.NewTextHandler(&log, nil)))
	done, err := r.Work(t.Context(), erasure.Checking)
	if done || err != nil {
		t.Errorf("done is %v, %v", done, err)
	}
	until(t, db, whole, erasure.Checked)
	if text := log.String(); strings.Count(text, "a list waits") != 1 || !strings.Contains(text, broken.String()) || strings.Contains(text, "ann") {
		t.Errorf("the log says %s", text)
	}
	if list := until(t, db, broken, erasure.Checking); list.Attempts != 1 {
		t.Errorf("%d tries are noted", list.Attempts)
	}
	if done, err := r.Work(t.Context(), erasure.Checking); !done || err != nil || strings.Count(log.String(), "a list waits") != 1 {
		t.Errorf("it was tried again at once: %v, %v\n%s", done, err, log.String())
	}
	clock.Advance(time.Second)
	if done, err := r.Work(t.Context(), erasure.Checking); done || err != nil || !strings.Contains(log.String(), "failed=2") {
		t.Errorf("it was not tried again: %v, %v\n%s", done, err, log.String())
	}
}

func TestAListThatIsCheckedHoldsUpNoneThatIsQueued(t *testing.T) {
	db := storetest.Open(t)
	storetest.Identify(t, db, "shop", "user_id", "u1")
	confirmed, long := listOf(t, db, "u1"), listOf(t, db, "u1")
	if err := db.CheckBulk(t.Context(), confirmed); err != nil {
		t.Fatal(err)
	}
	if err := db.ConfirmBulk(t.Context(), confirmed, erasure.System, 1); err != nil {
		t.Fatal(err)
	}
	if done, err := NewBulkRunner(db, func() {}, slog.New(slog.DiscardHandler)).Work(t.Context(), erasure.Queueing); !done || err != nil {
		t.Fatalf("done is %v, %v", done, err)
	}
	until(t, db, confirmed, erasure.Done)
	until(t, db, long, erasure.Checking)
}

func TestAListThatIsStoppedIsGoneOnWith(t *testing.T) {
	db := storetest.Open(t)
	var users []string
	for i := range 2000 {
		users = append(users, fmt.Sprint("u", i))
	}
	storetest.Identify(t, db, "shop", "user_id", "u1999")
	id := listOf(t, db, users...)
	ctx, stop := context.WithCancel(t.Context())
	stop()
	if done, _ := NewBulkRunner(db, func() {}, slog.New(slog.DiscardHandler)).Work(ctx, erasure.Checking); done {
		t.Error("a stopped runner says that it is done")
	}
	if list, err := db.Bulk(t.Context(), id); err != nil || list.Stage != erasure.Checking {
		t.Fatalf("a stopped runner made the list %s, %v", list.Stage, err)
	}
	started(t, db)
	if found := until(t, db, id, erasure.Checked).Found; found.Matched != 1 || found.NotFound != 1999 {
		t.Errorf("the list leads to %+v", found)
	}
}
