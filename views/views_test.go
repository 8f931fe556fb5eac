package views_test

import (
	"strings"
	"testing"
	"time"

	"github.com/PuerkitoBio/goquery"
	"github.com/a-h/templ"
	"github.com/google/uuid"

	"github.com/efface/efface/store/erasure"
	"github.com/efface/efface/views"
)

var made = time.Date(2026, 3, 5, 14, 22, 7, 0, time.UTC)

func page(r erasure.Role) views.Page {
	return views.Page{Operator: erasure.Operator{ID: uuid.New(), Email: "dana@example.com", Role: r}, Location: time.UTC, BaseURL: "http://127.0.0.1:8080", KeyringCopies: 7 * 24 * time.Hour}
}

func pendingRequest() erasure.Request {
	id := uuid.Must(uuid.NewV7())
	return erasure.Request{
		ID: erasure.NewRequestID(made), Table: erasure.User, EffaceID: &id, State: erasure.Pending, Origin: erasure.Console,
		RequestedBy: "dana@example.com", RequestedAt: made, CancelBefore: made.Add(24 * time.Hour), Cancellable: true, Remaining: 24 * time.Hour,
		Asked: erasure.Identifier{Table: erasure.User, Key: "email", Value: "ann@example.com"}, Reason: "asked by letter",
	}
}

