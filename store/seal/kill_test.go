package seal

import (
	"context"
	"encoding/gob"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// childDir names, for a test binary that was started by a test, the directory
// to work in until it is killed; childMakes, one to make some keys in.
const (
	childDir   = "EFFACE_SEAL_KILLED_IN"
	childMakes = "EFFACE_SEAL_MAKES_IN"
)

func TestMain(m *testing.M) {
	switch {
	case os.Getenv(childDir) != "":
		exit(churn(os.Getenv(childDir), gob.NewEncoder(os.Stdout)))
	case os.Getenv(childMakes) != "":
		exit(makeBeside(os.Getenv(childMakes), gob.NewEncoder(os.Stdout)))
	}
	os.Exit(m.Run())
}

func exit(err error) {
	if err != nil {
		os.Stderr.WriteString(err.Error() + "\n")
		os.Exit(1)
	}
	os.Exit(0)
}

// event is what the child says it has done, once it is durable.
type event struct {
	Made      map[int64][]byte // rows by number
	Destroyed []Ref
	Truncated bool // nothing was busy
}

func openChild(dir string) (*Keyring, error) {
	m, err := newMaster(firstVersion, make([]byte, keySize))
	if err != nil {
		return nil, err
	}
	return OpenKeyring(filepath.Join(dir, "keyring.db"), m, [16]byte{})
}

// churn makes and destroys keys, with readers and rollbacks, until the process
// is killed.
func churn(dir string, out *gob.Encoder) error {
	k, err := openChild(dir)
	if err != nil {
		return err
	}
	ctx := context.Background()
	for range 2 {
		go func() {
			for {
				k.Count(ctx)
			}
		}()
	}
	for {
		if err := churnOnce(ctx, k, out); err != nil {
			return err
		}
	}
}

func churnOnce(ctx context.Context, k *Keyring, out *gob.Encoder) error {
	keys, err := k.Make(ctx, 1+rand.IntN(700))
	if err != nil {
		return err
	}
	if err := out.Encode(event{Made: rowsOf(ctx, k, keys)}); err != nil {
		return err
	}
	if err := undone(ctx, k, keys); err != nil {
		return err
	}
	var refs []Ref
	for _, key := range keys {
		if rand.IntN(10) > 0 {
			refs = append(refs, key.Ref)
		}
	}
	if err := k.Destroy(ctx, refs); err != nil {
		return err
	}
	if err := out.Encode(event{Destroyed: refs}); err != nil {
		return err
	}
	busy, err := k.Truncate(ctx)
	if err != nil {
		return err
	}
	return out.Encode(event{Truncated: !busy})
}

func rowsOf(ctx context.Context, k *Keyring, keys []Key) map[int64][]byte {
	rows := map[int64][]byte{}
	for _, key := range keys {
		if r, err := k.row(ctx, key.Ref.Row); err == nil && r != nil {
			rows[key.Ref.Row] = r[:]
		}
	}
	return rows
}

// undone makes and destroys keys in a transaction that is rolled back.
func undone(ctx context.Context, k *Keyring, keys []Key) error {
	conn, err := k.write.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	tx, err := conn.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	for _, key := range keys[:len(keys)/2] {
		r, _ := newRow(k.master, k.storeID)
		if _, err := tx.Stmt(k.insert).Exec(r[:]); err != nil {
			return err
		}
		if _, err := overwrite(tx.Stmt(k.update), key.Ref, destroyedRow(key.Ref.ID)); err != nil {
			return err
		}
	}
	return tx.Rollback()
}

// makeBeside makes keys in many commits and ends.
func makeBeside(dir string, out *gob.Encoder) error {
	k, err := openChild(dir)
	if err != nil {
		return err
	}
	for range 40 {
		keys, err := k.Make(context.Background(), 20)
		if err != nil {
			return err
		}
		if err := out.Encode(event{Made: rowsOf(context.Background(), k, keys)}); err != nil {
			return err
		}
	}
	return k.Close()
}

func startChild(t *testing.T, variable, dir string) (*exec.Cmd, *gob.Decoder) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := exec.Command(self)
	c.Env = append(os.Environ(), variable+"="+dir)
	c.Stderr = os.Stderr
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	return c, gob.NewDecoder(out)
}

