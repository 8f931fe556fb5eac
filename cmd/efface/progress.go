package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// progress draws one line on a terminal, over and over. On anything else it
// draws nothing.
type progress struct {
	w     io.Writer // nil where it is no terminal
	size  int64     // of all; 0 where it is not known
	done  *atomic.Int64
	unit  string // of what is counted
	shown time.Time
}

const (
	drawEvery = 100 * time.Millisecond
	barWidth  = 30
)

func newProgress(w io.Writer, size int64, done *atomic.Int64, unit string) *progress {
	if !isTerminal(w) {
		w = nil
	}
	return &progress{w: w, size: size, done: done, unit: unit}
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	_, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	return err == nil
}

func (p *progress) show(n int) {
	if p.w == nil || time.Since(p.shown) < drawEvery {
		return
	}
	p.shown = time.Now()
	if p.size == 0 {
		fmt.Fprintf(p.w, "\r%s %s", thousands(n), p.unit)
		return
	}
	done := min(1, float64(p.done.Load())/float64(p.size))
	bar := strings.Repeat("#", int(done*barWidth))
	fmt.Fprintf(p.w, "\r[%-*s] %3.0f %%  %s %s", barWidth, bar, 100*done, thousands(n), p.unit)
}

// clear makes room for another line.
func (p *progress) clear() {
	if p.w != nil && !p.shown.IsZero() {
		fmt.Fprint(p.w, "\r\x1b[K")
		p.shown = time.Time{}
	}
}

// countingReader knows how much of a file was read.
type countingReader struct {
	r io.Reader
	n atomic.Int64
}

// Read implements io.Reader.
func (c *countingReader) Read(b []byte) (int, error) {
	n, err := c.r.Read(b)
	c.n.Add(int64(n))
	return n, err
}
