// Package scan finds texts in raw bytes, in every encoding that a program may
// have written them in, at the speed of a disk.
package scan

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"html"
	"net/url"
	"slices"
	"strings"
	"unicode/utf16"
)

// form is a text as one encoding writes it.
type form struct {
	encoding string // "" is none
	bytes    []byte
	exact    bool // else A to Z count as a to z
}

// forms are those that a text is looked for in, none twice: as it is and in
// lower and upper case, each of them in UTF-16, hexadecimal and base64, and as
// URLs, JSON and HTML escape it.
func forms(text string) (all []form) {
	add := func(encoding string, exact bool, b []byte) {
		if !exact {
			b = fold(b)
		}
		same := func(f form) bool { return f.exact == exact && bytes.Equal(f.bytes, b) }
		if !slices.ContainsFunc(all, same) {
			all = append(all, form{encoding, b, exact})
		}
	}
	for _, text := range []string{text, strings.ToLower(text), strings.ToUpper(text)} {
		add("", false, []byte(text))
		add("UTF-16", false, utf16Bytes(text, binary.LittleEndian))
		add("UTF-16", false, utf16Bytes(text, binary.BigEndian))
		add("hexadecimal", false, []byte(hex.EncodeToString([]byte(text))))
		for _, b := range base64Forms(text) {
			add("base64", true, b)
		}
		for _, s := range []string{url.QueryEscape(text), strings.ReplaceAll(url.QueryEscape(text), "+", "%20"), url.PathEscape(text)} {
			add("a URL", false, []byte(s))
		}
		for _, b := range jsonForms(text) {
			add("JSON", false, b)
		}
		add("HTML", false, []byte(html.EscapeString(text)))
	}
	return all
}

// fold makes A to Z lower case, and nothing else: bytes that are no text may
// stand beside a value.
func fold(b []byte) []byte {
	b = bytes.Clone(b)
	for i, c := range b {
		b[i] = folded[c]
	}
	return b
}

var folded = func() (to [256]byte) {
	for i := range to {
		to[i] = byte(i)
		if 'A' <= i && i <= 'Z' {
			to[i] += 'a' - 'A'
		}
	}
	return to
}()

func utf16Bytes(s string, order binary.AppendByteOrder) (b []byte) {
	for _, unit := range utf16.Encode([]rune(s)) {
		b = order.AppendUint16(b, unit)
	}
	return b
}

// base64Forms gives what base64 shows of a text wherever it begins in what is
// encoded, without the characters that depend on its neighbours.
func base64Forms(s string) (forms [][]byte) {
	for _, coding := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
		for before := range 3 {
			text := coding.EncodeToString([]byte("\x00\x00"[:before] + s))
			whole := len(text) // without the last character, where it has bits of what follows
			if (before+len(s))%3 != 0 {
				whole--
			}
			forms = append(forms, []byte(text[[]int{0, 2, 3}[before]:whole]))
		}
	}
	return forms
}

// jsonForms are a text in JSON with as few escapes as may be, as Go writes it,
// with the slashes escaped, and in ASCII alone.
func jsonForms(s string) [][]byte {
	var least bytes.Buffer
	e := json.NewEncoder(&least)
	e.SetEscapeHTML(false)
	asGo, err := json.Marshal(s)
	if err != nil || e.Encode(s) != nil {
		panic("scan: a string without JSON") // there is none
	}
	inner := least.Bytes()[1 : least.Len()-2] // without the quotes and the line's end
	return [][]byte{inner, asGo[1 : len(asGo)-1], bytes.ReplaceAll(inner, []byte("/"), []byte(`\/`)), inASCII(inner)}
}

func inASCII(b []byte) (ascii []byte) {
	for _, r := range string(b) {
		if r < 0x80 {
			ascii = append(ascii, byte(r))
			continue
		}
		for _, unit := range utf16.Encode([]rune{r}) {
			ascii = fmt.Appendf(ascii, `\u%04x`, unit)
		}
	}
	return ascii
}
