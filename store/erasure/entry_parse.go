package erasure

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
)

const entryTime = "2006-01-02T15:04:05.000Z"

// ParseEntry reads what [Entry.Canonical] wrote, but for its nonce and its
// subject, whose salt and value stand elsewhere.
func ParseEntry(b []byte) (e Entry, err error) {
	var w wireEntry
	if err := json.Unmarshal(b, &w); err != nil {
		return e, fmt.Errorf("reading a log entry: %w", err)
	}
	e = Entry{Index: w.Index, Kind: w.Kind, Origin: w.Origin, Reason: w.Reason, Reference: w.Reference,
		Counts: w.Counts, Profiles: w.Profiles, Target: w.Target}
	for _, read := range []func(wireEntry) error{e.readTime, e.readIDs, e.readActor, e.readChange} {
		if err := read(w); err != nil {
			return e, fmt.Errorf("reading log entry %d: %w", w.Index, err)
		}
	}
	return e, nil
}

func (e *Entry) readTime(w wireEntry) (err error) {
	e.Time, err = time.Parse(entryTime, w.Time)
	return err
}

func (e *Entry) readIDs(w wireEntry) error {
	if w.Request != "" {
		id, ok := ParseRequestID(w.Request)
		if !ok {
			return fmt.Errorf("the request's id is none")
		}
		e.Request = &id
	}
	if w.Batch != "" {
		id, ok := ParseBatchID(w.Batch)
		if !ok {
			return fmt.Errorf("the batch's id is none")
		}
		e.Batch = &id
	}
	for _, k := range w.Keys {
		var id [16]byte
		if n, err := hex.Decode(id[:], []byte(k)); err != nil || n != len(id) {
			return fmt.Errorf("a key's id is none")
		}
		e.Keys = append(e.Keys, id)
	}
	return nil
}

func (e *Entry) readActor(w wireEntry) (err error) {
	kind, id, found := strings.Cut(w.Actor, ":")
	e.Actor.Kind = ActorKind(kind)
	if found {
		e.Actor.ID, err = uuid.Parse(id)
	}
	return err
}

// readChange reads the members from and to, which say different things.
func (e *Entry) readChange(w wireEntry) error {
	switch w.Kind {
	case OperatorCreated, RoleChanged:
		e.FromRole, e.ToRole = Role(w.From), Role(w.To)
	case MasterRotated:
		from, err := strconv.ParseUint(w.From, 10, 8)
		if err != nil {
			return err
		}
		to, err := strconv.ParseUint(w.To, 10, 8)
		e.FromMaster, e.ToMaster = MasterVersion(from), MasterVersion(to)
		return err
	default:
		e.From, e.To = State(w.From), State(w.To)
	}
	return nil
}
