package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/efface/efface/store/scan"
)

// planted are values that no file may show, in any of the encodings that
// package scan looks for them in.
type planted struct {
	patterns scan.Patterns
	names    []string
}

func newPlanted(values ...string) *planted {
	p := &planted{}
	p.add(values...)
	return p
}

// enough is the length in bytes from which on a value is not found by chance
// in any of the many searches of a test.
const enough = 8

// add plants values of 8 bytes or more.
func (p *planted) add(values ...string) {
	for _, v := range values {
		if len(v) < enough {
			panic("a planted value is too short to tell it from chance: " + v)
		}
		p.patterns.AddText(p.called(v), v)
	}
}

// addBytes plants what is looked for just as it is.
func (p *planted) addBytes(b []byte, name string) {
	p.patterns.AddBytes(p.called(name), b)
}

func (p *planted) called(name string) (id int) {
	p.names = append(p.names, name)
	return len(p.names) - 1
}

// addKey plants a wrapped key: each eighth of its nonce, wrapped key and tag,
// so that a torn copy is found too.
func (p *planted) addKey(row []byte, name string) {
	if len(row) == 0 || len(bytes.Trim(row[wrappedFrom:], "\x00")) == 0 {
		panic(name + " is not in the keyring, or destroyed already")
	}
	for b := row[wrappedFrom:]; len(b) >= 8; b = b[8:] {
		p.addBytes(b[:8], name)
	}
}

// wrappedFrom is where a keyring's row is secret: after the id and the
// version of the master key.
const wrappedFrom = 17

// in returns the names of what b shows.
func (p *planted) in(b []byte) map[string]bool {
	found := map[string]bool{}
	p.patterns.Find(b, func(m scan.Match) {
		name := p.names[m.ID]
		if m.Encoding != "" {
			name += " in " + m.Encoding
		}
		found[name] = true
	})
	return found
}

// The search is what the tests of I1 and I2 stand on.
func TestTheSearchFindsAValueInAFile(t *testing.T) {
	t.Parallel()
	const value = "Änne.Müller+x@Example.com"
	p := newPlanted(value)
	dir := t.TempDir()
	file := filepath.Join(dir, "deep", "file")
	if err := os.Mkdir(filepath.Dir(file), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte("before "+value+" after"), 0o600); err != nil {
		t.Fatal(err)
	}
	if found := p.inFiles(t, dir); len(found) != 1 {
		t.Errorf("in a file is found %v", found)
	}
}

func TestTheSearchFindsAValueInAnUnlinkedFileOfAnotherProcess(t *testing.T) {
	t.Parallel()
	f, err := os.CreateTemp(t.TempDir(), "unlinked")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteString("torn off\x00unlinked.value@example.com"); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(f.Name()); err != nil {
		t.Fatal(err)
	}
	other := child(t, "import", "--data", filepath.Join(t.TempDir(), "data"), "-") // waits for its stdin
	stdin, err := other.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	other.ExtraFiles = []*os.File{f}
	if err := other.Start(); err != nil {
		t.Fatal(err)
	}
	p := newPlanted("unlinked.value@example.com")
	if found := p.behind(t, other.Process.Pid); len(found) != 1 {
		t.Errorf("behind the descriptors is found %v", found)
	}
	if err := stdin.Close(); err != nil {
		t.Error(err)
	}
	_ = other.Wait() // an empty file is refused
}
