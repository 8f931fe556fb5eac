package handlers

import (
	"net/http"

	"github.com/google/uuid"

	"github.com/efface/efface/store/erasure"
	"github.com/efface/efface/views"
)

const formerNotice = "That is a former User ID of this profile: its present User ID is the one shown here."

func profilePath(id uuid.UUID) string { return "/profiles/" + id.String() }

// showProfile is a look at a profile and logged as one.
func (s *Server) showProfile(w http.ResponseWriter, r *http.Request) error {
	id, err := pathID(r)
	if err != nil {
		return err
	}
	peeked, err := s.peek(r, id)
	if err != nil {
		return err
	}
	if peeked.EffaceID != id {
		return s.done(w, r, profilePath(peeked.EffaceID), shown{notice: formerNotice, note: true})
	}
	profile, err := s.db.Profile(r.Context(), actor(r), id)
	if err != nil {
		return s.gone(r, id, err)
	}
	p, _ := s.shownPage(r)
	return render(w, r, http.StatusOK, views.Profile(p, profile))
}

// peek reads a profile without opening anything of it. Its User ID differs
// from id where id is a former one.
func (s *Server) peek(r *http.Request, id uuid.UUID) (erasure.Profile, error) {
	p, err := s.db.PeekProfile(r.Context(), id)
	if err != nil {
		return p, s.gone(r, id, err)
	}
	return p, nil
}

// gone says of a profile that there is none what became of it, where that is
// known.
func (s *Server) gone(r *http.Request, id uuid.UUID, err error) error {
	if erasure.CodeOf(err) != erasure.CodeNotFound {
		return err
	}
	request, readErr := s.db.RequestByProfile(r.Context(), id)
	switch {
	case erasure.CodeOf(readErr) == erasure.CodeNotFound:
		return err
	case readErr != nil:
		return readErr
	case request.State == erasure.Completed:
		return erasure.Errorf(erasure.CodeNotFound, "This profile has been erased: search the Deletion Logs for its User ID.")
	case goneWith(request):
		return erasure.Errorf(erasure.CodeNotFound, "This profile is being erased: search the Deletion Logs for its User ID.")
	}
	return err
}

// goneWith reports whether a request has taken its profile, or is about to.
func goneWith(r erasure.Request) bool {
	return r.State == erasure.Completed || r.State == erasure.InProgress || r.State == erasure.Failed
}
