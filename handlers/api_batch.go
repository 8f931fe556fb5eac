package handlers

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"net/http"
	"slices"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/efface/efface/handlers/wire"
	"github.com/efface/efface/store"
	"github.com/efface/efface/store/erasure"
)

// createBatch asks for everyone on a list. Nothing is queued before the list
// has come whole and is durable; from then on it is queued whether or not its
// client is still there.
func (s *Server) createBatch(w http.ResponseWriter, r *http.Request, key erasure.APIKey) error {
	l := &batchList{s: s, key: key, names: map[erasure.Table][]string{}}
	id, err := l.receive(w, r)
	if err == nil {
		err = s.queueBatch(r, id)
	}
	if moveDeadlines(w) != nil {
		return breakOff(r, nil)
	}
	if err != nil {
		return err
	}
	return s.writeBatch(w, r, id, l.in.array == nil)
}

// queueBatch queues a list that is taken. Where that fails, whoever takes up
// unfinished lists goes on with it.
func (s *Server) queueBatch(r *http.Request, id erasure.BatchID) error {
	err := s.db.QueueBulk(context.WithoutCancel(r.Context()), id)
	s.wakeForNew()
	if err == nil {
		return nil
	}
	visitOf(r).failure = err
	return &wire.Fault{Status: http.StatusServiceUnavailable,
		Sentence: "Do not send the list again: it is kept, and is queued as soon as that can be done. Follow it at /api/v1/batches/" + id.String() + "."}
}

// batchList is a list on its way into the store.
type batchList struct {
	s     *Server
	key   erasure.APIKey
	names map[erasure.Table][]string // as they were at the first line of the table
	in    *bulkReader
	spool *store.Spool
	lines int
	said  hash.Hash // of the lines; nil where the call is not marked
}

// receive takes the whole list, or nothing of it. A body of another form than
// the API's is refused as a whole; what nobody can be asked for by is refused
// by its line.
func (l *batchList) receive(w http.ResponseWriter, r *http.Request) (id erasure.BatchID, err error) {
	mark, err := idempotencyKey(r)
	if err != nil {
		return id, err
	}
	if mark != "" {
		l.said = sha256.New()
	}
	r.Body = &arriving{body: r.Body, w: w}
	body, err := wire.OpenBody(w, r, visitOf(r).route.body)
	if err != nil {
		return id, err
	}
	if l.in, err = newBulkReader(body); err != nil {
		return id, err
	}
	// A client may go away once it has sent its list. If it goes before, the
	// body breaks off.
	ctx := context.WithoutCancel(r.Context())
	l.spool, err = l.s.db.OpenSpool(ctx, erasure.NewBulk{Origin: erasure.API, Actor: wire.Actor(l.key)})
	if err != nil {
		return id, err
	}
	defer func() {
		if failed := l.spool.Discard(ctx); failed != nil {
			visitOf(r).failure = failed
		}
	}()
	if err := l.each(ctx); err != nil {
		return id, err
	}
	var o store.Once
	if mark != "" {
		o = store.Once{Key: mark, Call: onRoute(r, l.said.Sum(nil))}
	}
	id, _, err = l.spool.Confirm(ctx, o)
	return id, err
}

// each adds each line to the spool.
func (l *batchList) each(ctx context.Context) error {
	for {
		text, err := l.in.next()
		if err == io.EOF {
			break
		}
		if err == nil {
			err = l.add(ctx, text)
		}
		if e, ok := errors.AsType[*erasure.Error](err); ok {
			return inLine(l.in.line, e)
		}
		if err != nil {
			return err
		}
	}
	if l.lines == 0 {
		return erasure.Errorf(erasure.CodeInvalid, "Send one line at least.")
	}
	return nil
}

// inLine says in which line the mistake is that refuses the whole list.
func inLine(n int, e *erasure.Error) error {
	in := *e
	in.Sentence = fmt.Sprintf("Line %d: %s", n, e.Sentence)
	return &in
}

var errNoObject = erasure.Errorf(erasure.CodeInvalid, "Give each line as an object.")

func (l *batchList) add(ctx context.Context, text []byte) error {
	if l.lines++; l.lines > erasure.BulkLines {
		return erasure.Errorf(erasure.CodeTooLarge, "Send 100,000 lines at most in one call.")
	}
	if text[0] != '{' {
		return errNoObject
	}
	var asked newDeletion
	if err := wire.Decode(text, &asked, erasure.JSONContract{Members: deletionMembers, RefuseUnknown: true}); err != nil {
		return err
	}
	if err := l.say(text); err != nil {
		return err
	}
	line := erasure.Line{N: l.in.line, Reason: asked.Reason, Reference: asked.Reference, Suppress: l.s.suppresses(asked)}
	var err error
	line.Asked, err = asked.identifier(ctx, l.keyNames)
	if e, ok := errors.AsType[*erasure.Error](err); ok {
		line.Refused = e.Sentence
	} else if err != nil {
		return err
	}
	return l.spool.Add(ctx, line)
}

// say makes a line, and its number, part of what the call asks for.
func (l *batchList) say(text []byte) error {
	if l.said == nil {
		return nil
	}
	call := jsontext.Value(slices.Clone(text))
	if err := call.Canonicalize(); err != nil {
		return err
	}
	fmt.Fprintf(l.said, "%d %s\n", l.in.line, call)
	return nil
}

func (l *batchList) keyNames(ctx context.Context, table erasure.Table) (names []string, err error) {
	if names, ok := l.names[table]; ok {
		return names, nil
	}
	names, err = l.s.db.KeyNames(ctx, table)
	l.names[table] = names
	return names, err
}
