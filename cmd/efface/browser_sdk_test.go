//go:build browser

package main

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/segmentio/analytics-go/v3"
)

// shopper is somebody of whom an SDK tells, under every identifier they have.
type shopper struct{ UserID, AnonymousID, Email, Phone, CRMID string }

// identifiers are the shopper's, by the key that staff find them by.
func (p shopper) identifiers() map[string]string {
	return map[string]string{"user_id": p.UserID, "anonymous_id": p.AnonymousID, "email": p.Email, "phone": p.Phone, "crm_id": p.CRMID}
}

// story is what a shop tells of the shopper: they look round, sign up, and
// come back with another device. Only some of it says who they are.
func (p shopper) story() []analytics.Message {
	day := func(n int) time.Time { return time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC).AddDate(0, 0, n) }
	crm := map[string]any{"externalIds": []map[string]string{{"id": p.CRMID, "type": "crm_id", "collection": "users", "encoding": "none"}}}
	return []analytics.Message{
		analytics.Track{AnonymousId: p.AnonymousID, Event: "Cart viewed", Timestamp: day(0), Properties: analytics.NewProperties().SetCurrency("EUR")},
		analytics.Identify{UserId: p.UserID, Timestamp: day(-40), Traits: analytics.NewTraits().SetEmail(p.Email).SetFirstName("Anneliese")},
		analytics.Alias{PreviousId: p.AnonymousID, UserId: p.UserID, Timestamp: day(1)},
		analytics.Group{UserId: p.UserID, GroupId: "acct-7", Traits: analytics.NewTraits().SetName("Rossi & Figli"), Timestamp: day(-2)},
		analytics.Page{AnonymousId: p.AnonymousID, Name: "Home", Timestamp: day(3)},
		analytics.Screen{UserId: p.UserID, Name: "Orders", Context: &analytics.Context{Traits: analytics.NewTraits().SetPhone(p.Phone)}},
		analytics.Track{UserId: p.UserID, Event: "Order completed", Context: &analytics.Context{Extra: crm}},
	}
}

// An SDK knows no Efface: only its host is another. What it feeds is one
// person, who is found by each identifier, and does not come back once erased.
func TestStoryOfASegmentSDK(t *testing.T) {
	t.Parallel()
	for sdk, feed := range map[string]feeding{"analytics-go": (*scene).feedByGo, "analytics-node": (*scene).feedByNode} {
		t.Run(sdk, func(t *testing.T) {
			t.Parallel()
			fedBy(t, feed)
		})
	}
}

// feeding sends a story by a new client of an SDK, with message ids that begin
// with a text, and expects that all of it is accepted at once.
type feeding func(s *scene, key string, p shopper, ids string)

func fedBy(t *testing.T, feed feeding) {
	s := newScene(t)
	s.command(staffPassword+"\n", "operator", "create", "--email", "staff@example.net", "--role", "operator", "--password-stdin")
	key := strings.TrimSpace(s.command("", "key", "create", "--name", inTheClear, "--scope", "ingest").stdout)
	s.serve("1s")
	ann := shopper{UserID: "uid-anneliese", AnonymousID: "anon-anneliese", Email: "anneliese@rossi.example", Phone: "+436601234567", CRMID: "crm-anneliese"}
	bob := shopper{UserID: "uid-bertram-1", AnonymousID: "anon-bertram-1", Email: "bertram@rossi.example", Phone: "+436607654321", CRMID: "crm-bertram-1"}
	for _, p := range []shopper{ann, bob} {
		for _, value := range p.identifiers() {
			s.planted.add(value)
		}
		for range 2 { // as an SDK does that heard no answer
			feed(s, key, p, p.UserID)
		}
	}

	b := browse(t, s.base)
	b.visit("/login")
	b.fill("#email", "staff@example.net")
	b.fill("#password", staffPassword)
	b.press(`main button[type="submit"]`)
	userID := b.isOne(ann)
	other := b.isOne(bob)
	if userID == other {
		t.Fatal("two people are one")
	}
	b.visit("/profiles/" + userID)
	b.shows(".facts", "Records\n5")
	s.look("what an SDK fed")

	b.press(".page-actions .btn-danger")
	b.choose("#suppress", "")
	b.fill("#confirm", userID)
	b.submit("/profiles/" + userID + "/delete")
	request := b.text("#request-id")
	for b.visit("/logs"); b.text("#row-"+request+" .status") != "Completed"; b.reload() {
	}
	left := s.rows()
	feed(s, key, ann, ann.UserID)   // sent again
	feed(s, key, ann, "once more ") // the same, told anew
	s.sendAsOtherSDKs(key, ann)

	for name, value := range ann.identifiers() {
		b.visit("/find")
		b.choose("#key", name)
		b.fill("#value", value)
		b.submit("/find")
		b.shows("main", "Nobody")
		a := want(t, 200, "a find")(s.api("POST", "/api/v1/profiles/find", map[string]string{"key": name, "value": value}))
		if strings.TrimSpace(a.body) != `{"profiles":[]}` {
			t.Errorf("by %s the API finds %s", name, a.body)
		}
	}
	if again := b.isOne(bob); again != other {
		t.Errorf("the other one is %s, not %s", again, other)
	}
	if after := s.rows(); after != left {
		t.Errorf("rows of a person are back: %s, and after the erasure there were %s", after, left)
	}
	s.look("what an SDK fed again")
}

