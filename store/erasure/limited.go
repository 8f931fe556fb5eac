package erasure

import (
	"fmt"
	"time"
)

// Limited is a refusal for now: after Wait the same may be tried again. It is
// an [Error] of [CodeLimited].
type Limited struct {
	Wait time.Duration
}

func (l *Limited) Error() string { return l.Unwrap().Error() }

// Unwrap gives the refusal as an [Error] with its sentence.
func (l *Limited) Unwrap() error {
	seconds := l.Seconds()
	if seconds > 90 {
		return Errorf(CodeLimited, "Wait %d minutes and try again.", (seconds+59)/60)
	}
	unit := "seconds"
	if seconds == 1 {
		unit = "second"
	}
	return Errorf(CodeLimited, "Wait %s and try again.", fmt.Sprint(seconds, " ", unit))
}

// Seconds rounds the time to wait up to whole seconds, one at least.
func (l *Limited) Seconds() int {
	return max(1, int((l.Wait+time.Second-1)/time.Second))
}
