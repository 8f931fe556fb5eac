package store

import "testing"

// NewTurns is another program that takes turns in a directory.
func NewTurns(t *testing.T, dir string) *turns {
	t.Helper()
	p := &turns{}
	if err := p.open(dir); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.close() })
	return p
}

// Ask asks for a turn, which lasts until End.
func (t *turns) Ask() { t.ask() }

// End ends a turn, also one that has not come.
func (t *turns) End() { t.end() }

// Comes reports whether the turn that was asked for has come.
func (t *turns) Comes() bool {
	_, there := t.before()
	return !there
}

// GiveUp waits no longer for the first of those that are before.
func (t *turns) GiveUp() { t.wait(0) }
