package main

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode/utf16"
)

// planted are values that no file may show, in any of the encodings that they
// are looked for in.
type planted struct {
	folded signs // found in either case of A to Z
	exact  signs
}

func newPlanted(values ...string) *planted {
	p := &planted{folded: newSigns(), exact: newSigns()}
	p.add(values...)
	return p
}

// add plants values of 8 bytes or more: shorter ones are found by chance.
func (p *planted) add(values ...string) {
	for _, v := range values {
		for _, form := range slices.Compact([]string{v, strings.ToLower(v), strings.ToUpper(v)}) {
			p.folded.add(fold([]byte(form)), v)
			p.folded.add(fold(utf16Bytes(form, binary.LittleEndian)), v+" in UTF-16LE")
			p.folded.add(fold(utf16Bytes(form, binary.BigEndian)), v+" in UTF-16BE")
			p.folded.add([]byte(hex.EncodeToString([]byte(form))), v+" in hex")
			for _, text := range base64Forms(form) {
				p.exact.add([]byte(text), v+" in base64")
			}
		}
	}
}

// addKey plants a wrapped key: each eighth of its nonce, wrapped key and tag,
// so that a torn copy is found too.
func (p *planted) addKey(row []byte, name string) {
	if len(row) == 0 || len(bytes.Trim(row[wrappedFrom:], "\x00")) == 0 {
		panic(name + " is not in the keyring, or destroyed already")
	}
	for b := row[wrappedFrom:]; len(b) >= 8; b = b[8:] {
		p.exact.add(b[:8], name)
	}
}

// wrappedFrom is where a keyring's row is secret: after the id and the
// version of the master key.
const wrappedFrom = 17

// in returns the names of what b shows.
func (p *planted) in(b []byte) map[string]bool {
	found := map[string]bool{}
	p.exact.find(b, found)
	p.folded.find(fold(b), found)
	return found
}

// fold makes A to Z lower case, and nothing else: bytes that are no text may
// stand beside a value.
//
//go:norace
func fold(b []byte) []byte {
	b = bytes.Clone(b)
	for i, c := range b {
		if 'A' <= c && c <= 'Z' {
			b[i] = c + 'a' - 'A'
		}
	}
	return b
}

func utf16Bytes(s string, order binary.AppendByteOrder) (b []byte) {
	for _, unit := range utf16.Encode([]rune(s)) {
		b = order.AppendUint16(b, unit)
	}
	return b
}

// base64Forms gives what base64 shows of a text wherever it begins in what is
// encoded, without the characters that depend on its neighbours.
func base64Forms(s string) (forms []string) {
	for _, coding := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
		for before := range 3 {
			text := coding.EncodeToString([]byte("\x00\x00"[:before] + s))
			whole := len(text) // without the last character, where it has bits of what follows
			if (before+len(s))%3 != 0 {
				whole--
			}
			forms = append(forms, text[[]int{0, 2, 3}[before]:whole])
		}
	}
	slices.Sort(forms)
	return slices.Compact(forms)
}

// signs are byte strings that are looked for all at once, by their first 8
// bytes.
type signs struct {
	by    map[uint64][]sign
	maybe []bool // by a hash of the 8 bytes: most windows end here
}

type sign struct {
	bytes []byte
	name  string
}

const maybeBits = 20

func newSigns() signs { return signs{map[uint64][]sign{}, make([]bool, 1<<maybeBits)} }

func maybeOf(window uint64) uint64 { return window * 0x9e3779b97f4a7c15 >> (64 - maybeBits) }

func (s *signs) add(b []byte, name string) {
	if len(b) < 8 {
		panic("a planted value is too short to tell it from chance: " + name)
	}
	window := binary.BigEndian.Uint64(b)
	s.by[window] = append(s.by[window], sign{b, name})
	s.maybe[maybeOf(window)] = true
}

// find is not watched by the race detector, which would make it ten times as
// slow: it shares nothing.
//
//go:norace
func (s *signs) find(b []byte, found map[string]bool) {
	var window uint64
	for i, c := range b {
		window = window<<8 | uint64(c)
		if i < 7 || !s.maybe[maybeOf(window)] {
			continue
		}
		for _, sign := range s.by[window] {
			if bytes.HasPrefix(b[i-7:], sign.bytes) {
				found[sign.name] = true
			}
		}
	}
}

// The search is what the tests of I1 and I2 stand on: here it finds what is
// there, wherever and however it is written.
func TestTheSearchFindsAValueInEveryEncodingAndPlace(t *testing.T) {
	t.Parallel()
	const value = "Änne.Müller+x@Example.com"
	p := newPlanted(value)
	for name, b := range map[string][]byte{
		"as it is":      []byte(value),
		"lower case":    []byte(strings.ToLower(value)),
		"upper case":    []byte(strings.ToUpper(value)),
		"UTF-16LE":      utf16Bytes(value, binary.LittleEndian),
		"UTF-16BE":      utf16Bytes(strings.ToUpper(value), binary.BigEndian),
		"hex":           []byte(hex.EncodeToString([]byte(value))),
		"hex, upper":    []byte(strings.ToUpper(hex.EncodeToString([]byte(strings.ToLower(value))))),
		"base64":        []byte(base64.StdEncoding.EncodeToString([]byte(value))),
		"base64 URL":    []byte(base64.URLEncoding.EncodeToString([]byte(value))),
		"base64, lower": []byte(base64.StdEncoding.EncodeToString([]byte(strings.ToLower(value)))),
		"base64 + 1":    []byte(base64.StdEncoding.EncodeToString([]byte("\xff" + value + "\xff"))),
		"base64 + 2":    []byte(base64.StdEncoding.EncodeToString([]byte("ab" + value + "cd"))),
		"base64 + 5":    []byte(base64.StdEncoding.EncodeToString([]byte("abcde" + strings.ToUpper(value) + "f"))),
	} {
		for _, around := range []string{"", "\x00\x01", strings.Repeat("x", 5000)} {
			if len(p.in([]byte(around+string(b)+around))) == 0 {
				t.Errorf("the value is not found %s, with %d bytes around it", name, len(around))
			}
		}
		if found := p.in(b[:len(b)/2]); len(found) != 0 {
			t.Errorf("half of the value, %s, is taken for it: %v", name, found)
		}
	}
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
