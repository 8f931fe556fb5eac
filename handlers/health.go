package handlers

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/efface/efface/store"
	"github.com/efface/efface/store/erasure"
)

// alive answers as long as the process does.
func (s *Server) alive(w http.ResponseWriter, _ *http.Request) error {
	return say(w, http.StatusOK, "ok\n")
}

// ready answers 503 where the store can't be read or written, and else tells
// what waits and what is wrong. Nothing of that stops the server from serving.
func (s *Server) ready(w http.ResponseWriter, r *http.Request) error {
	err := s.db.Reach(r.Context())
	if err == nil {
		return say(w, http.StatusOK, readiness(s.db.Status()))
	}
	visitOf(r).failure = err
	what := map[erasure.Part]string{
		erasure.DatabasePart: "the store cannot be read and written",
		erasure.WitnessPart:  "the witness cannot be written",
		erasure.KeyringPart:  "the keyring cannot be read",
	}[unreachable(err)]
	return say(w, http.StatusServiceUnavailable, what+", reference "+visitOf(r).reference+"\n")
}

// unreachable is what of the store can't be read or written.
func unreachable(err error) erasure.Part {
	switch {
	case errors.Is(err, store.ErrWitness):
		return erasure.WitnessPart
	case errors.Is(err, store.ErrKeyring):
		return erasure.KeyringPart
	}
	return erasure.DatabasePart
}

func readiness(st erasure.Status) string {
	var b strings.Builder
	fmt.Fprintln(&b, "ready")
	if st.Waiting > 0 {
		fmt.Fprintf(&b, "key overwritten, waiting for an open reader: %s\n", st.Waiting.Round(time.Second))
	}
	if st.Held > 0 {
		fmt.Fprintf(&b, "the clock jumped over a restart, erasures wait: %s\n", st.Held.Round(time.Second))
	}
	if st.Hits > 0 {
		fmt.Fprintf(&b, "the check after a deletion found something that should be gone: %d requests\n", st.Hits)
	}
	if !st.Tests.Failed.IsZero() {
		fmt.Fprintf(&b, "the test person of %s was not erased as promised\n", st.Tests.Failed.Format(time.RFC3339))
	}
	if st.Witness.Misfit != "" {
		fmt.Fprintln(&b, "the store and its witness do not fit")
	}
	return b.String()
}

// say answers programs in plain text.
func say(w http.ResponseWriter, status int, text string) error {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	_, _ = fmt.Fprint(w, text) // a failed write means that the client went away
	return nil
}