func render(t *testing.T, c templ.Component) *goquery.Document {
	t.Helper()
	var b strings.Builder
	if err := c.Render(t.Context(), &b); err != nil {
		t.Fatal(err)
	}
	doc, err := goquery.NewDocumentFromReader(strings.NewReader(b.String()))
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

// every is each page once, with a form's problems where it has a form.
func every() map[string]templ.Component {
	wrong := func(fields ...string) views.Problems {
		var ps views.Problems
		for _, f := range fields {
			ps = append(ps, erasure.Errorf(erasure.CodeInvalid, "Type it again.").In(f))
		}
		return ps
	}
	admin, r := page(erasure.Admin), pendingRequest()
	profile := erasure.Profile{EffaceID: *r.EffaceID, Table: erasure.User, CreatedAt: made, Open: &r,
		Sources: []erasure.Source{{Name: "shop", Identifiers: 1}}, Identifiers: []erasure.HeldIdentifier{{Key: "email", Value: "ann@example.com", Source: "shop"}}}
	group, groups := profile, r
	group.Table, group.Open, group.Memberships, groups.Table = erasure.Group, nil, 1234, erasure.Group
	group.Refused = []uuid.UUID{uuid.New()}
	completedGroup := groups
	completedGroup.State = erasure.Completed
	key := erasure.APIKey{ID: uuid.New(), Name: "desk", Scopes: []erasure.Scope{erasure.ScopeDeletionsWrite}, CreatedAt: made}
	expired, revoked := key, key
	expired.ExpiresAt, revoked.RevokedAt = made, made
	link := &views.OneTimeLink{Email: "ben@example.com", URL: "http://127.0.0.1:8080/link/x", Until: made}
	checked := erasure.Bulk{ID: erasure.NewBatchID(made), Stage: erasure.Checked, Lines: 2, Expires: made,
		Found: erasure.BulkFound{Matched: 1, Refused: 1, Refusals: []erasure.Refusal{{Line: 3, Detail: "Enter a value."}}}}
	checking, queueing, done := checked, checked, checked
	checking.Stage, queueing.Stage, done.Stage = erasure.Checking, erasure.Queueing, erasure.Done
	done.Batch = &erasure.Batch{ID: checked.ID, In: map[erasure.State]int{erasure.Pending: 1}}
	queueing.Batch = done.Batch
	one := erasure.Suppression{Request: r.ID, Table: erasure.User, Key: "email", Since: made, Until: made, SharedAt: made}
	suppressed := erasure.Suppressed{Request: r.ID, Table: erasure.User, Keys: []erasure.SuppressedKey{{Key: "email", Count: 2}}, Since: made, Until: made,
		Shared: []erasure.Suppression{one}, Returns: erasure.Returns{Dropped: 12, Trimmed: 1, LastAt: made}}
	oneGroup := one
	oneGroup.Table = erasure.Group
	check := views.FindForm{Table: erasure.User, Keys: []string{"email"}, Value: "ann@example.com", Problems: wrong("key", "value", "region")}
	return map[string]templ.Component{
		"suppressions":   views.Suppressions(admin, views.SuppressionsPage{Form: check, Checked: &views.Checked{Suppression: &one}, List: []erasure.Suppressed{suppressed}, Next: "/suppressions?cursor=x"}),
		"lift":           views.Lift(admin, one, views.LiftForm{Problems: wrong("reason", "reference")}),
		"group_lift":     views.Lift(admin, oneGroup, views.LiftForm{}),
		"suppressed":     views.Request(admin, views.RequestPage{Request: r, Suppressed: &suppressed, HeldUp: []uuid.UUID{uuid.New()}}),
		"group_suppress": views.Request(admin, views.RequestPage{Request: completedGroup, Suppressed: &suppressed, HeldUp: []uuid.UUID{uuid.New()}}),
		"bulk_upload":    views.BulkUpload(admin, views.BulkForm{Problems: wrong("region", "reference", "reason", "file")}, []erasure.Bulk{{Stage: erasure.Checked}}),
		"bulk_checking":  views.Bulk(admin, views.BulkPage{List: checking}),
		"bulk_checked":   views.Bulk(admin, views.BulkPage{List: checked, Problems: wrong("confirm")}),
		"bulk_queueing":  views.Bulk(admin, views.BulkPage{List: queueing}),
		"bulk_done":      views.Bulk(admin, views.BulkPage{List: done, Remaining: time.Hour}),
		"bulk_cancel":    views.BulkCancel(admin, done, views.BulkCancelForm{Count: 1, Problems: wrong("confirm")}),
		"login":          views.Login(views.Page{}, views.LoginForm{Problems: wrong("email", "password")}),
		"link":           views.Link(views.Page{}, views.LinkForm{Action: "/link/x", AskEmail: true, AskPassword: true, Problems: wrong("email", "password")}),
		"find":           views.Find(admin, views.FindForm{Table: erasure.User, Keys: []string{"email"}, None: true, Problems: wrong("key", "value", "region")}),
		"matches":        views.Matches(admin, []erasure.Profile{profile}),
		"profile":        views.Profile(admin, profile),
		"profile_delete": views.ProfileDelete(admin, profile, views.DeleteForm{Problems: wrong("confirm", "reason", "reference")}),
		"group":          views.Profile(admin, group),
		"group_find":     views.Find(admin, views.FindForm{Table: erasure.Group, Keys: []string{"group_id"}, None: true}),
		"group_delete":   views.ProfileDelete(admin, group, views.DeleteForm{Problems: wrong("confirm", "reason", "reference")}),
		"group_request":  views.Request(admin, views.RequestPage{Request: groups, Confirmed: true}),
		"request":        views.Request(admin, views.RequestPage{Request: r, Confirmed: true}),
		"request_cancel": views.RequestCancel(admin, r, views.CancelForm{Problems: wrong("confirm")}),
		"receipt":        views.Receipt(admin, views.ReceiptPage{Request: r, RequestedBy: "operator:1", Checkpoint: "efface/1\n", LogKey: "efface/1+2+3"}),
		"logs":           views.Logs(admin, views.LogsPage{Requests: []erasure.Request{r}, Problems: wrong("from", "to", "q")}),
		"activity":       views.Activity(admin, []erasure.Activity{{Time: made, Kind: erasure.SignedIn}}, "", ""),
		"keys":           views.Keys(admin, []erasure.APIKey{key}, []erasure.APIKey{expired, revoked}, views.KeyForm{Problems: wrong("name", "scope", "expires")}, &views.MadeKey{Key: key, Token: "t", Lines: []views.Line{{Scope: erasure.ScopeLytics, Text: "curl", Answers: "200"}}}),
		"key_revoke":     views.KeyRevoke(admin, key),
		"operators":      views.Operators(admin, []erasure.Operator{admin.Operator}, views.OperatorForm{Problems: wrong("email", "role")}, link),
		"operator":       views.Operator(admin, admin.Operator, wrong("role"), link),
		"settings":       views.Settings(admin, []views.Setting{{Flag: "--cancel-window", Value: "24h"}}, "efface/1+2+3"),
		"status":         views.Status(admin, views.StatusPage{Gauges: erasure.Gauges{At: made, Disks: []erasure.Disk{{Of: "data"}}}}),
		"developers":     views.Developers(admin, []views.API{{Name: "Lytics", Routes: []views.APIRoute{{Method: "GET", Path: "/v2", Lines: []views.Line{{Text: "curl"}}}}}}),
		"account":        views.Account(admin, []erasure.Session{{ID: uuid.New()}}, views.PasswordForm{Problems: wrong("current", "password")}),
		"error":          views.Error(admin, 404, "There is no such page.", "r-1"),
	}
}

func TestEachPageHasOneHeadingAndItsTitle(t *testing.T) {
	for name, c := range every() {
		doc := render(t, c)
		if n := doc.Find("h1").Length(); n != 1 {
			t.Errorf("%s has %d h1", name, n)
		}
		problem := doc.Find(".alert-danger[role=alert]").Length() > 0 || name == "error"
		if title := doc.Find("title").Text(); strings.HasPrefix(title, "Error: ") != problem {
			t.Errorf("%s with a problem (%v) has the title %q", name, problem, title)
		}
	}
}

func TestEachProblemLeadsToItsInput(t *testing.T) {
	for name, c := range every() {
		doc := render(t, c)
		doc.Find(".problems a").Each(func(_ int, a *goquery.Selection) {
			href := a.AttrOr("href", "")
			if doc.Find(href).Length() != 1 || doc.Find(href+"-problem").Length() != 1 {
				t.Errorf("%s: %s does not lead to one input with its problem", name, href)
			}
		})
		doc.Find(".problems").Each(func(_ int, list *goquery.Selection) {
			if list.Closest("[autofocus][tabindex='-1']").Length() != 1 {
				t.Errorf("%s: the problem summary does not take the focus", name)
			}
		})
	}
}

// Whoever reads a request that is over is told of what is gone, not of a right
// that they lack or of an erasure that never came.
func TestARequestThatIsOverSaysWhatIsGone(t *testing.T) {
	facts := func(role erasure.Role, state erasure.State) map[string]string {
		r, held := pendingRequest(), map[string]string{}
		r.State, r.Cancellable, r.Asked.Value, r.Reason = state, false, "", ""
		render(t, views.Request(page(role), views.RequestPage{Request: r})).Find("dl.facts > div").Each(func(_ int, fact *goquery.Selection) {
			held[fact.Find("dt").Text()] = strings.TrimSpace(fact.Find("dd").Text())
		})
		return held
	}
	for _, role := range erasure.Roles {
		held := facts(role, erasure.Completed)
		if held["Identifier given"] != "Erased with the person" || held["Reason"] != "Erased with the person, if one was given" {
			t.Errorf("of a completed request the role %s reads %q", role, held)
		}
		if held := facts(role, erasure.Cancelled); held["After the erasure"] != "" {
			t.Errorf("of a cancelled request the role %s reads %q", role, held)
		}
	}
	if held := facts(erasure.Staff, erasure.Cancelled); held["Reason"] != "Destroyed since the cancel, if one was given" {
		t.Errorf("of a cancelled request staff reads %q", held)
	}
}

func TestDestroyedKeysArePromisedWithWhatBackupsStillRead(t *testing.T) {
	for _, name := range []string{"profile_delete", "request", "group_delete", "group_request"} {
		if text := render(t, every()[name]).Find("main").Text(); strings.Count(text, "Until 7 days later, copies in backups may still hold it.") != 1 {
			t.Errorf("%s says %q", name, text)
		}
	}
}

func TestNoPageOfAGroupSpeaksOfAPerson(t *testing.T) {
	for _, name := range []string{"group", "group_find", "group_delete", "group_request", "group_lift", "group_suppress"} {
		doc := render(t, every()[name])
		doc.Find("#table, table").Remove() // the choice of the other table, and how each value is matched
		text := strings.Join(strings.Fields(doc.Find("main").Text()), " ")
		if text = strings.ReplaceAll(text, "ask for each person's deletion on their own profile", ""); strings.Contains(text, "person") {
			t.Errorf("%s says %q", name, text)
		}
	}
}

func TestNothingInAPageIsInline(t *testing.T) {
	for name, c := range every() {
		doc := render(t, c)
		doc.Find("*").Each(func(_ int, s *goquery.Selection) {
			for _, a := range s.Nodes[0].Attr {
				if a.Key == "style" || strings.HasPrefix(a.Key, "on") || strings.HasPrefix(a.Val, "data:") {
					t.Errorf("%s: <%s %s=%q>", name, s.Nodes[0].Data, a.Key, a.Val)
				}
			}
		})
		if doc.Find("style, script:not([src])").Length() > 0 {
			t.Errorf("%s has an inline style or script", name)
		}
	}
}

func TestIDsOfAPageAreUnique(t *testing.T) {
	for name, c := range every() {
		seen := map[string]bool{}
		render(t, c).Find("[id]").Each(func(_ int, s *goquery.Selection) {
			id := s.AttrOr("id", "")
			if seen[id] {
				t.Errorf("%s has two elements %q", name, id)
			}
			seen[id] = true
		})
	}
}

func TestRowsAskForThemselvesOnlyWhileTheyHaveAPoll(t *testing.T) {
	rows := func(l views.LogsPage) *goquery.Selection {
		return render(t, views.Logs(page(erasure.Admin), l)).Find("#rows")
	}
	polled := views.LogsPage{Requests: []erasure.Request{pendingRequest()}, Poll: "/logs/rows?state=pending", Every: 2 * time.Second}
	if got := rows(polled).AttrOr("hx-trigger", ""); got != "every 2s" {
		t.Errorf("polled rows have the trigger %q", got)
	}
	polled.Poll = ""
	if _, has := rows(polled).Attr("hx-trigger"); has {
		t.Error("rows without a poll have a trigger")
	}
}

func TestAPendingRowLeadsToItsCancelPageByAStableID(t *testing.T) {
	r := pendingRequest()
	l := views.LogsPage{Requests: []erasure.Request{r}}
	link := "#cancel-" + r.ID.String()
	if href := render(t, views.Logs(page(erasure.Staff), l)).Find(link).AttrOr("href", ""); href != "/requests/"+r.ID.String()+"/cancel" {
		t.Errorf("the row leads to %q", href)
	}
	if render(t, views.Logs(page(erasure.Auditor), l)).Find(link).Length() != 0 {
		t.Error("an auditor is offered a cancel")
	}
}

func TestAuditorsSeeARequestWithoutIdentifierAndReason(t *testing.T) {
	r := pendingRequest()
	text := render(t, views.Request(page(erasure.Auditor), views.RequestPage{Request: r})).Text()
	if strings.Contains(text, r.Asked.Value) || strings.Contains(text, r.Reason) {
		t.Error("an auditor sees the identifier or the reason")
	}
	text = render(t, views.Request(page(erasure.Staff), views.RequestPage{Request: r})).Text()
	if !strings.Contains(text, r.Asked.Value) || !strings.Contains(text, r.Reason) {
		t.Error("staff do not see the identifier and the reason")
	}
}

func TestTheNavigationOffersWhatTheRoleMayOpen(t *testing.T) {
	want := map[erasure.Role]string{
		erasure.Admin:   "/find /bulk /logs /suppressions /settings/keys /settings/operators /settings /activity /status /developers /account",
		erasure.Staff:   "/find /bulk /logs /suppressions /status /developers /account",
		erasure.Auditor: "/logs /suppressions /activity /status /developers /account",
	}
	for role, paths := range want {
		var got []string
		render(t, views.Activity(page(role), nil, "", "")).Find(".sidebar li a").Each(func(_ int, a *goquery.Selection) {
			got = append(got, a.AttrOr("href", ""))
		})
		if strings.Join(got, " ") != paths {
			t.Errorf("%s is offered %v, want %s", role, got, paths)
		}
	}
}
