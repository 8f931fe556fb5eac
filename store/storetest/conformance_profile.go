package storetest

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/efface/efface/store/erasure"
	"github.com/efface/efface/store/ingest"
)

// profiles is what a look at a profile says of it.
var profiles = behaviours{
	"records are counted by source and year, whatever a clock says": func(t *testing.T, d trial) {
		now := d.clock.Now().Wall
		at := func(source string, at time.Time) {
			Tell(t, d.DB, ingest.Call{Kind: ingest.Track, Table: erasure.User, Source: source, At: at,
				Identifiers: Identifiers("user_id", "u1"), Record: []byte(`{}`)})
		}
		at("shop", now)
		at("shop", now.AddDate(-3, 0, 0))
		at("shop", time.Date(now.Year(), 1, 1, 0, 30, 0, 0, time.FixedZone("", 3600))) // in UTC, last year
		at("shop", time.Date(1969, 12, 31, 23, 59, 59, 0, time.UTC))
		at("shop", time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC))
		at("web", now.AddDate(1, 0, 0))
		Identify(t, d.DB, "crm", "user_id", "u1")
		want := map[string]map[int]int{
			"shop": {0: 2, now.Year() - 3: 1, now.Year() - 1: 1, now.Year(): 1},
			"web":  {now.Year() + 1: 1},
			"crm":  nil,
		}
		for _, s := range One(t, d.DB, "user_id", "u1").Sources {
			if !maps.Equal(s.Years, want[s.Name]) {
				t.Errorf("%s has records of %v, want %v", s.Name, s.Years, want[s.Name])
			}
		}
	},
	"what came since a profile was seen is told, and not requested": func(t *testing.T, d trial) {
		Identify(t, d.DB, "shop", "user_id", "u1", "email", "ann@example.com")
		Identify(t, d.DB, "shop", "user_id", "u2", "email", "ben@example.com")
		for _, grown := range []struct {
			grow func()
			says string
		}{
			{func() { Identify(t, d.DB, "shop", "user_id", "u1", "anonymous_id", "a1", "phone", "+49301234567") }, "2 identifiers came"},
			{func() { Identify(t, d.DB, "web", "user_id", "u1") }, "1 source came"},
			{func() { Identify(t, d.DB, "shop", "user_id", "u2", "email", "ann@example.com") }, "Since you looked, 1 of the identifiers came to lead to another profile too: "},
			{func() {
				Identify(t, d.DB, "crm", "anonymous_id", "a2")
				d.clock.Advance(time.Second)
				Identify(t, d.DB, "crm", "user_id", "u1", "anonymous_id", "a2")
			}, "1 identifier, 1 source and 1 joined profile came"},
		} {
			seen, id := d.seen(t, "u1")
			grown.grow()
			_, _, err := d.RequestErasure(t.Context(), erasure.NewRequest{EffaceID: &id, Origin: erasure.Console, Actor: erasure.System, Seen: &seen})
			var e *erasure.Error
			if !errors.As(err, &e) || e.Code != erasure.CodeConflict || e.Field != "seen" || !strings.HasPrefix(e.Sentence, grown.says) {
				t.Errorf("got %v, want that %s", err, grown.says)
			}
		}
		seen, id := d.seen(t, "u1")
		Identify(t, d.DB, "shop", "user_id", "u1", "email", "ann@example.com")
		Tell(t, d.DB, ingest.Call{Kind: ingest.Track, Table: erasure.User, Source: "shop", Identifiers: Identifiers("user_id", "u1"), Record: []byte(`{}`)})
		for _, garbage := range []string{"", "AQ", seen[:len(seen)-1], "x" + seen, forged()} {
			if _, _, err := d.RequestErasure(t.Context(), erasure.NewRequest{EffaceID: &id, Origin: erasure.Console, Actor: erasure.System, Seen: &garbage}); erasure.CodeOf(err) != erasure.CodeConflict {
				t.Errorf("%q is taken for what was seen: %v", garbage, err)
			}
		}
		ask := erasure.NewRequest{EffaceID: &id, Origin: erasure.Console, Actor: erasure.System, Seen: &seen}
		_, created, err := d.RequestErasure(t.Context(), ask)
		if err != nil || !created {
			t.Errorf("nothing new came, and the request is refused: %v", err)
		}
		Identify(t, d.DB, "shop", "user_id", "u1", "anonymous_id", "a3")
		if _, created, err := d.RequestErasure(t.Context(), ask); err != nil || created {
			t.Errorf("the open request is not found again: %v", err)
		}
	},
	"what was seen of thousands of identifiers fits into a form": func(t *testing.T, d trial) {
		tell := func(from, to int) {
			for i := from; i < to; i += 100 {
				pairs := []string{"user_id", "u1"}
				for j := i; j < i+100; j++ {
					pairs = append(pairs, fmt.Sprint("key_", j/90), fmt.Sprint(j))
				}
				Identify(t, d.DB, "shop", pairs...)
			}
		}
		tell(0, 600)
		few, _ := d.seen(t, "u1")
		tell(600, 3000)
		many, id := d.seen(t, "u1")
		if len(few) > 8<<10 || len(many) > len(few) {
			t.Errorf("what was seen takes %d bytes, then %d", len(few), len(many))
		}
		tell(3000, 3100)
		_, _, err := d.RequestErasure(t.Context(), erasure.NewRequest{EffaceID: &id, Origin: erasure.Console, Actor: erasure.System, Seen: &many})
		if err == nil || !strings.Contains(err.Error(), "100 identifiers came") {
			t.Errorf("got %v", err)
		}
		for _, since := range []struct {
			seen   string
			marked bool
		}{{few, true}, {many, false}} {
			p, err := d.ProfileSince(t.Context(), erasure.System, id, since.seen)
			must(t, err)
			marked := slices.ContainsFunc(p.Identifiers, func(h erasure.HeldIdentifier) bool { return h.New })
			if marked != since.marked || p.Unmarked == since.marked {
				t.Errorf("identifiers are marked as new: %v; too many are held to be: %v", marked, p.Unmarked)
			}
		}
	},
	"a shared identifier tells whom it leads to, and how many more": func(t *testing.T, d trial) {
		Identify(t, d.DB, "shop", "user_id", "u0", "email", "team@example.com")
		first := One(t, d.DB, "user_id", "u0").EffaceID
		for i := 1; i < 14; i++ {
			Identify(t, d.DB, "shop", "user_id", fmt.Sprint("u", i), "email", "team@example.com")
		}
		p, err := d.Profile(t.Context(), erasure.System, One(t, d.DB, "user_id", "u3").EffaceID)
		must(t, err)
		for _, h := range p.Identifiers {
			if h.Key == "user_id" && (h.Shared || len(h.Others) > 0 || h.More > 0) || h.Key == "email" && (len(h.Others) != 10 || h.More != 3 || h.Others[0] != first) {
				t.Errorf("%s leads to %v and %d more", h.Key, h.Others, h.More)
			}
		}
	},
}

// forged says that a million of each kind were seen.
func forged() string {
	b := append([]byte{2}, bytes.Repeat(binary.AppendUvarint(nil, 1<<20), 4)...)
	return base64.RawURLEncoding.EncodeToString(append(b, make([]byte, 16)...))
}

// seen is what a look at the user's profile saw.
func (d trial) seen(t *testing.T, user string) (seen string, id uuid.UUID) {
	t.Helper()
	p, err := d.Profile(t.Context(), erasure.System, One(t, d.DB, "user_id", user).EffaceID)
	must(t, err)
	return p.Seen, p.EffaceID
}
