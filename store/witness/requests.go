package witness

import (
	"encoding/json"
	"fmt"

	"github.com/efface/efface/store/erasure"
)

// Request is an open request as a witness keeps it.
type Request struct {
	ID     erasure.RequestID
	Sealed []byte // what is needed to ask again, under the witness's key
}

type requestLine struct {
	Request string `json:"request"`
	Sealed  []byte `json:"sealed"`
}

// requests is the file of the open requests. A line is overwritten with spaces
// when its request ends, and the file written anew once it is mostly blank: after
// what the same update wrote is durable, for until then the line is all that tells
// of the request.
type requests struct {
	lines
	places  map[erasure.RequestID]place
	removed []place // lines to be overwritten
	shrink  bool    // to be written anew if it is mostly blank
}

// refresh is [lines.refresh], and learns where the lines stand.
func (r *requests) refresh(d disk) error {
	from := r.size
	anew, err := r.lines.refresh()
	if anew {
		from, r.places = 0, map[erasure.RequestID]place{}
	}
	if err != nil || from == r.size {
		return err
	}
	return r.each(from, func(line []byte, at int64) error {
		p := place{at, len(line)}
		if blanked, err := r.finishBlank(d, line, p); blanked || err != nil {
			return err
		}
		q, err := readRequest(line)
		if err != nil {
			return damaged(r.path, at, err)
		}
		before, twice := r.places[q.ID]
		r.places[q.ID] = p
		if twice { // a kill came between its two lines
			r.removed = append(r.removed, before)
		}
		return nil
	})
}

// finishBlank reports whether a line was removed, and removes the rest of one
// whose removal was broken off: that began at either end.
func (r *requests) finishBlank(d disk, line []byte, p place) (bool, error) {
	if len(line) > 0 && line[0] != ' ' && line[len(line)-1] != ' ' {
		return false, nil
	}
	for _, c := range line {
		if c != ' ' {
			return true, r.blank(d, p)
		}
	}
	return true, nil
}

func readRequest(line []byte) (q Request, err error) {
	var l requestLine
	if err := json.Unmarshal(line, &l); err != nil {
		return q, errForm
	}
	id, ok := erasure.ParseRequestID(l.Request)
	if !ok || len(l.Sealed) == 0 {
		return q, errForm
	}
	return Request{id, l.Sealed}, nil
}

// put writes the lines of requests, in the place of earlier ones.
func (r *requests) put(d disk, all []Request) error {
	var b []byte
	at := make([]place, len(all))
	for i, q := range all {
		line, err := json.Marshal(requestLine{q.ID.String(), q.Sealed})
		if err != nil {
			return fmt.Errorf("writing the line of %s: %w", q.ID, err)
		}
		at[i] = place{r.size + int64(len(b)), len(line)}
		b = append(append(b, line...), '\n')
	}
	if err := r.append(d, b); err != nil {
		return err
	}
	for i, q := range all {
		r.end(q.ID)
		r.places[q.ID] = at[i]
	}
	return nil
}

// end removes the line of a request, if there is one.
func (r *requests) end(id erasure.RequestID) {
	if p, ok := r.places[id]; ok {
		r.removed = append(r.removed, p)
		delete(r.places, id)
	}
}

// finish overwrites the lines that were removed. The next sync makes that durable:
// a line that a crash leaves tells nothing that the log does not end.
func (r *requests) finish(d disk) error {
	for _, p := range r.removed {
		if err := r.blank(d, p); err != nil {
			return err
		}
	}
	r.removed = nil
	if r.shrink {
		r.shrink = false
		return r.compact(d)
	}
	return nil
}

// takeBack is [lines.takeBack], and removes nothing.
func (r *requests) takeBack() {
	r.lines.takeBack()
	r.removed, r.shrink = nil, false
}

// compactFrom is from what size on a file that is mostly blank is written anew.
const compactFrom = 1 << 20

func (r *requests) compact(d disk) error {
	var used int64
	for _, p := range r.places {
		used += int64(p.length) + 1
	}
	if r.size < compactFrom || used > r.size/2 {
		return nil
	}
	old := r.lines
	err := r.replace(d, func(write func([]byte) error) error {
		return old.each(0, func(line []byte, _ int64) error {
			if len(line) == 0 || line[0] == ' ' {
				return nil
			}
			return write(line)
		})
	})
	if err != nil {
		return err
	}
	r.places = map[erasure.RequestID]place{}
	return r.each(0, func(line []byte, at int64) error {
		q, err := readRequest(line)
		r.places[q.ID] = place{at, len(line)}
		return err
	})
}
