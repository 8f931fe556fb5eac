package handlers

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/google/uuid"

	"github.com/efface/efface/store"
	"github.com/efface/efface/store/erasure"
)

// heldData is the file's JSON, but for the records that follow as its last
// member. A null among traits or contents is what can no longer be read.
type heldData struct {
	EffaceID    uuid.UUID        `json:"efface_id"`
	Former      []uuid.UUID      `json:"former_efface_ids"`
	Table       erasure.Table    `json:"table"`
	CreatedAt   time.Time        `json:"created_at"`
	Memberships int              `json:"memberships"`
	Groups      []uuid.UUID      `json:"group_efface_ids"` // 1,000 at most; of a group none, for members stay
	Identifiers []dataIdentifier `json:"identifiers"`
	Traits      []dataTraits     `json:"traits"`
	Merges      []dataMerge      `json:"merges"`
}

type dataIdentifier struct {
	Key     string `json:"key"`
	Value   string `json:"value"`
	Source  string `json:"source"`
	Shared  bool   `json:"shared"` // with another profile
	Damaged bool   `json:"damaged,omitempty"`
}

type dataTraits struct {
	Source string          `json:"source"`
	Traits json.RawMessage `json:"traits"`
}

type dataMerge struct {
	Time     time.Time `json:"time"`
	EffaceID uuid.UUID `json:"efface_id"`
	Former   uuid.UUID `json:"former_efface_id"`
	Key      string    `json:"key"`
	Value    string    `json:"value"`
	Alias    bool      `json:"alias"`
}

type dataRecord struct {
	Source  string          `json:"source"`
	Time    string          `json:"time"` // a time.Time of the year 10000 cannot be marshalled
	Content json.RawMessage `json:"content"`
}

// downloadData streams all that is held about somebody. It is logged before the
// first byte goes out, and breaks off where not all of it could be read.
func (s *Server) downloadData(w http.ResponseWriter, r *http.Request) error {
	id, err := pathID(r)
	if err != nil {
		return err
	}
	data, err := s.db.ProfileData(r.Context(), actor(r), id)
	if err != nil {
		return s.gone(r, id, err)
	}
	traits, err := data.Traits(r.Context())
	if err != nil {
		return s.gone(r, id, err)
	}
	head, err := dataHead(data.Profile, traits)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.Header().Set("Content-Disposition", `attachment; filename="profile-`+data.EffaceID.String()+`.json"`)
	w.Header().Set("Cache-Control", "no-store")
	if err := errors.Join(moveDeadlines(w), written(w, head)); err != nil {
		return breakOff(r, nil)
	}
	between := ""
	for records, err := range data.Records(r.Context()) {
		if err != nil {
			return breakOff(r, err)
		}
		lines, err := dataLines(records, between)
		if err != nil {
			return breakOff(r, err)
		}
		if err := errors.Join(moveDeadlines(w), written(w, lines)); err != nil {
			return breakOff(r, nil)
		}
		between = ","
	}
	if err := written(w, []byte("\n]}\n")); err != nil {
		return breakOff(r, nil)
	}
	return nil
}

func written(w io.Writer, b []byte) error {
	_, err := w.Write(b)
	return err
}

// dataHead is the file up to its first record.
func dataHead(p erasure.Profile, traits []store.Traits) ([]byte, error) {
	d := heldData{EffaceID: p.EffaceID, Former: append([]uuid.UUID{}, p.Former...), Table: p.Table, CreatedAt: p.CreatedAt, Memberships: p.Memberships,
		Groups:      append([]uuid.UUID{}, p.Groups...),
		Identifiers: []dataIdentifier{}, Traits: []dataTraits{}, Merges: []dataMerge{}}
	for _, h := range p.Identifiers {
		d.Identifiers = append(d.Identifiers, dataIdentifier{h.Key, h.Value, h.Source, h.Shared, h.Damaged})
	}
	for _, t := range traits {
		d.Traits = append(d.Traits, dataTraits(t))
	}
	for _, m := range p.Merges {
		d.Merges = append(d.Merges, dataMerge{m.At, m.Survivor, m.Other, m.Key, m.Value, m.Alias})
	}
	b, err := json.Marshal(d)
	if err != nil {
		return nil, err
	}
	return append(bytes.TrimSuffix(b, []byte("}")), `,"records":[`...), nil
}

// dataLines are some records, one a line, after what stands between them and
// those before.
func dataLines(records []store.Record, between string) ([]byte, error) {
	var b bytes.Buffer
	for _, r := range records {
		line, err := json.Marshal(dataRecord{r.Source, r.At.UTC().Format(time.RFC3339Nano), r.Content})
		if err != nil {
			return nil, err
		}
		b.WriteString(between + "\n")
		b.Write(line)
		between = ","
	}
	return b.Bytes(), nil
}
