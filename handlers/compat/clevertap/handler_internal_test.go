package clevertap

import (
	"strings"
	"testing"

	"github.com/efface/efface/store/erasure"
)

// A call of which one identifier was not taken must not be answered as done.
func TestACallThatIsNotTakenWholeFailsWithoutNamingAnybody(t *testing.T) {
	taken := erasure.BatchResult{Outcome: erasure.Queued, Requests: make([]erasure.RequestID, 1)}
	if err := leftOut([]erasure.BatchResult{taken, taken}); err != nil {
		t.Errorf("taken whole it is %v", err)
	}
	err := leftOut([]erasure.BatchResult{taken, {Outcome: erasure.Shared, Detail: "It is shared."}})
	if err == nil || !strings.Contains(err.Error(), "identifier 2 of 2") {
		t.Errorf("it is %v", err)
	}
}
