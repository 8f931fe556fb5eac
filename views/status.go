package views

import (
	"fmt"
	"strings"
	"time"

	"github.com/efface/efface/store/erasure"
)

// StatusPage is how the server and its store stand.
type StatusPage struct {
	Gauges      erasure.Gauges
	Unreachable erasure.Part // "" where all can be read and written
	Keyring     string       // its path
	Program     string       // and its version
	Uptime      time.Duration
	TestPersons bool // one is made up and erased each day
	WitnessGone bool // its directory does not exist
}

// condition is how one thing stands.
type condition int

const (
	fine condition = iota
	note           // worth knowing
	look           // somebody should look at it
	wrong
)

// statusLine is one thing with its state, and what to do where it is not fine.
type statusLine struct {
	what      string
	condition condition
	state     string
	since     time.Time // or when it was last done; zero for none
	advice    string
}

// When what is done daily is late, and a request that is due.
const (
	lateDaily = 26 * time.Hour
	lateTest  = 48 * time.Hour
	lateDue   = 10 * time.Minute
)

func (s StatusPage) lines(p Page) []statusLine {
	lines := []statusLine{s.database(), s.keyring(), s.erasures(), s.readers(), s.clock(), s.checks(), s.testPersons(p), s.witness()}
	if s.Gauges.Witness.Beside && !s.WitnessGone {
		lines = append(lines, witnessPlace())
	}
	lines = append(lines, s.checkpoint(), s.scrub(), s.sweep(), s.backup())
	for _, d := range s.Gauges.Disks {
		lines = append(lines, disk(d))
	}
	return lines
}

// summary says in a sentence whether somebody should do something.
func summary(lines []statusLine) (text string, well bool) {
	var names []string
	notes := 0
	for _, l := range lines {
		switch {
		case l.condition >= look:
			names = append(names, l.what)
		case l.condition == note:
			notes++
		}
	}
	switch {
	case len(names) == 1:
		return "One thing needs somebody: " + names[0] + ".", false
	case len(names) == 0 && notes == 0:
		return "Everything is in order.", true
	case len(names) == 0:
		return "Nothing is wrong; " + count(notes, "thing") + " to know.", true
	}
	return fmt.Sprintf("%d things need somebody: %s.", len(names), strings.Join(names, ", ")), false
}

func (s StatusPage) database() statusLine {
	l := statusLine{what: "Database", state: "Written to just now"}
	if s.Unreachable == erasure.DatabasePart {
		l.condition, l.state = wrong, "Can't be written to; nothing is taken and nothing erased"
		l.advice = "Look into the server's log, which says why; mostly its disk is full."
	}
	return l
}

func (s StatusPage) keyring() statusLine {
	l := statusLine{what: "Keyring", state: "Read just now"}
	switch s.Unreachable {
	case erasure.KeyringPart:
		l.condition, l.state = wrong, "Can't be read; nobody's data can be shown"
		l.advice = "Look into the server's log, which says why, and see that " + s.Keyring + " is in its place."
	case erasure.DatabasePart, erasure.WitnessPart:
		l.condition, l.state = note, "Not looked at, for the database or its witness can't be written to"
	}
	return l
}

func (s StatusPage) erasures() statusLine {
	g := s.Gauges
	due := number(g.Due)
	if g.Due == erasure.MostDue {
		due += " or more"
	}
	failed := g.Requests[erasure.Failed]
	l := statusLine{what: "Erasures", state: fmt.Sprintf("%s due now, %s in progress, %s failed", due, number(g.Requests[erasure.InProgress]), number(failed))}
	if g.Overdue > 0 {
		l.state += "; the oldest has been due for " + span(g.Overdue)
		l.since = g.At.Add(-g.Overdue)
	}
	switch {
	case failed > 0:
		l.condition, l.advice = wrong, "Open the requests that failed in the Deletion Logs: each says why, and is tried again until it succeeds."
	case g.Overdue > lateDue && g.Held == 0:
		l.condition, l.advice = look, "Look into the server's log, which says what they wait for."
	}
	return l
}

func (s StatusPage) readers() statusLine {
	l := statusLine{what: "Destroyed keys", state: "None waits for an open reader"}
	if w := s.Gauges.Waiting; w > 0 {
		l.condition, l.state, l.since = look, "Keys are overwritten, and wait for another program that reads the keyring", s.Gauges.At.Add(-w)
		l.advice = "Find the program, mostly a backup, with fuser -v " + s.Keyring + " and end it; until then no erasure is completed."
	}
	return l
}

func (s StatusPage) clock() statusLine {
	l := statusLine{what: "Clock", state: "No erasure waits for it"}
	if s.Gauges.Held > 0 {
		l.condition, l.state = look, "It jumped over a restart of the machine; erasures wait another "+span(s.Gauges.Held)
		l.advice = "Check that it is right; if it is ahead, cancel now what would go too early, and set it."
	}
	return l
}

func (s StatusPage) checks() statusLine {
	l := statusLine{what: "Check after deletions", state: "Nothing was found that should be gone"}
	if n := s.Gauges.Hits; n > 0 {
		l.condition, l.state = wrong, "Of "+count(int(n), "request")+" something was found that should be gone"
		l.advice = "Open the requests that failed in the Deletion Logs and report what they say; it is deleted again until nothing is found."
	}
	return l
}