// rows counts what is held of people and groups.
func (s *scene) rows() string {
	s.t.Helper()
	var counts []string
	for _, table := range []string{"profiles", "fragments", "identifiers", "lookup", "traits", "records", "memberships",
		"merges", "refused_merges", "over_limit"} {
		counts = append(counts, fmt.Sprint(table, " ", s.count(`SELECT COUNT(*) FROM `+table)))
	}
	return strings.Join(counts, ", ")
}

// isOne finds the same profile by each of somebody's identifiers.
func (b *tab) isOne(p shopper) (userID string) {
	b.t.Helper()
	for name, value := range p.identifiers() {
		found := b.find(name, value)
		if userID == "" {
			userID = found
		}
		if found != userID {
			b.t.Errorf("by %s %s is found, not %s", name, found, userID)
		}
	}
	return userID
}

// feedByNode is a [feeding].
func (s *scene) feedByNode(key string, p shopper, ids string) {
	s.t.Helper()
	if _, err := os.Stat(filepath.Join("..", "..", "node_modules", "@segment", "analytics-node")); err != nil {
		s.t.Fatal("This test needs an SDK from npm: run make test, which fetches it.")
	}
	said, err := exec.CommandContext(s.t.Context(), "node", filepath.Join("testdata", "sdk.mjs"), s.base, key, compact(p), ids).CombinedOutput()
	if err != nil || len(said) > 0 {
		s.t.Fatalf("the SDK ends with %v and says %s", err, said)
	}
}

// feedByGo is a [feeding].
func (s *scene) feedByGo(key string, p shopper, ids string) {
	s.t.Helper()
	told := &tally{}
	client, err := analytics.NewWithConfig(key, analytics.Config{Endpoint: s.base, Callback: told, Logger: analytics.StdLogger(log.New(told, "", 0)),
		RetryAfter: func(int) time.Duration { return time.Millisecond }})
	if err != nil {
		s.t.Fatal(err)
	}
	story := p.story()
	for i, m := range story {
		if err := client.Enqueue(withID(m, fmt.Sprint(ids, i))); err != nil {
			s.t.Fatal(err)
		}
	}
	if err := client.Close(); err != nil {
		s.t.Fatal(err)
	}
	if told.accepted != len(story) || told.failed != nil || told.complaints.Len() > 0 {
		s.t.Fatalf("of %d messages %d are accepted; %v; the SDK says %s", len(story), told.accepted, told.failed, &told.complaints)
	}
}

// withID gives a message an id, as whoever sends it again does.
func withID(m analytics.Message, id string) analytics.Message {
	switch m := m.(type) {
	case analytics.Track:
		m.MessageId = id
		return m
	case analytics.Identify:
		m.MessageId = id
		return m
	case analytics.Alias:
		m.MessageId = id
		return m
	case analytics.Group:
		m.MessageId = id
		return m
	case analytics.Page:
		m.MessageId = id
		return m
	case analytics.Screen:
		m.MessageId = id
		return m
	}
	panic("a message that no story has")
}

// tally is told by the SDK what became of its messages.
type tally struct {
	mu         sync.Mutex
	accepted   int
	failed     error
	complaints bytes.Buffer
}

// Success implements [analytics.Callback].
func (t *tally) Success(analytics.Message) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.accepted++
}

// Failure implements [analytics.Callback].
func (t *tally) Failure(_ analytics.Message, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.failed = err
}

// Write implements [io.Writer].
func (t *tally) Write(line []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.complaints.Write(line)
}

// sendAsOtherSDKs sends what else public SDKs send: gzip as if it were a form,
// the key in the body, what messages share beside them, and ids as numbers.
func (s *scene) sendAsOtherSDKs(key string, p shopper) {
	s.t.Helper()
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	fmt.Fprintf(z, `{"batch":[{"type":"track","anonymousId":%q,"event":"Cart viewed"},{"type":"screen","userId":%q,"anonymousId":null}],
		"context":{"traits":{"email":%q,"phone":%q}},"timestamp":"2026-02-01T12:00:00.000Z","sentAt":"2019-01-01T00:00:00Z","writeKey":%q}`,
		p.AnonymousID, p.UserID, p.Email, p.Phone, key)
	if err := z.Close(); err != nil {
		s.t.Fatal(err)
	}
	a := want(s.t, 200, "a packed batch")(s.send("POST", "/v1/batch", &packed, "Content-Type", "application/x-www-form-urlencoded", "Content-Encoding", "gzip"))
	one := fmt.Sprintf(`{"userId":%q,"traits":{"email":%q},"writeKey":%q}`, p.UserID, p.Email, key)
	if a.body != `{"success": true}` || want(s.t, 200, "one call")(s.send("POST", "/v1/identify", strings.NewReader(one), "Content-Type", "text/plain")).body != a.body {
		s.t.Errorf("the answer is %s", a.body)
	}
}