// history is what was told by all children so far.
type history struct {
	rows      map[Ref]row
	destroyed map[Ref]bool // told so
	clean     map[Ref]bool // destroyed, and a truncation told after it
}

func (h *history) take(e event) {
	for n, b := range e.Made {
		r := row(b)
		h.rows[Ref{n, r.id()}] = r
	}
	for _, ref := range e.Destroyed {
		h.destroyed[ref] = true
	}
	if e.Truncated {
		for ref := range h.destroyed {
			h.clean[ref] = true
		}
	}
}

func (h *history) tracesOf(refs map[Ref]bool) traces {
	ts := traces{}
	for ref := range refs {
		ts.add(ref.Row, h.rows[ref])
	}
	return ts
}

// I2, I6: killed at any instant, no key told destroyed comes back, no key told
// made is lost, and no byte of a destroyed one is left.
func TestKilledAtAnyInstantDestroyedKeysStayDestroyed(t *testing.T) {
	cycles := 10
	if os.Getenv("EFFACE_SOAK") != "" {
		cycles = 70
	}
	dir := t.TempDir()
	h := &history{map[Ref]row{}, map[Ref]bool{}, map[Ref]bool{}}
	for range cycles {
		killOnce(t, dir, h)
		if left := h.tracesOf(h.clean).onDisk(t, dir); len(left) > 0 {
			t.Fatalf("%d of %d keys are in files after the truncation that was told", len(left), len(h.clean))
		}
		checkAfterKill(t, dir, h)
	}
	t.Logf("%d cycles, %d keys made, %d destroyed", cycles, len(h.rows), len(h.destroyed))
}

// killOnce runs a child and kills it at a random moment of its work.
func killOnce(t *testing.T, dir string, h *history) {
	t.Helper()
	c, events := startChild(t, childDir, dir)
	told := make(chan event)
	failed := make(chan error, 1)
	go func() {
		defer close(told)
		for {
			var e event
			if err := events.Decode(&e); err != nil {
				failed <- err
				return
			}
			told <- e
		}
	}()
	var moment <-chan time.Time
	for seen := 0; told != nil; {
		select {
		case e, ok := <-told:
			if !ok {
				told = nil
				break
			}
			h.take(e)
			if seen++; seen == 3 { // a whole round, so that each cycle adds something
				moment = time.After(rand.N(60 * time.Millisecond))
			}
		case <-moment:
			if err := c.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := <-failed; !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Fatal(err)
	}
	if err := c.Wait(); c.ProcessState.ExitCode() != -1 {
		t.Fatal("the child ended by itself:", err)
	}
}

func checkAfterKill(t *testing.T, dir string, h *history) {
	t.Helper()
	k, err := openChild(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer k.Close()
	for ref := range h.rows {
		_, err := k.Key(t.Context(), ref)
		switch {
		case errors.Is(err, ErrDestroyed):
			h.destroyed[ref] = true // durable, if not told
		case err != nil:
			t.Fatal("a key that was told made is lost:", err)
		case h.destroyed[ref]:
			t.Fatal("a destroyed key came back")
		}
	}
	mustTruncate(t, k)
	if left := h.tracesOf(h.destroyed).onDisk(t, dir); len(left) > 0 {
		t.Fatalf("%d of %d destroyed keys are in files", len(left), len(h.destroyed))
	}
}

func TestTwoProcessesWriteOneKeyring(t *testing.T) {
	dir := t.TempDir()
	c, events := startChild(t, childMakes, dir) // both make the file
	k := openTest(t, dir)
	var own []Key
	rows := map[Ref]row{}
	for {
		var e event
		err := events.Decode(&e)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		for n, b := range e.Made {
			r := row(b)
			rows[Ref{n, r.id()}] = r
		}
		keys := mustMake(t, k, 20)
		mustDestroy(t, k, keys[:10])
		own = append(own, keys[10:]...)
	}
	if err := c.Wait(); err != nil {
		t.Fatal(err)
	}
	for _, key := range own {
		rows[key.Ref] = row{}
	}
	for ref := range rows {
		if _, err := k.Key(t.Context(), ref); err != nil {
			t.Fatal(err)
		}
	}
	if live, destroyed, err := k.Count(t.Context()); err != nil || live != 1200 || destroyed != 400 {
		t.Errorf("Count = %d, %d, %v", live, destroyed, err)
	}
}
