//go:build browser

package main

import (
	"path/filepath"
	"regexp"
	"testing"
)

// What a browser test does more than once.

const password = "three plain green bottles"

// linkIn is the one-time link in a line that the server printed.
func linkIn(t *testing.T, line string) string {
	t.Helper()
	link := regexp.MustCompile(`http\S+/link/\S+`).FindString(line)
	if link == "" {
		t.Fatalf("there is no link in %q", line)
	}
	return link
}

// setUp makes the first admin by the link that an empty store's server prints.
func (b *tab) setUp(link string) {
	b.t.Helper()
	b.visit(link)
	b.fill("#email", "ann@example.com")
	b.fill("#password", password)
	b.press(`button[type="submit"]`)
	if b.path() != "/find" {
		b.t.Fatalf("set-up leads to %s: %s", b.path(), b.text("main"))
	}
}

// sample imports the sample data beside the server.
func sample(t *testing.T, data string) {
	t.Helper()
	from := filepath.Join("..", "..", "store", "ingest", "testdata")
	must(t, "import", "--data", data, "--source", "crm", filepath.Join(from, "chinook-customers.csv"))
	must(t, "import", "--data", data, "--source", "shop", filepath.Join(from, "chinook-invoices.ndjson"))
}

// find looks somebody up and returns their User ID.
func (b *tab) find(key, value string) (userID string) {
	b.t.Helper()
	b.visit("/find")
	b.choose("#key", key)
	b.fill("#value", value)
	b.submit("/find")
	if userID = b.text("#user-id"); userID == "" {
		b.t.Fatalf("find leads to %s: %s", b.path(), b.text("main"))
	}
	return userID
}

// request asks for the deletion of the profile shown and returns the request's
// id.
func (b *tab) request(userID, reference string) (id string) {
	b.t.Helper()
	b.press(".page-actions .btn-danger")
	b.fill("#reference", reference)
	b.fill("#confirm", userID)
	b.submit("/profiles/" + userID + "/delete")
	if id = b.text("#request-id"); id == "" {
		b.t.Fatalf("the request leads to %s: %s", b.path(), b.text("main"))
	}
	return id
}
