package store_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/efface/efface/store"
	"github.com/efface/efface/store/erasure"
	"github.com/efface/efface/store/evidence"
	"github.com/efface/efface/store/storetest"
)

// Whatever does not fit stops a restore before anything is touched, with a
// sentence that says what to do.
func TestARestoreThatDoesNotFitTouchesNothing(t *testing.T) {
	d := openOnDisk(t)
	tellPerson(t, d.DB, "u1", 4)
	backup, keyring, manifest := d.backup(t)
	older := copied(t, filepath.Join(d.dir, "witness"))
	d = d.again(t) // with keys made since
	tellPerson(t, d.DB, "u2", 4)
	newer, newerKeyring, _ := d.backup(t)
	other := openOnDisk(t)
	tellPerson(t, other.DB, "u1", 4)
	otherBackup, otherKeyring, otherManifest := other.backup(t)
	witness := filepath.Join(d.dir, "witness")

	for name, c := range map[string]struct {
		change func(t *testing.T, o *store.Options, r *store.Restore)
		says   string
	}{
		"nothing to put in place":   {func(t *testing.T, _ *store.Options, r *store.Restore) { *r = store.Restore{} }, "There is no store in"},
		"no backup there":           {func(t *testing.T, _ *store.Options, r *store.Restore) { r.From = t.TempDir() }, "There is no backup in"},
		"a store is there":          {func(t *testing.T, o *store.Options, _ *store.Restore) { place(t, o.Dir, "efface.db", "x") }, "There is a store in"},
		"the log of a store":        {func(t *testing.T, o *store.Options, _ *store.Restore) { place(t, o.Dir, "efface.db-wal", "x") }, "There is a store in"},
		"a keyring is there":        {func(t *testing.T, o *store.Options, _ *store.Restore) { place(t, o.Dir, "keyring.db", "x") }, "There is a keyring"},
		"no keyring at all":         {func(t *testing.T, _ *store.Options, r *store.Restore) { r.KeyringFrom = "" }, "The keyring"},
		"no copy of the keyring":    {func(t *testing.T, _ *store.Options, r *store.Restore) { r.KeyringFrom += "x" }, "There is no file"},
		"a database cut short":      {changed(backup, "efface.db", func(b []byte) []byte { return b[:len(b)-4096] }), "is cut short or damaged"},
		"a database changed":        {changed(backup, "efface.db", func(b []byte) []byte { b[len(b)-1] ^= 1; return b }), "is cut short or damaged"},
		"a manifest cut short":      {changed(backup, "backup.json", func(b []byte) []byte { return b[:20] }), "backup.json in"},
		"a newer manifest":          {changed(backup, "backup.json", func(b []byte) []byte { return bytes.Replace(b, []byte(`"v": 1`), []byte(`"v": 2`), 1) }), "a newer Efface"},
		"a newer store":             {remade(backup, `INSERT INTO schema_version (n) VALUES (99)`), "a newer Efface"},
		"a keyring cut short":       {changedKeyring(keyring, func(b []byte) []byte { return b[:len(b)/4096/2*4096] }), "is cut short or damaged"},
		"an empty keyring":          {changedKeyring(keyring, func([]byte) []byte { return nil }), "is empty"},
		"what is no keyring":        {changedKeyring(keyring, func(b []byte) []byte { return bytes.Repeat([]byte("x"), len(b)) }), "is cut short or damaged"},
		"a keyring that lacks keys": {func(t *testing.T, _ *store.Options, r *store.Restore) { r.From = newer; r.KeyringFrom = keyring }, "add --accept-loss"},
		"another store's keyring":   {func(t *testing.T, _ *store.Options, r *store.Restore) { r.KeyringFrom = otherKeyring }, "do not both fit"},
		"another store's backup":    {func(t *testing.T, _ *store.Options, r *store.Restore) { r.From = otherBackup }, "is not signed by the log key"},
		"another store, both": {func(t *testing.T, _ *store.Options, r *store.Restore) {
			r.From, r.KeyringFrom = otherBackup, otherKeyring
		}, "is not signed by the log key"},
		"another master key": {func(t *testing.T, o *store.Options, _ *store.Restore) {
			o.MasterKey = filepath.Join(secretsTo(t, other.dir), "master.key")
		}, "do not both fit"},
		"no master key": {func(t *testing.T, o *store.Options, _ *store.Restore) {
			o.MasterKey = filepath.Join(t.TempDir(), "master.key")
		}, "There is no master key"},
		"another log key": {func(t *testing.T, o *store.Options, _ *store.Restore) { o.LogKey = filepath.Join(other.dir, "log.key") }, "is not signed by the log key"},
		"no log key": {func(t *testing.T, o *store.Options, _ *store.Restore) {
			o.LogKey = filepath.Join(t.TempDir(), "log.key")
		}, "log key"},
		"no witness": {func(t *testing.T, o *store.Options, _ *store.Restore) { o.Witness = t.TempDir() }, "add --without-witness"},
		"another store's witness": {func(t *testing.T, o *store.Options, _ *store.Restore) {
			o.Witness = filepath.Join(other.dir, "witness")
		}, "is not this store's"},
		"a witness forgone": {func(t *testing.T, _ *store.Options, r *store.Restore) { r.WithoutWitness = true }, "leave out --without-witness"},
		"a backup at a name of ours": {func(t *testing.T, o *store.Options, r *store.Restore) {
			must(t, os.CopyFS(filepath.Join(o.Dir, "restoring", "b"), os.DirFS(backup)))
			r.From = filepath.Join(o.Dir, "restoring", "b")
		}, "uses the name"},
		"a keyring at a name of ours": {func(t *testing.T, o *store.Options, r *store.Restore) {
			r.KeyringFrom = filepath.Join(o.Dir, "keyring.db.restoring")
			place(t, o.Dir, "keyring.db.restoring", "x")
		}, "uses the name"},
		"a witness from before the backup": {func(t *testing.T, o *store.Options, r *store.Restore) {
			o.Witness, r.From, r.KeyringFrom = older, newer, newerKeyring
		}, "is older than the backup"},
		"an entry that was changed": {remade(backup, unguarded(`REPLACE INTO log_entries SELECT idx, logged, kind, request, entry || ' ' FROM log_entries WHERE idx = 0`)), "is not the one that was written"},
		"an entry changed with its hash": {remade(newer, unguarded(`REPLACE INTO log_entries SELECT 0, logged, kind, request, entry FROM log_entries WHERE idx = 1;
			REPLACE INTO log_hashes SELECT 0, hash FROM log_hashes WHERE idx = 1`)), "The deletion log in this efface.db is not"},
		"a trigger beside":                   {remade(backup, `CREATE TRIGGER x AFTER INSERT ON lookup BEGIN DELETE FROM suppressions; END`), `it has the trigger "x" beside`},
		"a view beside":                      {remade(backup, `CREATE VIEW y AS SELECT 1`), `it has the view "y" beside`},
		"a trigger taken away":               {remade(backup, `DROP TRIGGER log_hashes_kept`), `it lacks the trigger "log_hashes_kept"`},
		"a table changed":                    {remade(backup, `ALTER TABLE profiles ADD COLUMN x`), `its table "profiles" is another`},
		"a manifest that was changed":        {changed(backup, "backup.json", func(b []byte) []byte { return bytes.Replace(b, []byte(`"program": "`), []byte(`"program": "x`), 1) }), "is not signed by the log key"},
		"a manifest without its signature":   {changed(backup, "backup.json", unsigned), "is not signed by the log key"},
		"a manifest without a checkpoint":    {manifested(backup, func(m *store.Manifest) { m.Checkpoint = "" }), "is cut short"},
		"a manifest without a store":         {manifested(backup, func(m *store.Manifest) { m.Store = "" }), "is cut short"},
		"a manifest without a schema":        {manifested(backup, func(m *store.Manifest) { m.Schema = 0 }), "is cut short"},
		"a manifest of another schema":       {manifested(backup, func(m *store.Manifest) { m.Schema-- }), "is cut short or damaged"},
		"a manifest of more entries":         {manifested(backup, func(m *store.Manifest) { m.Entries++ }), "is cut short or damaged"},
		"a manifest of another store":        {manifested(backup, func(m *store.Manifest) { m.Store = otherManifest.Store }), "is not that of this store"},
		"a manifest with another's signing":  {manifested(backup, func(m *store.Manifest) { m.Checkpoint = otherManifest.Checkpoint }), "is not that of this store"},
		"a manifest with an earlier signing": {manifested(newer, func(m *store.Manifest) { m.Checkpoint = manifest.Checkpoint }), "is not that of this store"},
		"a manifest that signs another log":  {manifested(backup, func(m *store.Manifest) { m.Checkpoint = forged(t, d.dir, m.Entries) }), "is not the one that its checkpoint signs"},
		"a damaged entry":                    {damagedWitness(witness, "log.jsonl"), "in the witness, is damaged"},
		"a damaged open request":             {damagedWitness(witness, "requests.jsonl"), "in the witness, is damaged"},
		"a witness without its head":         {damagedWitness(witness, "heads.jsonl"), "in the witness, is damaged"},
	} {
		t.Run(name, func(t *testing.T) {
			o := store.Options{Dir: secretsTo(t, d.dir), Clock: d.clock, Witness: witness}
			r := store.Restore{From: backup, KeyringFrom: keyring}
			c.change(t, &o, &r)
			refusedUntouched(t, o, r, c.says)
		})
	}
	for _, serve := range []bool{false, true} {
		o := store.Options{Dir: filepath.Join(t.TempDir(), "data"), Serve: serve}
		storetest.Open(t, func(other *store.Options) { *other = o })
		for _, r := range []store.Restore{{KeyringFrom: newerKeyring}, {From: newer, KeyringFrom: newerKeyring}} {
			_, err := store.RestoreBackup(t.Context(), o, r)
			if erasure.CodeOf(err) != erasure.CodeConflict {
				t.Errorf("into a store in use, by a server %v: %v", serve, err)
			}
		}
	}
}

