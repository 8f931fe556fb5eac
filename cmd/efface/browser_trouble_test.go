//go:build browser

package main

import (
	"database/sql"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/efface/efface/store"
	"github.com/efface/efface/store/seal"
	"github.com/efface/efface/store/storetest"
)

// What a page says when something is wrong is read by people in a hurry.
func TestAxeFindsNothingOnPagesOfAStoreInTrouble(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	s.command(password+"\n", "operator", "create", "--email", "ann@example.com", "--role", "admin", "--password-stdin")
	s.serve("1s")
	sample(t, s.data)
	b := browse(t, s.base)
	b.visit("/login")
	b.fill("#email", "ann@example.com")
	b.fill("#password", password)
	b.submit("/login")

	s.loseKeys(b.find("user_id", "2"))
	fails := decode[struct{ ID string }](t, want(t, http.StatusAccepted, "a deletion")(
		s.api("POST", "/api/v1/deletions", map[string]string{"key": "user_id", "value": "2", "reference": "DSR-2"}))).ID
	storetest.Eventually(t, "its keys were not found once", func() bool {
		return s.count(`SELECT COUNT(*) FROM requests WHERE reference = 'DSR-2' AND attempts > 0`) == 1
	})
	s.change("efface.db", fmt.Sprintf(`UPDATE requests SET attempts = %d WHERE reference = 'DSR-2'`, store.FailedTries-1))
	release := openReaders(t, s.path("keyring.db"))
	waits := b.request(b.find("user_id", "1"), "DSR-1")
	storetest.Eventually(t, "one request has failed and the other is in progress", func() bool {
		return s.count(`SELECT COUNT(*) FROM requests WHERE reference = 'DSR-2' AND state = 'failed' OR reference = 'DSR-1' AND state = 'in_progress'`) == 2
	})
	b.at("failed request", b.visit("/requests/"+fails), http.StatusOK)
	b.shows("main", "Its keys could not be destroyed")
	b.at("request in progress", b.visit("/requests/"+waits), http.StatusOK)
	b.shows("main", "In progress")
	b.at("logs with requests in progress and failed", b.visit("/logs"), http.StatusOK)
	b.shows("#row-"+waits, "In progress")
	b.shows("#row-"+fails, "Failed")
	b.visit("/account") // away from what polls

	storetest.Eventually(t, "the page says what is waited for", func() bool {
		return s.count(`SELECT COUNT(*) FROM requests WHERE reference = 'DSR-1' AND last_error <> ''`) == 1
	})
	b.at("request that waits for a reader", b.visit("/requests/"+waits), http.StatusOK)
	b.shows("main", "waiting for an open reader")
	b.at("status of a store in trouble", b.visit("/status"), http.StatusOK)
	b.shows("#summary", "2 things need somebody: Erasures, Destroyed keys.")
	b.visit("/requests/" + waits)
	release()
	b.until("the page turns by itself", `document.querySelector("#standing .status").textContent == "Completed"`)
	b.until("the polling has stopped", `!document.querySelector("#progress").hasAttribute("hx-get")`)

	s.change("efface.db", `ALTER TABLE requests RENAME TO gone_requests`)
	b.at("a fault of the server", b.visit("/logs"), http.StatusInternalServerError)
}

// loseKeys takes the data keys of somebody out of the keyring, as nothing but
// a restore of the wrong copy does.
func (s *scene) loseKeys(userID string) {
	s.t.Helper()
	profile := strings.ReplaceAll(userID, "-", "")
	s.read("efface.db", `SELECT key_row FROM fragments WHERE profile IN (SELECT id FROM profiles WHERE lower(hex(efface_id)) = '`+profile+`')`, func(scan func(...any) error) error {
		var row int64
		err := scan(&row)
		s.change("keyring.db", fmt.Sprintf(`DELETE FROM keys WHERE n = %d`, row))
		return err
	})
}

// change runs one statement beside the server.
func (s *scene) change(file, query string) {
	s.t.Helper()
	db, err := sql.Open(seal.Driver, seal.DSN(s.path(file), seal.DSNOptions{}))
	if err != nil {
		s.t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec(query); err != nil {
		s.t.Fatalf("%s: %v", query, err)
	}
}
