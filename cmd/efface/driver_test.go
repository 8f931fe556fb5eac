package main

import (
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/efface/efface/store/erasure"
)

// asked is a deletion request that may have been made, and what is known of
// it.
type asked struct {
	effaceID string
	origin   string
	id       string    // "" where the answer does not tell
	at       time.Time // before it was sent

	acknowledged bool
	cancelTried  bool // and perhaps done
	cancelled    bool // and acknowledged
	tooLate      bool // refused because the window had passed
}

// by are the two doors. A second request for a profile comes by the other one,
// so that the two can be told apart.
var by = []string{"api", "customerlabs"}

// work has clients request and cancel until the server is gone. Each has
// people of its own.
// kill is called once the first request is acknowledged.
func (d *driver) work(kill func()) {
	var clients sync.WaitGroup
	begun := sync.OnceFunc(func() { clients.Go(kill) })
	var mu sync.Mutex // over what all clients share
	for range 4 {
		clients.Go(func() {
			var own []*asked
			for c := (client{d, &mu, begun}); ; {
				var on bool
				if len(own) > 0 && rand.IntN(2) == 0 {
					i := rand.IntN(len(own))
					a := own[i]
					own = append(own[:i], own[i+1:]...)
					on = c.cancel(a)
					if on && a.cancelled && a.origin == by[0] {
						on = c.request(a.effaceID, by[1], &own)
					}
				} else {
					on = c.requestSomebody(&own)
				}
				if !on {
					return
				}
			}
		})
	}
	clients.Wait()
}

// client is one of several that use the server at once.
type client struct {
	*driver
	mu    *sync.Mutex
	begun func()
}

// requestSomebody asks for the erasure of the next person. Like all that a
// client does it says whether to go on: not when the server is gone.
func (c client) requestSomebody(own *[]*asked) bool {
	who, cancels, ok := c.take()
	if !ok { // enough was asked for in this cycle: read only
		_, err := c.api("GET", "/api/v1/deletions?state=pending", nil)
		return err == nil
	}
	a, err := c.api("POST", "/api/v1/profiles/find", map[string]string{"key": "email", "value": who.email})
	if err != nil {
		return false
	}
	_, rest, found := strings.Cut(a.body, `"efface_id":"`)
	if !found {
		c.giveBack(who) // the import did not come so far
		return true
	}
	if !cancels {
		own = new([]*asked)
	}
	return c.request(rest[:36], by[rand.IntN(2)], own)
}

// take gives a person whom nothing was asked of, unless the cycle has had
// enough. A large person's request is not cancelled: there are few of them.
func (c client) take() (who somebody, cancels, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.soon) > 0 {
		who, c.soon = c.soon[0], c.soon[1:]
		return who, false, true
	}
	if c.enough == 0 || len(c.unasked) == 0 {
		return who, false, false
	}
	c.enough--
	who, c.unasked = c.unasked[0], c.unasked[1:]
	return who, true, true
}

func (c client) giveBack(who somebody) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.enough++
	c.unasked = append(c.unasked, who)
}

func (c client) request(effaceID, origin string, own *[]*asked) bool {
	r := &asked{effaceID: effaceID, origin: origin, at: time.Now()}
	c.mu.Lock()
	c.asked = append(c.asked, r)
	c.mu.Unlock()
	var a answer
	var err error
	if origin == "api" {
		a, err = c.api("POST", "/api/v1/deletions", map[string]any{"key": "efface_id", "value": effaceID, "reason": "by letter"})
	} else {
		a, err = c.api("POST", "/user-deletion/", map[string]string{"identify_by_key": "customerlabs_user_id", "identify_by_value": effaceID})
	}
	if err != nil {
		return false
	}
	switch {
	case a.status == http.StatusAccepted:
		r.acknowledged = true
		_, rest, _ := strings.Cut(a.body, `"id":"`)
		r.id, _, _ = strings.Cut(rest, `"`)
	case strings.Contains(a.body, "added to queue"):
		r.acknowledged = true
	default:
		c.t.Errorf("a request gets %d %s", a.status, a.body)
		return false
	}
	c.begun()
	*own = append(*own, r)
	return true
}

// cancel cancels by either door.
func (c client) cancel(r *asked) bool {
	r.cancelTried = true
	var a answer
	var err error
	if r.id != "" && rand.IntN(2) == 0 {
		a, err = c.api("POST", "/api/v1/deletions/"+r.id+"/cancel", nil)
	} else {
		a, err = c.api("POST", "/user-deletion/cancel-request/", map[string]string{"identify_by_key": "customerlabs_user_id", "identify_by_value": r.effaceID})
	}
	if err != nil {
		return false
	}
	switch {
	case strings.Contains(a.body, `"state":"cancelled"`), strings.Contains(a.body, "has been cancelled"):
		r.cancelled = true
		c.mu.Lock()
		c.cancels++
		c.mu.Unlock()
	case a.status == http.StatusConflict, strings.Contains(a.body, "window has passed"):
		r.tooLate = true
	default:
		c.t.Errorf("a cancel gets %d %s", a.status, a.body)
		return false
	}
	return true
}

// told is what a request's row says.
type told struct {
	id    string
	state erasure.State
}

// rows reads every request by its profile and origin.
func (d *driver) rows(t *testing.T) map[[2]string]told {
	t.Helper()
	rows := map[[2]string]told{}
	d.read("efface.db", `SELECT id, efface_id, origin, state FROM requests`, func(scan func(...any) error) error {
		var id, effaceID []byte
		var origin, state string
		err := scan(&id, &effaceID, &origin, &state)
		key := [2]string{uuid.UUID(effaceID).String(), origin}
		if rows[key] != (told{}) {
			t.Errorf("there are two requests by %s for one profile", origin)
		}
		rows[key] = told{erasure.RequestID(id).String(), erasure.State(state)}
		return err
	})
	return rows
}

// check compares every request with what was acknowledged of it.
func (d *driver) check(t *testing.T, ended bool) {
	t.Helper()
	rows := d.rows(t)
	read := time.Now()
	for _, r := range d.asked {
		row, made := rows[[2]string{r.effaceID, r.origin}]
		delete(rows, [2]string{r.effaceID, r.origin})
		begun := row.state == erasure.InProgress || row.state == erasure.Completed || row.state == erasure.Failed
		switch {
		case !made && r.acknowledged, r.id != "" && r.id != row.id:
			t.Errorf("a request by %s that was acknowledged is lost", r.origin)
		case begun && read.Sub(r.at) < killWindow:
			t.Errorf("%s is %s %s after it was asked for, with a window of %s", row.id, row.state, read.Sub(r.at), killWindow)
		case r.cancelled && row.state != erasure.Cancelled:
			t.Errorf("%s was cancelled and is %s", row.id, row.state)
		case row.state == erasure.Cancelled && (!r.cancelTried || r.tooLate):
			t.Errorf("%s is cancelled, which nobody asked for or was refused", row.id)
		case ended && made && row.state.Open():
			t.Errorf("%s ends as %s", row.id, row.state)
		}
	}
	for _, row := range rows {
		t.Errorf("nobody asked for %s", row.id)
	}
}
