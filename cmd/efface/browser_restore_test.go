//go:build browser

package main

import (
	"encoding/hex"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/efface/efface/store/erasure"
	"github.com/efface/efface/store/storetest"
)

// Somebody is erased through the browser, and a backup from before that, put in
// place with the keyring's copy from before, shows them nowhere.
func TestARestoredBackupRefusesToShowWhoWasErased(t *testing.T) {
	t.Parallel()
	data, backup := filepath.Join(t.TempDir(), "data"), filepath.Join(t.TempDir(), "backup")
	s := serve(t, 2, "serve", "--data", data, "--listen", "127.0.0.1:0", "--cancel-window", "1s")
	b := browse(t, s.base)
	b.setUp(linkIn(t, s.out[1]))
	sample(t, data)
	key := strings.TrimSpace(must(t, "key", "create", "--data", data, "--name", "script", "--scope", "profiles:read,deletions:read").stdout)
	must(t, "backup", "--data", data, "--to", backup, "--keyring-to", backup+"-keys.db")
	userID := b.find("email", "leonekohler@surfeu.de")
	request := b.request(userID, "DSR-2043")
	b.until("a receipt is offered", `document.querySelector("#receipt a") != null`)
	old := b.fetched("/requests/" + request + "/receipt.json")
	s.stop(t)

	moveAside(t, data, "efface.db", "keyring.db")
	said := must(t, "restore", "--data", data, "--from", backup, "--keyring-from", backup+"-keys.db")
	if !strings.Contains(said.stderr, "Erasures whose rows the backup brought back, which the server deletes again: 1.") {
		t.Errorf("the restore says %s", said.stderr)
	}
	s = serve(t, 1, "serve", "--data", data, "--listen", "127.0.0.1:0", "--cancel-window", "1s")
	b.base = s.base
	b.visit("/login")
	b.fill("#email", "ann@example.com")
	b.fill("#password", password)
	b.submit("/login")
	for _, c := range [][3]string{{"email", "leonekohler@surfeu.de", "Nobody was found"}, {"efface_id", userID, "The profile with this User ID was erased"}} {
		b.visit("/find")
		b.choose("#key", c[0])
		b.fill("#value", c[1])
		b.submit("/find")
		b.shows("main", c[2])
	}
	if status := b.visit("/profiles/" + userID); status != http.StatusNotFound {
		t.Errorf("the profile's page answers %d", status)
	}
	b.find("email", "bjorn.hansen@yahoo.no") // who stays

	v := newVisitor(t, s.base, key)
	for _, body := range []map[string]string{{"key": "email", "value": "leonekohler@surfeu.de"}, {"key": "phone", "value": "+49 0711 2842222"}} {
		found := want(t, http.StatusOK, "a look-up")(v.api(http.MethodPost, "/api/v1/profiles/find", body))
		if strings.TrimSpace(found.body) != `{"profiles":[]}` {
			t.Errorf("the API finds %s", found.body)
		}
	}

	b.visit("/requests/" + request)
	b.until("the erasure is completed again", `document.querySelector("main").innerText.includes("Completed: rows deleted too")`)
	b.holds("no receipt is made of what the log alone tells", `document.querySelector("#receipt a") == null`)
	log := b.fetched("/logs/export")
	verifier := strings.TrimSpace(must(t, "log", "key", "--data", data).stdout)
	for kind, files := range map[string][]string{"receipt": {old}, "log": {log}} {
		out, err := exec.CommandContext(t.Context(), "python3", append(append([]string{"-I", "../../docs/verify.py", kind}, files...), "--key", verifier)...).CombinedOutput()
		if err != nil {
			t.Errorf("verify.py %s ends with %v: %s", kind, err, out)
		}
	}
	exported := readFile(t, b.fetched("/logs.csv"))
	if strings.Contains(exported, "leonekohler") || !strings.Contains(exported, request+",user,"+userID+",completed") {
		t.Errorf("the Deletion Logs export is %s", exported)
	}
	s.stop(t)
	notInBytes(t, data, userID)
}

// notInBytes looks for an erased person's keys and rows.
func notInBytes(t *testing.T, data, userID string) {
	t.Helper()
	raw := storetest.Raw(t, data)
	var left int
	if err := raw.QueryRow(`SELECT (SELECT COUNT(*) FROM profiles WHERE lower(hex(efface_id)) = $1) +
		(SELECT COUNT(*) FROM fragments f WHERE NOT EXISTS (SELECT 1 FROM profiles p WHERE p.id = f.profile)) +
		(SELECT COUNT(*) FROM lookup l WHERE NOT EXISTS (SELECT 1 FROM profiles p WHERE p.id = l.profile))`,
		strings.ReplaceAll(userID, "-", "")).Scan(&left); err != nil || left != 0 {
		t.Errorf("%d rows are left, %v", left, err)
	}
	keyring := readFile(t, filepath.Join(data, "keyring.db"))
	var destroyed int
	for _, e := range storetest.CheckLog(t, data) {
		if e.Kind != erasure.KeysDestroyed || e.Origin == erasure.TestPerson {
			continue
		}
		for _, id := range e.Keys {
			b, err := hex.DecodeString(id)
			if err != nil {
				t.Fatal(err)
			}
			switch { // the request's own key is newer than the copy
			case strings.Contains(keyring, string(b)+strings.Repeat("\x00", 32)):
				destroyed++
			case strings.Contains(keyring, string(b)):
				t.Errorf("the key %s is alive in the keyring", id)
			}
		}
	}
	if destroyed < 2 {
		t.Errorf("%d keys of theirs are zeros in the keyring", destroyed)
	}
}
