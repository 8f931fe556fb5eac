package handlers

import (
	"net/http"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/efface/efface/handlers/wire"
	"github.com/efface/efface/store"
	"github.com/efface/efface/store/erasure"
)

// keyedFunc answers a request of Efface's own API that came with a key.
type keyedFunc func(w http.ResponseWriter, r *http.Request, key erasure.APIKey) error

// keyed asks for a Bearer key of the route's scope, within its limits.
func (s *Server) keyed(handle keyedFunc) handlerFunc {
	return func(w http.ResponseWriter, r *http.Request) error {
		key, err := wire.Key(r.Context(), s.db, wire.Bearer(r), visitOf(r).route.may.scope)
		if err != nil {
			return err
		}
		leave, err := s.limiter.Enter(key.ID)
		if err != nil {
			return err
		}
		defer leave()
		return handle(w, r, key)
	}
}

// wakeForNew tells the runner of a new request where it would come late to it
// by itself: it looks for what is due several times a minute.
func (s *Server) wakeForNew() {
	if s.config.CancelWindow < time.Minute {
		s.config.Wake()
	}
}

// readJSON reads the body of Efface's own API, which knows every member.
func readJSON(w http.ResponseWriter, r *http.Request, into any, m erasure.Members) (body []byte, err error) {
	if body, err = wire.ReadBody(w, r, wire.BodyLimit); err != nil {
		return nil, err
	}
	return body, wire.Decode(body, into, erasure.JSONContract{Members: m, RefuseUnknown: true})
}

// readNothing reads the body of a call that takes none, or an empty object.
func readNothing(w http.ResponseWriter, r *http.Request) (body []byte, err error) {
	if body, err = wire.ReadBody(w, r, wire.BodyLimit); err != nil {
		return nil, err
	}
	if len(body) == 0 {
		body = []byte("{}")
	}
	return body, wire.Decode(body, &struct{}{}, erasure.JSONContract{Members: erasure.Members{}, RefuseUnknown: true})
}

// once reads the mark of a call that may be sent again. What the call asks
// for is its route and its body in canonical form (RFC 8785), so that a client
// may write the same JSON anew.
func once(r *http.Request, body []byte) (store.Once, error) {
	key, err := idempotencyKey(r)
	if key == "" || err != nil {
		return store.Once{}, err
	}
	call := jsontext.Value(body)
	if err := call.Canonicalize(); err != nil {
		return store.Once{}, err
	}
	return store.Once{Key: key, Call: onRoute(r, call)}, nil
}

// idempotencyKey returns "" where the call is not marked.
func idempotencyKey(r *http.Request) (string, error) {
	if r.Header.Values("Idempotency-Key") == nil {
		return "", nil
	}
	key := wire.Header(r, "Idempotency-Key")
	return key, erasure.CheckIdempotencyKey(key)
}

// onRoute keeps the same words on two routes from being the same call.
func onRoute(r *http.Request, call []byte) []byte {
	return append([]byte(visitOf(r).route.pattern()+" "+r.PathValue("id")+" "), call...)
}

// writeJSON answers with a value that is known to have a JSON form.
func writeJSON(w http.ResponseWriter, status int, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(append(b, '\n')) // a failed write means that the client went away
	return nil
}