func (s StatusPage) testPersons(p Page) statusLine {
	g, t := s.Gauges, s.Gauges.Tests
	l := statusLine{what: "Test person", since: t.Passed}
	switch {
	case !t.Failed.IsZero():
		l.condition, l.state, l.since = wrong, "Not erased as promised: "+t.Why, t.Failed
		l.advice = "Keep a copy of the file that is named, and report it as SECURITY.md says."
	case !s.TestPersons:
		l.condition, l.state = note, "None is made up, for --test-person is false"
	case g.Planted.After(t.Passed) && !s.late(g.Planted, lateTest):
		l.condition, l.state = note, "Made up on "+p.stampText(g.Planted)+"; being erased and looked for"
	case t.Passed.IsZero():
		l.condition, l.state = note, "None yet; the first is made up a day after the first start"
	case s.late(t.Passed, lateTest):
		l.condition, l.state = look, "Last made up, erased, and then found in no file, over two days ago"
		l.advice = "Look into the server's log, which says why none could be tested with."
	default:
		l.state = "Made up on " + p.stampText(g.Planted) + ", erased on " + p.stampText(g.Erased) + ", and then found in no file"
	}
	return l
}

func (s StatusPage) witness() statusLine {
	w := s.Gauges.Witness
	l := statusLine{what: "Witness", since: w.Compared}
	switch {
	case s.Unreachable == erasure.WitnessPart && s.WitnessGone:
		l.condition, l.state, l.since = wrong, "Is not there; nothing is taken until it is", time.Time{}
		l.advice = "Its directory " + w.Dir + " does not exist: is its disk mounted? Once it is back, Efface goes on by itself."
	case s.Unreachable == erasure.WitnessPart:
		l.condition, l.state, l.since = wrong, "Can't be written to; nothing is taken until it can", time.Time{}
		l.advice = "Make room on its disk, or give Efface the right to write in " + w.Dir + "; it goes on by itself."
	case w.Misfit != "":
		l.condition, l.state, l.advice = wrong, "Does not fit the store", w.Misfit
	case w.Lacks > 0:
		l.condition, l.state = note, "Not yet in it: "+number(int(w.Lacks))+" of the newest log entries"
	case w.Compared.IsZero():
		l.condition, l.state = note, "Fitted at the start; all of it is being compared"
	default:
		l.state = "Has what the store has, compared in full"
	}
	return l
}

func witnessPlace() statusLine {
	return statusLine{what: "Place of the witness", condition: note, state: "On the disk of the data: a rollback of the whole disk is not noticed",
		advice: "Stop the server, move the witness's directory to another disk, and name its place with --witness."}
}

func (s StatusPage) checkpoint() statusLine {
	if s.Gauges.SignedAt.IsZero() {
		return statusLine{what: "Signed log", condition: note, state: "Not signed yet; that takes ten minutes at most"}
	}
	return statusLine{what: "Signed log", state: "The newest checkpoint signs " + number(int(s.Gauges.Signed)) + " entries", since: s.Gauges.SignedAt}
}

func (s StatusPage) scrub() statusLine {
	return s.daily("Traces of deleted rows", "Cleared", "Not cleared yet", s.Gauges.Scrubbed)
}

func (s StatusPage) sweep() statusLine {
	return s.daily("Daily sweep", "Done: keys that nothing names, and what is past its time", "Not done yet", s.Gauges.Swept)
}

func (s StatusPage) daily(what, done, not string, last time.Time) statusLine {
	l := statusLine{what: what, state: done, since: last}
	switch {
	case s.late(last, lateDaily):
		l.condition, l.state = look, "Not done for over a day"
		l.advice = "Look into the server's log, which says why; it is tried again each hour."
	case last.IsZero():
		l.condition, l.state = note, not
	}
	return l
}

// late reports whether something was not done for so long, in which the server
// ran.
func (s StatusPage) late(last time.Time, limit time.Duration) bool {
	return s.Uptime > limit && s.Gauges.At.Sub(last) > limit
}

func (s StatusPage) backup() statusLine {
	if s.Gauges.BackedUp.IsZero() {
		return statusLine{what: "Backup", condition: note, state: "None was made with efface backup",
			advice: "Make one each day; docs/operating.md says how, and for how long to keep which part."}
	}
	return statusLine{what: "Backup", state: "Made with efface backup", since: s.Gauges.BackedUp}
}

func disk(d erasure.Disk) statusLine {
	l := statusLine{what: "Disk of the " + d.Of, state: size(d.Free) + " free of " + size(d.Size)}
	switch {
	case d.Size == 0:
		l.condition, l.state, l.advice = look, "Can't be read", "See that "+d.Dir+" is in its place."
	case d.Low:
		l.condition, l.advice = look, "Make room on the disk of "+d.Dir+"; lists are refused until then, and once it is full nothing is taken."
	}
	return l
}

// size writes bytes in words: "12 gigabytes", "340 megabytes", "16 kilobytes".
func size(bytes uint64) string {
	const giga, mega, kilo = 1_000_000_000, 1_000_000, 1_000
	switch {
	case bytes >= giga:
		return count(int(bytes/giga), "gigabyte")
	case bytes >= mega:
		return count(int(bytes/mega), "megabyte")
	case bytes >= kilo:
		return count(int(bytes/kilo), "kilobyte")
	}
	return count(int(bytes), "byte")
}
