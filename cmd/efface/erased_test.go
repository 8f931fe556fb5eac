package main

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/efface/efface/store/storetest"
)

// I2, I7: once a request is completed, no wrapped key of the profile is in any
// file, and no row of it but the request and its log entries; while a reader
// keeps the old pages, it is not completed. So it is wherever the keyring is.
func TestAnErasedProfileLeavesNoKeyAndNoRow(t *testing.T) {
	t.Parallel()
	t.Run("keys in the data directory", func(t *testing.T) {
		t.Parallel()
		newScene(t).leavesNoKeyAndNoRow(t)
	})
	t.Run("keys elsewhere", func(t *testing.T) {
		t.Parallel()
		s := newScene(t)
		s.keysElsewhere()
		s.leavesNoKeyAndNoRow(t)
	})
}

func (s *scene) leavesNoKeyAndNoRow(t *testing.T) {
	s.serve("3s")
	people := s.crowd(240, 0)
	for _, source := range []string{"shop", "crm"} { // a fragment for each
		s.importCalls(people, source)
	}
	s.importGroups(people)
	profiles := s.profiles()
	keys := s.keyring()
	gone, kept := newPlanted(), newPlanted()
	release := openReaders(t, s.path("efface.db"), s.path("keyring.db")) // before a window can have passed
	erased, planted := map[uuid.UUID]bool{}, map[int64]bool{}
	for i, p := range people[:120] {
		erased[s.request(p, i%10 == 0)] = true
		if i%20 == 19 {
			s.plantRequestKeys(gone, keys, planted)
		}
	}
	erased[s.requestGroup("gone")] = true
	for id, p := range profiles {
		for _, row := range p.keys {
			if erased[id] {
				gone.addKey(keys[row], "a data key of "+id.String())
			} else {
				kept.addKey(keys[row], fmt.Sprint(row))
			}
		}
	}
	if len(planted) < len(erased)/2 {
		t.Errorf("only %d keys of requests could be read before they were destroyed", len(planted))
	}

	storetest.Eventually(t, "every request is claimed", func() bool {
		return s.count(`SELECT COUNT(*) FROM requests WHERE started_at > 0`) == len(erased)
	})
	s.importCalls(s.crowd(300, 0), "shop") // while the keys wait for the readers
	if n := s.count(`SELECT COUNT(*) FROM requests WHERE state = 'completed'`); n != 0 {
		t.Errorf("%d requests are completed while a reader keeps the keys", n)
	}
	if len(s.search(gone, nil)) == 0 {
		t.Error("no key is in any file: the readers kept nothing, or the search does not work")
	}
	release()
	storetest.Eventually(t, "every request is completed", func() bool { return s.count(openRequests) == 0 })
	check := func(when string) {
		t.Helper()
		s.search(gone, slices.DeleteFunc([]*process{s.server}, func(p *process) bool { return p == nil })).report(t, when)
		if n := len(s.search(kept, nil)); n != 2*120+1 {
			t.Errorf("%s: %d of 241 keys of those who stay are found", when, n)
		}
	}
	check("once completed")
	s.kill()
	check("after a kill -9")
	s.serve("1s")
	check("after the next start")
	s.comeBack(people[:120])
	s.noRowOf(profiles, erased)
	if n := s.count(`SELECT COUNT(*) FROM memberships`); n != 120 {
		t.Errorf("%d memberships of those who stay are left, not 120", n)
	}
}

// comeBack tells again of those who may not be collected, also beside somebody
// else: that leaves counts and nothing of them.
func (s *scene) comeBack(erased []somebody) {
	s.t.Helper()
	var calls strings.Builder
	suppressed := 0
	for i, p := range erased {
		if i%10 == 0 {
			suppressed++
			calls.WriteString(p.calls())
			fmt.Fprintf(&calls, `{"type":"identify","userId":"other-%d","traits":{"email":%q}}`+"\n", i, p.email)
		}
	}
	e := s.command(calls.String(), "import", "--source", "shop", "-")
	if want := fmt.Sprintf("%d added, 0 seen before, %d suppressed, 0 refused", suppressed, 2*suppressed); !strings.HasPrefix(e.summary(), want) {
		s.t.Errorf("what comes back is %q, not %q", e.summary(), want)
	}
	if n := s.count(`SELECT COUNT(*) FROM returns WHERE dropped = 2 AND trimmed = 1`); n != suppressed {
		s.t.Errorf("of %d people %d are counted as having come back", suppressed, n)
	}
}

// importGroups makes everybody a member of a group that will go and of one that
// stays.
func (s *scene) importGroups(people []somebody) {
	s.t.Helper()
	var calls strings.Builder
	for _, p := range people {
		for _, group := range []string{"gone", "kept"} {
			fmt.Fprintf(&calls, `{"type":"group","userId":%q,"groupId":%q}`+"\n", p.userID, group)
		}
	}
	s.command(calls.String(), "import", "--source", "crm", "-")
}

// plantRequestKeys plants the keys of the requests that are made: most of them
// were made ahead and read before, others are read now, if they still are.
func (s *scene) plantRequestKeys(gone *planted, before map[int64][]byte, planted map[int64]bool) {
	s.t.Helper()
	now := s.keyring()
	s.read("efface.db", `SELECT key_row FROM requests WHERE key_row IS NOT NULL`, func(scan func(...any) error) error {
		var row int64
		err := scan(&row)
		k := before[row]
		if k == nil {
			k = now[row]
		}
		if !planted[row] && len(bytes.Trim(k[16:], "\x00")) > 0 {
			gone.addKey(k, fmt.Sprintf("a request's key, %d", row))
			planted[row] = true
		}
		return err
	})
}

