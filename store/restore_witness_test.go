package store_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/efface/efface/store"
	"github.com/efface/efface/store/erasure"
	"github.com/efface/efface/store/evidence"
	"github.com/efface/efface/store/storetest"
)

// What a damaged witness lacks is not passed over: an acknowledged request would be
// completed while its person stays, who was erased would be back.
func TestAWitnessThatLacksSomethingIsRefused(t *testing.T) {
	d := openOnDisk(t)
	for _, user := range []string{"u1", "u2"} {
		tellPerson(t, d.DB, user, 4)
	}
	backup, keyring, _ := d.backup(t)
	d.erased(t, "u1")
	storetest.Requested(t, d.DB, "user_id", "u2")
	d.clock.Advance(time.Minute) // what came last may have been broken off
	must(t, d.LogExport(t.Context(), erasure.Terminal))
	witness := filepath.Join(d.dir, "witness")
	for name, c := range map[string]struct {
		file   string
		change func(b []byte) []byte
		says   string
	}{
		"its open requests": {"requests.jsonl", func([]byte) []byte { return nil }, "lacks open requests that its log lists, 1 in all"},
		"the content of entries": {"log.jsonl", func(b []byte) []byte {
			lines := bytes.SplitAfter(b, []byte("\n"))
			for i, line := range lines {
				if bytes.Contains(line, []byte(erasure.KeysDestroyed)) {
					lines[i] = evidence.DroppedLine(int64(i), erasure.EntryHash(bytes.TrimSuffix(line, []byte("\n"))))
				}
			}
			return bytes.Join(lines, nil)
		}, "does not have the content of all entries since the backup"},
		"an entry that verifiers take": {"log.jsonl", func(b []byte) []byte {
			last := b[bytes.LastIndexByte(b[:len(b)-1], '\n')+1:]
			n := bytes.Count(b, []byte("\n"))
			another := strings.Replace(string(last), fmt.Sprintf(`"index":%d,`, n-1), fmt.Sprintf(`"index":%d, `, n), 1)
			return append(bytes.Clone(b), another...)
		}, "in the witness, is damaged"},
		"a line with an end": {"log.jsonl", func(b []byte) []byte {
			first := bytes.IndexByte(b, '\n') + 1
			return slices.Concat(b[:first], bytes.Repeat([]byte("x"), 65<<20), []byte("\n"), b[first:])
		}, "Line 2 of"},
		"a suppression that is one": {"suppressions.jsonl", func(b []byte) []byte { return append(bytes.Clone(b), "{\"mac\":\"x\"}\n"...) }, "in the witness, is damaged"},
	} {
		t.Run(name, func(t *testing.T) {
			o := store.Options{Dir: secretsTo(t, d.dir), Clock: d.clock, Witness: copied(t, witness)}
			b, err := os.ReadFile(filepath.Join(o.Witness, c.file))
			must(t, err)
			place(t, o.Witness, c.file, string(c.change(b)))
			refusedUntouched(t, o, store.Restore{From: backup, KeyringFrom: keyring}, c.says)
		})
	}
}

// Nobody can ask again for a request of which nothing but its entry is left: it is told.
func TestOpenRequestsThatTheWitnessLacksAreToldOnceAccepted(t *testing.T) {
	d := openOnDisk(t)
	tellPerson(t, d.DB, "u1", 4)
	backup, keyring, _ := d.backup(t)
	storetest.Requested(t, d.DB, "user_id", "u1")
	d.clock.Advance(time.Minute) // what came last may have been broken off
	must(t, d.LogExport(t.Context(), erasure.Terminal))
	must(t, os.Truncate(filepath.Join(d.dir, "witness", "requests.jsonl"), 0))
	after, did := d.restoredFrom(t, store.Restore{From: backup, KeyringFrom: keyring, AcceptLoss: true})
	if did.Unasked != 1 || did.Lost != 0 || !after.finds(t, "u1") {
		t.Errorf("the restore tells of %+v", did)
	}
	storetest.CheckLog(t, after.dir)
}

