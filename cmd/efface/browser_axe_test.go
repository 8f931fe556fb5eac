//go:build browser

package main

import (
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

// axe finds what keeps people from using a page. The page's policy allows no
// foreign script; the protocol of the browser is not bound by it.
func (b *tab) axe(name string) {
	b.t.Helper()
	source := readFile(b.t, filepath.Join("..", "..", "node_modules", "axe-core", "axe.min.js"))
	b.eval(source + "; true")
	for _, width := range []int64{1280, 320} {
		for _, scheme := range []string{"light", "dark"} {
			b.look(width, scheme)
			b.until("the colours follow the system", fmt.Sprintf(`document.documentElement.dataset.bsTheme == %q`, scheme))
			for _, v := range do(b, "axe", chromedp.Evaluate[[]string](fmt.Sprintf(axeRun, rules[scheme]), chromedp.EvalAwaitPromise)) {
				b.t.Errorf("%s, %d px, %s: %s", name, width, scheme, v)
			}
			if over := do(b, "width", chromedp.Evaluate[int](`document.documentElement.scrollWidth - innerWidth`)); over > 0 {
				b.t.Errorf("%s, %d px: the page is %d px too wide", name, width, over)
			}
		}
	}
	b.look(1280, "light")
}

// rules are those that apply. The colour scheme changes nothing but colours.
var rules = map[string]string{
	"light": `["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]`,
	"dark":  `["color-contrast", "link-in-text-block"]`,
}

const axeRun = `axe.run(document, {runOnly: %s, resultTypes: ["violations"], preload: false}).then(r =>
	r.violations.flatMap(v => v.nodes.map(n => v.id + ": " + n.target.join(" ") + ": " + n.failureSummary)))`

// at checks a page that was reached with a status.
func (b *tab) at(name string, status, want int) {
	b.t.Helper()
	if status != want {
		b.t.Errorf("%s answers %d, want %d", name, status, want)
	}
	b.axe(name)
}

func TestAxeFindsNothingOnPagesOfANewStore(t *testing.T) {
	t.Parallel()
	data := filepath.Join(t.TempDir(), "data")
	s := serve(t, 2, "serve", "--data", data, "--listen", "127.0.0.1:0")
	b := browse(t, s.base)
	link := linkIn(t, s.out[1])

	b.at("set-up", b.visit(link), http.StatusOK)
	b.fill("#email", "ann")
	b.fill("#password", "short")
	b.eval(`(document.querySelector("form").noValidate = true)`)
	b.at("set-up with problems", b.press(`button[type="submit"]`), http.StatusUnprocessableEntity)
	b.fill("#email", "ann@example.com")
	b.fill("#password", password)
	b.at("Find User", b.press(`button[type="submit"]`), http.StatusOK)
	b.at("empty logs", b.visit("/logs"), http.StatusOK)
	b.at("no keys", b.visit("/settings/keys"), http.StatusOK)
	b.at("a link used up", b.visit(link), http.StatusNotFound)

	efface(t, password+"\n", "operator", "create", "--data", data, "--email", "eve@example.com", "--role", "auditor", "--password-stdin")
	invited := must(t, "operator", "create", "--data", data, "--email", "bob@example.com", "--role", "operator", "--base-url", s.base).stdout
	b.at("invitation", b.visit(strings.TrimSpace(invited)), http.StatusOK)
	b.visit("/account")
	b.press(".sidebar-account form button")
	b.at("sign-in", b.visit("/logs"), http.StatusOK)
	b.fill("#email", "eve@example.com")
	b.eval(`(document.querySelector("form").noValidate = true)`)
	b.at("sign-in without a password", b.submit("/login"), http.StatusUnprocessableEntity)
	b.fill("#password", password)
	b.submit("/login")
	b.at("a page of another role", b.visit("/find"), http.StatusForbidden)
	b.at("logs of an auditor", b.visit("/logs"), http.StatusOK)
	b.press(".sidebar-account form button")
	b.fill("#email", "eve@example.com")
	status := http.StatusUnauthorized
	for status == http.StatusUnauthorized { // the wait doubles until it is longer than a slow machine takes to try
		b.fill("#password", "not it")
		status = b.submit("/login")
	}
	b.at("too many tries", status, http.StatusTooManyRequests)
	b.visit("/login")
	b.fill("#email", "nobody@example.com")
	b.fill("#password", "not it")
	b.at("refused sign-in", b.submit("/login"), http.StatusUnauthorized)
}

func TestAxeFindsNothingOnPagesOfAFilledStore(t *testing.T) {
	t.Parallel()
	s := serve(t, 3, "demo", "--data", filepath.Join(t.TempDir(), "demo"), "--listen", "127.0.0.1:0", "--people", "100")
	b := browse(t, s.base)
	b.at("one-time link", b.visit(linkIn(t, s.out[1])), http.StatusOK)
	b.press(`button[type="submit"]`)
	axeOfFind(b)
	axeOfADeletion(b)
	axeOfLists(b)
	axeOfSettings(b)
}

func axeOfFind(b *tab) {
	find := func(key, value, region string) int {
		b.visit("/find")
		b.choose("#key", key)
		b.fill("#value", value)
		b.choose("#region", region)
		return b.submit("/find")
	}
	b.at("find with a problem", find("email", "", ""), http.StatusUnprocessableEntity)
	b.at("nobody found", find("email", "nobody@example.com", ""), http.StatusOK)
	b.at("searched as typed", find("phone", "none", ""), http.StatusOK)
	b.at("several match", find("email", makePerson(38).email, ""), http.StatusOK)
	b.at("profile with a shared identifier", b.press("td a"), http.StatusOK)
	b.visit("/find?table=group")
	b.fill("#value", "acct-0")
	b.at("no group found", b.submit("/find"), http.StatusOK)
	b.fill("#value", "acct-1")
	b.at("profile of a group", b.submit("/find"), http.StatusOK)
	b.shows(".facts", "Members\n24") // of 25 one is erased
	b.at("request form of a group", b.press(".page-actions .btn-danger"), http.StatusOK)
	b.at("no such profile", b.visit("/profiles/01890000-0000-7000-8000-000000000000"), http.StatusNotFound)
	b.at("no such page", b.visit("/nothing"), http.StatusNotFound)
	b.visit("/find")
	b.eval(`(document.querySelector("[name=table]").value = "x".repeat(70000), true)`)
	b.at("too large", b.submit("/find"), http.StatusRequestEntityTooLarge)
}

func axeOfADeletion(b *tab) {
	b.find("email", "leonekohler@surfeu.de")
	profile := b.path()
	b.at("request form", b.press(".page-actions .btn-danger"), http.StatusOK)
	b.fill("#reference", "not a ticket number")
	b.fill("#confirm", "not it")
	b.at("request form with problems", b.submit(profile+"/delete"), http.StatusUnprocessableEntity)
	b.fill("#reference", "DSR-2041")
	b.fill("#confirm", b.text("#user-id"))
	b.at("confirmed request", b.submit(profile+"/delete"), http.StatusOK)
	request := b.path()
	b.at("profile with a request", b.visit(profile), http.StatusOK)
	b.at("cancel form", b.visit(request+"/cancel"), http.StatusOK)
	b.at("cancel form with a problem", b.submit(request+"/cancel"), http.StatusUnprocessableEntity)
	b.fill("#confirm", b.text("#user-id"))
	b.at("cancelled request", b.submit(request+"/cancel"), http.StatusOK)
	b.at("cancelled before", b.visit(request+"/cancel"), http.StatusConflict)
}

func axeOfLists(b *tab) {
	b.at("logs", b.visit("/logs"), http.StatusOK)
	b.at("completed request", b.visit("/logs?state=completed"), http.StatusOK)
	b.at("completed request", b.press("#rows a"), http.StatusOK)
	b.shows("main", "tried to come back 4 times")
	b.at("suppression", b.visit("/suppressions"), http.StatusOK)
	b.at("nothing checked", b.submit("/suppressions/check"), http.StatusUnprocessableEntity)
	b.eval(`(document.querySelector("[name=table][value=group]").click(), true)`)
	b.until("a group's keys are offered", `document.querySelector("#key").value == "group_id"`)
	b.visit("/suppressions")
	check := func(key, value string) int {
		b.choose("#key", key)
		b.fill("#value", value)
		return b.submit("/suppressions/check")
	}
	b.at("not suppressed", check("email", "nobody@example.com"), http.StatusOK)
	b.at("suppressed", check("user_id", makePerson(suppressedPerson).userID), http.StatusOK)
	b.at("suppressed and shared", check("email", makePerson(suppressedPerson).email), http.StatusOK)
	b.at("lift", b.submit("/suppressions/lift"), http.StatusOK)
	b.choose("#reason [value=asked]", "")
	b.fill("#reference", "not a ticket number")
	b.at("lift with problems", b.submit("/suppressions/lift/confirm"), http.StatusUnprocessableEntity)
	b.fill("#reference", "DSR-2060")
	b.at("lifted", b.submit("/suppressions/lift/confirm"), http.StatusOK)
	b.shows(".alert-success", "The suppression is lifted")
	b.at("logs with nothing that fits", b.visit("/logs?q=DSR-9"), http.StatusOK)
	b.at("logs with problems", b.visit("/logs?from=today&to=x&q=a%40b"), http.StatusUnprocessableEntity)
	b.at("activity", b.visit("/activity"), http.StatusOK)
	b.at("log entry", b.press("tbody .num a"), http.StatusOK)
	b.at("first log entry", b.visit("/logs/entries/0"), http.StatusOK)
}

func axeOfSettings(b *tab) {
	b.visit("/settings/keys")
	b.at("key without a name", b.submit("/settings/keys"), http.StatusUnprocessableEntity)
	b.fill("#name", "crm-sync")
	b.choose(`[value="deletions:write"]`, "")
	b.at("new key", b.submit("/settings/keys"), http.StatusOK)
	b.at("revoking", b.press(`a[href$="/revoke"]`), http.StatusOK)
	b.visit("/settings/operators")
	b.at("operator without an e-mail", b.submit("/settings/operators"), http.StatusUnprocessableEntity)
	b.fill("#email", "bob@example.com")
	b.choose(`[value="auditor"]`, "")
	b.at("new operator", b.submit("/settings/operators"), http.StatusOK)
	b.at("operator", b.press(`td a[href^="/settings/operators/"]`), http.StatusOK)
	b.at("settings", b.visit("/settings"), http.StatusOK)
	b.at("status", b.visit("/status"), http.StatusOK)
	b.at("developers", b.visit("/developers"), http.StatusOK)
	b.visit("/account")
	b.at("account with problems", b.submit("/account/password"), http.StatusUnprocessableEntity)
	b.at("account", b.visit("/account"), http.StatusOK)
	b.look(320, "light")
	b.eval(`(document.querySelector("[data-menu]").click(), true)`)
	b.at("open menu", http.StatusOK, http.StatusOK)
}