// copied copies a directory.
func copied(t testing.TB, dir string) string {
	t.Helper()
	to := filepath.Join(t.TempDir(), "copy")
	must(t, os.CopyFS(to, os.DirFS(dir)))
	return to
}

type change = func(t *testing.T, o *store.Options, r *store.Restore)

// changed restores from a copy of the backup of which a file is another.
func changed(backup, name string, file func([]byte) []byte) change {
	return func(t *testing.T, _ *store.Options, r *store.Restore) {
		r.From = copied(t, backup)
		b, err := os.ReadFile(filepath.Join(backup, name))
		must(t, err)
		place(t, r.From, name, string(file(b)))
	}
}

func changedKeyring(keyring string, file func([]byte) []byte) change {
	return func(t *testing.T, _ *store.Options, r *store.Restore) {
		b, err := os.ReadFile(keyring)
		must(t, err)
		r.KeyringFrom = filepath.Join(t.TempDir(), "keyring.db")
		must(t, os.WriteFile(r.KeyringFrom, file(b), 0o600))
	}
}

// remade restores from a copy of the backup that somebody changed, with its
// manifest.
func remade(backup, statements string) change {
	return func(t *testing.T, o *store.Options, r *store.Restore) {
		from := copied(t, backup)
		must(t, second(storetest.Raw(t, from).Exec(statements+`; PRAGMA wal_checkpoint(TRUNCATE)`)))
		b, err := os.ReadFile(filepath.Join(from, "efface.db"))
		must(t, err)
		manifested(from, func(m *store.Manifest) {
			m.Bytes, m.SHA256 = int64(len(b)), fmt.Sprintf("%x", sha256.Sum256(b))
		})(t, o, r)
	}
}