// What is not of the kind that it should be stops a restore with a sentence.
func TestARestoreTellsFilesFromDirectories(t *testing.T) {
	d := openOnDisk(t)
	tellPerson(t, d.DB, "u1", 4)
	backup, keyring, _ := d.backup(t)
	witness := filepath.Join(d.dir, "witness")
	for name, c := range map[string]struct {
		change func(t *testing.T, o *store.Options, r *store.Restore)
		says   string
	}{
		"a file of the backup":       {func(_ *testing.T, _ *store.Options, r *store.Restore) { r.From = filepath.Join(backup, "efface.db") }, "There is no backup in"},
		"the keyring's directory":    {func(_ *testing.T, _ *store.Options, r *store.Restore) { r.KeyringFrom = filepath.Dir(keyring) }, "There is no file at"},
		"a manifest that is a place": {instead("backup.json", func(path string) error { return os.Mkdir(path, 0o700) }), "There is no file at"},
		"a manifest without an end":  {instead("backup.json", func(path string) error { return os.Symlink("/dev/zero", path) }), "There is no file at"},
		"a file of the witness": {func(_ *testing.T, o *store.Options, _ *store.Restore) {
			o.Witness = filepath.Join(witness, "log.jsonl")
		}, "Efface cannot use"},
		"what a restore left": {func(t *testing.T, o *store.Options, _ *store.Restore) {
			must(t, os.Mkdir(filepath.Join(o.Dir, "restoring"), 0o700))
			place(t, filepath.Join(o.Dir, "restoring"), "placement.json", "{")
		}, "is damaged; move the directory"},
	} {
		t.Run(name, func(t *testing.T) {
			o := store.Options{Dir: secretsTo(t, d.dir), Clock: d.clock, Witness: witness}
			r := store.Restore{From: backup, KeyringFrom: keyring}
			c.change(t, &o, &r)
			_, err := store.RestoreBackup(t.Context(), o, r)
			if erasure.CodeOf(err) == "" || !strings.Contains(err.Error(), c.says) {
				t.Errorf("the restore is refused with %v", err)
			}
		})
	}
}

// instead restores from a directory in which something else stands in a file's place.
func instead(name string, put func(path string) error) change {
	return func(t *testing.T, _ *store.Options, r *store.Restore) {
		r.From = t.TempDir()
		must(t, put(filepath.Join(r.From, name)))
	}
}

// What is lost of the witness's suppressions lets nobody be collected again whom the
// backup knows to be suppressed, and whom nobody lifted since.
func TestSuppressionsThatTheWitnessLacksAreKept(t *testing.T) {
	d := openOnDisk(t)
	suppressed := func(db *store.DB, user string) *erasure.Suppression {
		found, err := db.CheckSuppressions(t.Context(), erasure.System, storetest.Identifiers("email", user+"@example.com"))
		must(t, err)
		return found[0]
	}
	for _, user := range []string{"kept", "lifted"} {
		tellPerson(t, d.DB, user, 4)
		_, _, err := d.RequestErasure(t.Context(), erasure.NewRequest{Asked: storetest.Identifiers("user_id", user)[0],
			Origin: erasure.API, Actor: erasure.System, Suppress: true})
		must(t, err)
	}
	d.clock.Advance(store.DefaultCancelWindow)
	storetest.EraseAll(t, d.DB)
	backup, keyring, _ := d.backup(t)
	s := suppressed(d.DB, "lifted")
	must(t, second(d.Lift(t.Context(), erasure.System, erasure.Lift{Fingerprint: s.Fingerprint, Request: s.Request, Reason: erasure.LiftMistake})))
	must(t, os.Truncate(filepath.Join(d.dir, "witness", "suppressions.jsonl"), 0))
	after, _ := d.restoredFrom(t, store.Restore{From: backup, KeyringFrom: keyring})
	if suppressed(after.DB, "kept") == nil || suppressed(after.DB, "lifted") != nil {
		t.Error("who is suppressed may be collected again, or who was lifted may not")
	}
}