// request asks for somebody's erasure, after another request that is
// cancelled where again is set.
func (s *scene) request(p somebody, again bool) uuid.UUID {
	s.t.Helper()
	body := map[string]any{"key": "user_id", "value": p.userID, "reason": "as asked by letter", "suppress": again}
	id, effaceID := s.requestOnce(body)
	if again {
		want(s.t, http.StatusOK, "a cancel")(s.api("POST", "/api/v1/deletions/"+id+"/cancel", nil))
		s.requestOnce(body)
	}
	return effaceID
}

func (s *scene) requestGroup(group string) uuid.UUID {
	s.t.Helper()
	_, id := s.requestOnce(map[string]any{"table": "group", "key": "group_id", "value": group})
	return id
}

func (s *scene) requestOnce(body map[string]any) (id string, effaceID uuid.UUID) {
	s.t.Helper()
	made := decode[struct {
		ID       string
		EffaceID uuid.UUID `json:"efface_id"`
	}](s.t, want(s.t, http.StatusAccepted, "a deletion")(s.api("POST", "/api/v1/deletions", body)))
	return made.ID, made.EffaceID
}

// heldProfile is what the rows say of a profile.
type heldProfile struct {
	row       int64
	fragments []int64
	keys      []int64 // rows of the keyring
	keyIDs    [][]byte
}

func (s *scene) profiles() map[uuid.UUID]heldProfile {
	s.t.Helper()
	held := map[uuid.UUID]heldProfile{}
	s.read("efface.db", `SELECT p.efface_id, p.id, f.id, f.key_row, f.key_id FROM profiles p JOIN fragments f ON f.profile = p.id`,
		func(scan func(...any) error) error {
			var id, keyID []byte
			var row, fragment, key int64
			err := scan(&id, &row, &fragment, &key, &keyID)
			p := held[uuid.UUID(id)]
			held[uuid.UUID(id)] = heldProfile{row, append(p.fragments, fragment), append(p.keys, key), append(p.keyIDs, keyID)}
			return err
		})
	return held
}

// keyring reads the raw rows of the keyring.
func (s *scene) keyring() map[int64][]byte {
	s.t.Helper()
	rows := map[int64][]byte{}
	s.read("keyring.db", `SELECT n, k FROM keys`, func(scan func(...any) error) error {
		var n int64
		var k []byte
		err := scan(&n, &k)
		rows[n] = k
		return err
	})
	return rows
}

// mayName are the columns in which the random id of an erased profile, or of a
// key that was destroyed, may stand.
var mayName = []string{"requests.efface_id", "log_entries.entry", "log_subjects.key_id"}

// noRowOf reads every table: no row names an erased profile or a fragment of
// it by number, and its ids stand only where they may.
func (s *scene) noRowOf(profiles map[uuid.UUID]heldProfile, erased map[uuid.UUID]bool) {
	s.t.Helper()
	numbers := map[string]bool{} // "profile 7"
	ids := newPlanted()
	for id := range erased {
		p := profiles[id]
		for _, id := range append(p.keyIDs, id[:]) {
			for _, form := range [][]byte{id, []byte(hex.EncodeToString(id)), []byte(uuid.UUID(id).String())} {
				ids.addBytes(form, hex.EncodeToString(id))
			}
		}
		for _, name := range []string{"profile", "other", "leads_to", "profiles.id", "group_", "member"} {
			numbers[fmt.Sprint(name, " ", p.row)] = true
		}
		for _, f := range p.fragments {
			numbers[fmt.Sprint("fragment ", f)] = true
			numbers[fmt.Sprint("fragments.id ", f)] = true
		}
	}
	named := map[string]int{}
	s.eachCell(func(table, column string, value any) {
		if numbers[fmt.Sprint(column, " ", value)] || numbers[fmt.Sprint(table, ".", column, " ", value)] {
			s.t.Errorf("%s.%s still says %v", table, column, value)
		}
		switch v := value.(type) {
		case []byte:
			named[table+"."+column] += len(ids.in(v))
		case string:
			named[table+"."+column] += len(ids.in([]byte(v)))
		}
	})
	for column, n := range named {
		if n > 0 && !slices.Contains(mayName, column) {
			s.t.Errorf("%s names erased profiles or their keys %d times", column, n)
		}
	}
	if named["requests.efface_id"] < len(erased) {
		s.t.Errorf("%d requests name the %d erased profiles", named["requests.efface_id"], len(erased))
	}
}

// eachCell reads every cell of the database.
func (s *scene) eachCell(cell func(table, column string, value any)) {
	s.t.Helper()
	var tables, columns []string
	s.read("efface.db", `SELECT t.name, group_concat(c.name) FROM sqlite_schema t, pragma_table_info(t.name) c WHERE t.type = 'table' GROUP BY t.name`,
		func(scan func(...any) error) error {
			var table, names string
			err := scan(&table, &names)
			tables, columns = append(tables, table), append(columns, names)
			return err
		})
	for i, table := range tables {
		names := strings.Split(columns[i], ",")
		s.read("efface.db", `SELECT `+columns[i]+` FROM `+table, func(scan func(...any) error) error {
			cells := make([]any, len(names))
			for i := range cells {
				cells[i] = new(any)
			}
			err := scan(cells...)
			for i, c := range cells {
				cell(table, names[i], *c.(*any))
			}
			return err
		})
	}
}