// unguarded are statements that no trigger stops from replacing rows.
func unguarded(statements string) string {
	return `PRAGMA recursive_triggers = OFF; ` + statements + `; PRAGMA recursive_triggers = ON`
}

// manifested restores from a copy of the backup with another manifest, signed as if
// the store had written it.
func manifested(backup string, change func(*store.Manifest)) change {
	return func(t *testing.T, o *store.Options, r *store.Restore) {
		changed(backup, "backup.json", func(b []byte) []byte {
			var m store.Manifest
			must(t, json.Unmarshal(b, &m))
			change(&m)
			must(t, m.Sign(signerIn(t, o.Dir)))
			b, err := json.Marshal(m)
			must(t, err)
			return b
		})(t, o, r)
	}
}

func unsigned(manifest []byte) []byte {
	return regexp.MustCompile(`"signature": "[^"]*"`).ReplaceAll(manifest, []byte(`"signature": ""`))
}

// signerIn reads the log key of a store.
func signerIn(t *testing.T, dir string) evidence.Signer {
	t.Helper()
	key, err := os.ReadFile(filepath.Join(dir, "log.key"))
	must(t, err)
	signer, err := evidence.NewSigner(string(key))
	must(t, err)
	return signer
}

// forged signs another log with the store's key.
func forged(t *testing.T, dir string, size int64) string {
	t.Helper()
	signer := signerIn(t, dir)
	signed, err := evidence.Checkpoint{Origin: signer.Origin(), Size: size, Root: tlog.Hash{1}}.Sign(signer)
	must(t, err)
	return signed
}

// damagedWitness restores by a copy of the witness with a line before its last
// that is no line.
func damagedWitness(witness, name string) change {
	return func(t *testing.T, o *store.Options, _ *store.Restore) {
		o.Witness = copied(t, witness)
		path := filepath.Join(o.Witness, name)
		b, err := os.ReadFile(path)
		must(t, err)
		if last := bytes.LastIndexByte(bytes.TrimSuffix(b, []byte("\n")), '\n') + 1; last > 0 && name != "heads.jsonl" {
			b = append(append(bytes.Clone(b[:last]), "{x\n"...), b[last:]...)
		} else {
			b = append(b, "{x\n{\"y\":1}\n"...)
		}
		must(t, os.WriteFile(path, b, 0o600))
	}
}

// refusedUntouched restores, which is refused with a sentence, and compares every
// file that it was told of.
func refusedUntouched(t *testing.T, o store.Options, r store.Restore, says string) {
	t.Helper()
	places := []string{o.Dir, o.Witness, r.From, filepath.Dir(r.KeyringFrom)}
	before := map[string]string{}
	for _, p := range places {
		maps.Copy(before, digests(t, p))
	}
	_, err := store.RestoreBackup(t.Context(), o, r)
	if erasure.CodeOf(err) == "" || !strings.Contains(err.Error(), says) || strings.Contains(err.Error(), "restoring/efface.db") {
		t.Errorf("the restore is refused with %v", err)
	}
	after := map[string]string{}
	for _, p := range places {
		maps.Copy(after, digests(t, p))
	}
	for path := range after {
		if filepath.Base(path) == "lock" { // of a witness that is there
			delete(after, path)
			delete(before, path)
		}
	}
	if !maps.Equal(before, after) {
		t.Errorf("the files were %v and are %v", before, after)
	}
}

func digests(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	if dir == "" || dir == "." {
		return all
	}
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		all[path] = fmt.Sprintf("%x", sha256.Sum256(b))
		return err
	})
	must(t, err)
	return all
}
