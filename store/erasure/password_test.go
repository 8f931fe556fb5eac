package erasure

import (
	"strings"
	"testing"
)

func TestGuessablePasswordsAreRefusedEachWithItsSentence(t *testing.T) {
	for _, c := range []struct{ password, want string }{
		{"short", "at least 15"},
		{"fourteen chars", "at least 15"},
		{strings.Repeat("ä", 14), "at least 15"},
		{strings.Repeat("wk", 501), "at most 1,000"},
		{"bad utf-8 \xff and so on", "readable"},
		{"aaaaaaaaaaaaaaaa", "repeat"},
		{"horse7horse7horse7", "repeat"},
		{"abcdefghijklmnop", "running"},
		{"ponmlkjihgfedcba", "running"},
		{"1234567890123456789012345", "re"},
		{"abcdefgh12345678", "running"},
		{"qwertyuiopasdfgh", "running"},
		{"aaaaaaaaaaaaaaab", "running"},
		{"Efface-Efface-2026", "name Efface"},
		{"ann.smith@example.org1", "e-mail address."},
		{"SmithAnnExample99", "e-mail address."},
		{"efface-ann.smith-1", "e-mail address"},
	} {
		err := CheckPassword("ann.smith@example.org", c.password)
		if CodeOf(err) != CodeInvalid || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: got %v, want a sentence with %q", c.password, err, c.want)
		}
	}
}

func TestGoodPasswordsArePermitted(t *testing.T) {
	for _, p := range []string{
		"correct horse battery", "Rivers run uphill twice", "été à la plage 1987",
		"efface my mornings gently", strings.Repeat("x7#qL9v!Tz", 98) + "unlike the rest",
	} {
		if err := CheckPassword("ann.smith@example.org", p); err != nil {
			t.Errorf("%q: %v", p, err)
		}
	}
}
