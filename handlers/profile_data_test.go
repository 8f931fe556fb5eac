package handlers

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/efface/efface/store/erasure"
	"github.com/efface/efface/store/ingest"
	"github.com/efface/efface/store/storetest"
)

func dataPath(p erasure.Profile) string { return profilePath(p.EffaceID) + "/data.json" }

// recorded stores somebody with records of a size from two sources.
func (st *site) recorded(records, size int) erasure.Profile {
	st.t.Helper()
	var calls []ingest.Call
	for i := range records {
		calls = append(calls, ingest.Call{Kind: ingest.Track, Table: erasure.User, Source: []string{"shop", "crm"}[i%2], At: time.UnixMilli(int64(i)),
			Identifiers: storetest.Identifiers("user_id", "u1"), Record: fmt.Appendf(nil, `{"n":%d,"pad":%q}`, i, strings.Repeat("x", size))})
	}
	if _, err := st.db.Ingest(st.t.Context(), calls); err != nil {
		st.t.Fatal(err)
	}
	return storetest.One(st.t, st.db, "user_id", "u1")
}

func TestADownloadHoldsAllThatIsHeld(t *testing.T) {
	st := newSite(t)
	p := st.merged()
	storetest.Tell(t, st.db, ingest.Call{Kind: ingest.Identify, Table: erasure.User, Source: "crm",
		Identifiers: storetest.Identifiers("email", "old@example.com", "user_id", "u1", "phone", `"><script>`),
		Traits:      map[string]jsontext.Value{"name": jsontext.Value(`"Ann 🚀 <b>"`), "big": jsontext.Value(`12345678901234567890`)}})
	st.recorded(1001, 10)
	b := st.signedIn(erasure.Staff)
	if href := b.get(profilePath(p.EffaceID)).find("a[download]").AttrOr("href", ""); href != dataPath(p) {
		t.Errorf("the profile leads to the download %q", href)
	}
	a := b.get(profilePath(p.Former[0]) + "/data.json").want(http.StatusOK)
	if got := a.header.Get("Content-Disposition"); got != `attachment; filename="profile-`+p.EffaceID.String()+`.json"` || a.header.Get("Cache-Control") != "no-store" {
		t.Errorf("it comes as %q, %q", got, a.header.Get("Cache-Control"))
	}
	var file struct {
		heldData
		Records []dataRecord `json:"records"`
	}
	if err := json.Unmarshal([]byte(a.body), &file); err != nil {
		t.Fatal(err)
	}
	if file.EffaceID != p.EffaceID || len(file.Former) != 1 || len(file.Merges) != 1 || file.Merges[0].Former != p.Former[0] || file.Merges[0].Key != "email" {
		t.Errorf("the file is of %v: %+v", file.EffaceID, file.Merges)
	}
	values := map[string]bool{}
	for _, id := range file.Identifiers {
		values[id.Source+" "+id.Key+" "+id.Value] = true
	}
	for _, want := range []string{"shop email old@example.com", "shop email new@example.com", "crm user_id u1", `crm phone "><script>`} {
		if !values[want] {
			t.Errorf("%q is not among %v", want, values)
		}
	}
	if len(file.Traits) != 1 || file.Traits[0].Source != "crm" || !strings.Contains(string(file.Traits[0].Traits), "12345678901234567890") {
		t.Errorf("the traits are %+v", file.Traits)
	}
	times := map[string]bool{}
	for _, r := range file.Records {
		times[r.Time] = true
	}
	if len(file.Records) != 1001 || len(times) != 1001 || !times["1970-01-01T00:00:00Z"] {
		t.Errorf("it has %d records of %d times", len(file.Records), len(times))
	}
}

// Older stores kept what clocks said of any year.
func TestADownloadHoldsRecordsOfAnyYear(t *testing.T) {
	st := newSite(t)
	for _, at := range []time.Time{time.Date(10000, 1, 1, 9, 59, 59, 0, time.UTC), time.Date(-1, 12, 31, 10, 0, 0, 0, time.UTC)} {
		storetest.Tell(t, st.db, ingest.Call{Kind: ingest.Track, Table: erasure.User, Source: "shop", At: at,
			Identifiers: storetest.Identifiers("user_id", "u1"), Record: []byte(`{}`)})
	}
	a := st.signedIn(erasure.Staff).get(dataPath(storetest.One(t, st.db, "user_id", "u1"))).want(http.StatusOK)
	if !json.Valid([]byte(a.body)) || !strings.Contains(a.body, `"10000-01-01T09:59:59Z"`) || strings.Count(a.body, `"content":{}`) != 2 {
		t.Errorf("the file is %s", a.body)
	}
}

// I8: data that was taken out is logged as such.
func TestI8ADownloadIsLogged(t *testing.T) {
	st := newSite(t)
	p := st.person("user_id", "u1")
	for role, status := range map[erasure.Role]int{erasure.Auditor: http.StatusForbidden, erasure.Staff: http.StatusOK, erasure.Admin: http.StatusOK} {
		st.signedIn(role).get(dataPath(p)).want(status)
	}
	if n := st.entries(erasure.ProfileExported); n != 2 || st.entries(erasure.ProfileViewed) != 0 {
		t.Errorf("%d downloads are logged, want 2", n)
	}
	st.signedIn(erasure.Admin).get("/activity").says(http.StatusOK, "Downloaded a profile's data")
}

func TestADownloadOfSomebodyWhoIsErasedMeanwhileBreaksOff(t *testing.T) {
	for name, erase := range map[string]func(*site){"claimed": (*site).claim, "erased": (*site).erase} {
		t.Run(name, func(t *testing.T) {
			st := newSite(t)
			p := st.recorded(2000, 10_000)
			st.requested(p)
			b := st.signedIn(erasure.Staff)
			r, err := http.NewRequestWithContext(t.Context(), "GET", st.url+dataPath(p), nil)
			if err != nil {
				t.Fatal(err)
			}
			res, err := b.client.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			defer res.Body.Close()
			erase(st)
			text, err := io.ReadAll(res.Body)
			if err == nil || json.Valid(text) || res.StatusCode != http.StatusOK {
				t.Errorf("%d: %d bytes came, and then %v", res.StatusCode, len(text), err)
			}
			st.signedIn(erasure.Staff).get(dataPath(p)).want(http.StatusNotFound)
			if log := st.log.String(); strings.Contains(log, "ERROR") || !strings.Contains(log, "No profile") {
				t.Errorf("an erasure is logged as an error, or not at all: %s", log)
			}
		})
	}
}
