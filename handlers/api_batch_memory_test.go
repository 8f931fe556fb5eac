package handlers

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"strings"
	"testing"

	"github.com/efface/efface/store/storetest"
)

// longList writes a list as it is read, and counts what was read of it.
type longList struct {
	lines, line int
	array       bool
	left        []byte
	written     int
	every       func(line int)
}

func (l *longList) Read(p []byte) (n int, err error) {
	if len(l.left) == 0 {
		if l.line == l.lines {
			return 0, io.EOF
		}
		if l.every != nil {
			l.every(l.line)
		}
		between, end := "\n", ""
		if l.array {
			between, end = ",", ""
			if l.line == 0 {
				between = "["
			}
			if l.line == l.lines-1 {
				end = "]"
			}
		}
		l.left = fmt.Appendf(nil, `%s{"key":"email","value":"nobody.%d@example.com","reason":"%s"}%s`, between, l.line, strings.Repeat("long ", 180), end)
		l.line++
	}
	n = copy(p, l.left)
	l.left = l.left[n:]
	l.written += n
	return n, nil
}

func TestAListIsReadALineAtATime(t *testing.T) {
	for _, array := range []bool{false, true} {
		sent := &longList{lines: storetest.Scale(t, 100_000), array: array}
		list, err := newBulkReader(sent)
		if err != nil {
			t.Fatal(err)
		}
		read := 0
		for {
			line, err := list.next()
			if err == io.EOF {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			read += len(line) + 1
			if ahead := sent.written - read; ahead > 3*bulkLine {
				t.Fatalf("at line %d %d bytes are read ahead", list.line, ahead)
			}
			if held := list.in.Size() + cap(line); held > 3*bulkLine {
				t.Fatalf("at line %d %d bytes are held", list.line, held)
			}
		}
		if read < sent.written-1 || read > sent.written {
			t.Errorf("of %d bytes %d are read", sent.written, read)
		}
	}
}

// A list of nearly the most lines and bytes takes no more memory than a short
// one, on the way in and in the answer.
func TestAListIsTakenInFlatMemory(t *testing.T) {
	const most = 8 << 20 // bytes; a tenth of the list has 10 MB
	st := newSite(t)
	s := st.script(everyScope...)
	lines := storetest.Scale(t, 100_000)
	var before, peak uint64
	live := func(line int) {
		if line%(lines/10) != 0 {
			return
		}
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		if before == 0 {
			before = m.HeapAlloc
		}
		peak = max(peak, m.HeapAlloc)
	}
	live(0)
	for _, array := range []bool{false, true} {
		sent := &longList{lines: lines, array: array, every: live}
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, st.url+batchPath, sent)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+s.token)
		res, err := s.client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		if n := countAnswer(t, res, live); n != lines {
			t.Errorf("%d of %d lines are answered with %d", n, lines, res.StatusCode)
		}
	}
	if peak > before+most {
		t.Errorf("a list of %d lines takes %d bytes, of which %d stood before", lines, peak, before)
	}
}

// countAnswer counts the results of an answer as it arrives.
func countAnswer(t *testing.T, res *http.Response, every func(int)) (n int) {
	t.Helper()
	defer res.Body.Close()
	answer := bufio.NewScanner(res.Body)
	answer.Split(func(data []byte, atEOF bool) (int, []byte, error) {
		if i := bytes.IndexByte(data, '}'); i >= 0 {
			return i + 1, data[:i], nil
		}
		if atEOF {
			return len(data), nil, nil
		}
		return 0, nil, nil
	})
	for answer.Scan() {
		if bytes.Contains(answer.Bytes(), []byte(`"status":"not_found"`)) {
			n++
			every(n)
		}
	}
	if err := answer.Err(); err != nil {
		t.Fatal(err)
	}
	return n
}
