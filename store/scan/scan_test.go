package scan

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/url"
	"strings"
	"testing"
	"testing/iotest"
)

func found(p *Patterns, b []byte) (all []Match) {
	p.Find(b, func(m Match) { all = append(all, m) })
	return all
}

func textPatterns(texts ...string) *Patterns {
	p := &Patterns{}
	for i, text := range texts {
		p.AddText(i, text)
	}
	return p
}

// It is what the tests of I1 and I2 stand on: here it finds what is there,
// wherever and however it is written.
func TestAValueIsFoundInEveryEncodingAndPlace(t *testing.T) {
	const value = `Änne.Müller+x/"<y>@Example.com`
	p := textPatterns(value)
	inJSON, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	for name, b := range map[string][]byte{
		"as it is":      []byte(value),
		"lower case":    []byte(strings.ToLower(value)),
		"upper case":    []byte(strings.ToUpper(value)),
		"mixed case":    []byte(`Änne.MüLLER+X/"<y>@exAMPLe.com`),
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
		"URL, query":    []byte(url.QueryEscape(value)),
		"URL, path":     []byte(url.PathEscape(strings.ToLower(value))),
		"JSON":          inJSON,
		"JSON, ASCII":   []byte(`\u00C4nne.M\u00fcller+x/\"<y>@Example.com`),
		"JSON, PHP":     []byte(`Änne.Müller+x\/\"<y>@Example.com`),
		"HTML":          []byte("Änne.Müller+x/&#34;&lt;y&gt;@Example.com"),
	} {
		for _, around := range []string{"", "\x00\x01", strings.Repeat("x", 5000)} {
			if len(found(p, []byte(around+string(b)+around))) == 0 {
				t.Errorf("the value is not found %s, with %d bytes around it", name, len(around))
			}
		}
		if m := found(p, b[:len(b)/2]); len(m) != 0 {
			t.Errorf("half of the value, %s, is taken for it: %v", name, m)
		}
	}
}

// What a plain search finds is found, once and at its place, and nothing else,
// whatever the patterns, and however the bytes come.
func TestAllOccurrencesAreFoundOnce(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	letters := func(n int) []byte {
		b := make([]byte, n)
		for i := range b {
			b[i] = "aAbB"[random.IntN(4)]
		}
		return b
	}
	for range 300 {
		p := &Patterns{}
		var texts [][]byte
		for id := range 1 + random.IntN(5) {
			texts = append(texts, letters(MinLength+random.IntN(30)))
			p.AddBytes(id, texts[id])
		}
		b := letters(2000)
		for range 5 {
			copy(b[random.IntN(len(b)):], texts[random.IntN(len(texts))])
		}
		want := map[string]int{}
		for at := range b {
			for id, text := range texts {
				if bytes.HasPrefix(b[at:], text) {
					want[fmt.Sprint(id, " at ", at)]++
				}
			}
		}
		reader := NewReader(p)
		for name, r := range map[string]io.Reader{"whole": bytes.NewReader(b), "by bytes": iotest.OneByteReader(bytes.NewReader(b))} {
			got := map[string]int{}
			if err := reader.Search(r, func(m Match) { got[fmt.Sprint(m.ID, " at ", m.At)]++ }); err != nil {
				t.Fatal(err)
			}
			if fmt.Sprint(got) != fmt.Sprint(want) {
				t.Fatalf("%s: found %v, not %v", name, got, want)
			}
		}
	}
}

func TestAValueAcrossTwoReadsIsFoundOnce(t *testing.T) {
	const value = "somebody.with.a.long.name@example.com"
	for _, text := range []string{value, hex.EncodeToString([]byte(value))} {
		p := textPatterns(value, "shorter@ex")
		reader := NewReader(p)
		for _, end := range []int{readSize, 2*readSize - p.longest + 1, 3 * readSize} {
			for before := range len(text) + 2 {
				b := bytes.Repeat([]byte{0}, 4*readSize)
				copy(b[end-before:], text)
				var all []Match
				if err := reader.Search(bytes.NewReader(b), func(m Match) { all = append(all, m) }); err != nil {
					t.Fatal(err)
				}
				if len(all) != 1 || all[0].At != int64(end-before) || all[0].ID != 0 {
					t.Fatalf("with %d bytes before byte %d found %v", before, end, all)
				}
			}
		}
	}
}

func BenchmarkSearch(b *testing.B) {
	data := make([]byte, 64<<20)
	source := rand.NewChaCha8([32]byte{})
	source.Read(data)
	for i := 0; i < len(data); i += 8192 { // a database is not noise alone
		clear(data[i : i+2048])
		copy(data[i:], strings.Repeat(`{"actor":"terminal","kind":"request.created","time":"2026-01-31T12:00:00.000Z"}`, 20))
	}
	run := func(name string, search func(r io.Reader) error) {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(data)))
			for b.Loop() {
				if err := search(bytes.NewReader(data)); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	buf := make([]byte, readSize)
	run("read", func(r io.Reader) error {
		_, err := io.CopyBuffer(struct{ io.Writer }{io.Discard}, struct{ io.Reader }{r}, buf)
		return err
	})
	for _, n := range []int{1, 10, 100, 1000} {
		p := &Patterns{}
		for i := range n {
			p.AddText(i, fmt.Sprintf("person.%d@example.com", i))
		}
		reader := NewReader(p)
		run(fmt.Sprint("identifiers-", n), func(r io.Reader) error { return reader.Search(r, func(Match) {}) })
	}
}
