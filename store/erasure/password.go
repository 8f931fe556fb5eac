package erasure

import (
	"cmp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// How long a password may be, in characters.
const (
	PasswordMin = 15
	PasswordMax = 1000
)

// Less than this many characters beside the guessable words leave a password
// made of them.
const passwordRest = 8

const product = "efface"

// CheckPassword refuses a password that is too short, too long or quickly
// guessed. email is the account's own address.
func CheckPassword(email, password string) error {
	n := utf8.RuneCountInString(password)
	switch {
	case !utf8.ValidString(password):
		return badPassword("Choose a password of readable characters.")
	case n < PasswordMin:
		return badPassword("Choose a password of at least 15 characters.")
	case n > PasswordMax:
		return badPassword("Choose a password of at most 1,000 characters.")
	}
	p := []rune(strings.ToLower(norm.NFKC.String(password)))
	words := emailWords(email)
	switch {
	case repeated(p):
		return badPassword("Choose a password that does not repeat one sequence.")
	case running(p):
		return badPassword("Choose a password that is not one running sequence such as abc or 123.")
	case madeOf(p, []string{product}):
		return badPassword("Choose a password that is not made of the name Efface.")
	case madeOf(p, words):
		return badPassword("Choose a password that is not made of the e-mail address.")
	case madeOf(p, append(words, product)):
		return badPassword("Choose a password that is not made of the e-mail address and the name Efface.")
	}
	return nil
}

func badPassword(sentence string) error {
	return Errorf(CodeInvalid, "%s", sentence).In("password")
}

// emailWords gives the address, its halves and their parts, the longest first.
func emailWords(email string) []string {
	email = strings.ToLower(email)
	words := append([]string{email}, strings.Split(email, "@")...)
	words = append(words, strings.FieldsFunc(email, func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r)
	})...)
	words = slices.DeleteFunc(words, func(w string) bool { return len(w) < 3 })
	slices.SortFunc(words, func(a, b string) int { return cmp.Compare(len(b), len(a)) })
	return words
}

func madeOf(p []rune, words []string) bool {
	rest := string(p)
	for _, w := range words {
		rest = strings.ReplaceAll(rest, w, "")
	}
	return len(rest) < len(string(p)) && utf8.RuneCountInString(rest) < passwordRest
}

// repeated reports whether one unit fills the whole password at least twice.
func repeated(p []rune) bool {
	for period := 1; period <= len(p)/2; period++ {
		if slices.Equal(p[period:], p[:len(p)-period]) {
			return true
		}
	}
	return false
}

// Sequences that people run along, each forwards, backwards and round its end.
var sequences = []string{
	"abcdefghijklmnopqrstuvwxyz", "0123456789",
	"qwertyuiopasdfghjklzxcvbnm", "qwertzuiopasdfghjklyxcvbnm", "azertyuiopqsdfghjklmwxcvbn",
}

// running reports whether three steps in four stay or go to a neighbour.
func running(p []rune) bool {
	steps := 0
	for i := 1; i < len(p); i++ {
		if p[i] == p[i-1] || slices.ContainsFunc(sequences, func(s string) bool { return neighbours(s, p[i-1], p[i]) }) {
			steps++
		}
	}
	return steps*4 >= (len(p)-1)*3
}

func neighbours(sequence string, a, b rune) bool {
	i, j := strings.IndexRune(sequence, a), strings.IndexRune(sequence, b)
	if i < 0 || j < 0 {
		return false
	}
	d := (i - j + len(sequence)) % len(sequence)
	return d == 1 || d == len(sequence)-1
}
