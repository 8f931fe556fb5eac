package segment

import (
	"context"
	"net/http"
	"time"

	"github.com/efface/efface/handlers/wire"
)

// room bounds what batches hold of memory together, from before their bodies are
// read to their answers: half a kilobyte, packed, may be 500 KiB.
type room chan struct{}

const (
	batchesHeld = 64
	roomWait    = 10 * time.Second // of the minute that a request has
)

var errNoRoom = &wire.Fault{Status: http.StatusServiceUnavailable, Sentence: "Send the batch again in a few seconds: too many are being stored at once."}

// enter waits until there is room. leave gives it back.
func (r room) enter(ctx context.Context, w http.ResponseWriter) (leave func(), err error) {
	waits, cancel := context.WithTimeout(ctx, roomWait)
	defer cancel()
	select {
	case r <- struct{}{}:
		return func() { <-r }, nil
	case <-waits.Done():
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	w.Header().Set("Retry-After", "5")
	return nil, errNoRoom
}
