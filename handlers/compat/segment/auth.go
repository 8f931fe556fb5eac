package segment

import (
	"bytes"
	"net/http"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/efface/efface/handlers/wire"
	"github.com/efface/efface/store/erasure"
	"github.com/efface/efface/store/ingest"
)

// call is a request whose key is known.
type call struct {
	key  erasure.APIKey
	body []byte
	held []func() // to be called at its end
}

// enter reads the key, counts the request, and reads its body once there is
// room for it. Where a header holds the key, it comes before anything else of
// the request.
func (h *Handler) enter(w http.ResponseWriter, r *http.Request, limit int64) (c call, err error) {
	defer func() {
		if err != nil {
			c.leave()
		}
	}()
	known, in := r.Header.Values("Authorization") != nil, h.unshown
	if known {
		in = h.shown
		if err = h.open(r, &c, wire.BasicUser(wire.Header(r, "Authorization"))); err != nil {
			return c, err
		}
	}
	if limit > ingest.EventSize {
		if err = c.hold(in.enter(r.Context(), w)); err != nil {
			return c, err
		}
	}
	if c.body, err = wire.ReadBody(w, r, limit); err != nil || known {
		return c, err
	}
	err = h.open(r, &c, writeKey(c.body))
	return c, err
}

// hold keeps what is to be left at the end.
func (c *call) hold(leave func(), err error) error {
	if err == nil {
		c.held = append(c.held, leave)
	}
	return err
}

func (c *call) leave() {
	for _, leave := range c.held {
		leave()
	}
}

func (h *Handler) open(r *http.Request, c *call, token string) (err error) {
	if c.key, err = wire.Key(r.Context(), h.db, token, erasure.ScopeIngest); err != nil {
		return err
	}
	return c.hold(h.limiter.Enter(c.key.ID))
}

// writeKey reads the key that a body carries. Where its JSON is broken that is
// the one before the break: what is wrong is said to whoever has a key.
func writeKey(body []byte) string {
	d := jsontext.NewDecoder(bytes.NewBuffer(body))
	if token, err := d.ReadToken(); err != nil || token.Kind() != '{' {
		return ""
	}
	for {
		name, err := d.ReadToken()
		if err != nil || name.Kind() != '"' {
			return ""
		}
		if name.String() != "writeKey" {
			if err := d.SkipValue(); err != nil {
				return ""
			}
			continue
		}
		var key string
		if err := json.UnmarshalDecode(d, &key); err != nil {
			return ""
		}
		return key
	}
}
