package handlers

import (
	"net/http"

	"github.com/google/uuid"

	"github.com/efface/efface/handlers/wire"
	"github.com/efface/efface/store/erasure"
)

// apiProfile is a profile as Efface's own API tells of it.
type apiProfile struct {
	EffaceID    uuid.UUID     `json:"efface_id"`
	Table       erasure.Table `json:"table"`
	Identifiers []apiHeld     `json:"identifiers"`
	Records     int           `json:"records"`
	CreatedAt   *string       `json:"created_at"`
	OpenRequest *string       `json:"open_request"`
}

type apiHeld struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

// profileOf names what several sources gave once.
func profileOf(p erasure.Profile) apiProfile {
	out := apiProfile{EffaceID: p.EffaceID, Table: p.Table, Records: p.Records, CreatedAt: wire.Time(p.CreatedAt)}
	seen := map[apiHeld]bool{}
	for _, h := range p.Identifiers {
		held := apiHeld{h.Key, h.Value}
		if !seen[held] && !h.Damaged {
			seen[held] = true
			out.Identifiers = append(out.Identifiers, held)
		}
	}
	if p.Open != nil {
		out.OpenRequest = new(p.Open.ID.String())
	}
	return out
}

var findMembers = erasure.Members{"key": nil, "value": nil, "table": nil, "region": nil}

// findProfiles shows every profile that an identifier leads to. Each is a
// look, and logged as one before anything of it is shown.
func (s *Server) findProfiles(w http.ResponseWriter, r *http.Request, key erasure.APIKey) error {
	var asked apiIdentifier
	if _, err := readJSON(w, r, &asked, findMembers); err != nil {
		return err
	}
	id, err := asked.identifier(r.Context(), s.db.KeyNames)
	if err != nil {
		return err
	}
	matches, err := s.db.Find(r.Context(), id)
	if err != nil {
		return err
	}
	var found struct {
		Profiles []apiProfile `json:"profiles"`
	}
	ids := make([]uuid.UUID, len(matches))
	for i, m := range matches {
		ids[i] = m.EffaceID
	}
	profiles, err := s.db.Profiles(r.Context(), wire.Actor(key), ids)
	if err != nil {
		return err
	}
	for _, p := range profiles {
		found.Profiles = append(found.Profiles, profileOf(p))
	}
	return writeJSON(w, http.StatusOK, found)
}
