package erasure

import (
	"strings"
	"unicode"

	"github.com/google/uuid"
	"golang.org/x/text/unicode/norm"
)

// CleanPaste frees a pasted value of what the person who pasted it cannot see:
// invisible characters anywhere, blanks at its ends, and the difference
// between composed and decomposed letters.
func CleanPaste(s string) string {
	s = strings.Map(func(r rune) rune {
		if invisible(r) {
			return -1
		}
		return r
	}, s)
	return strings.TrimSpace(norm.NFC.String(s))
}

// invisible are blanks without a width, soft hyphens, joiners, and marks of
// writing direction and of language. Selectors of a letter's form show.
func invisible(r rune) bool {
	switch {
	case r == '\u00A0', r == '\u00AD', r == '\u034F', r == '\u061C', r == '\u180E', r == '\uFEFF',
		'\u200B' <= r && r <= '\u200F', '\u202A' <= r && r <= '\u202E', '\u2060' <= r && r <= '\u206F',
		'\U000E0000' <= r && r <= '\U000E007F':
		return true
	}
	return false
}

// MatchPaste reports what is wrong with the User ID that was pasted to confirm
// an erasure or a cancel, or nil where it is the profile's current one. Each
// mistake has a sentence of its own, because each asks for another remedy.
func MatchPaste(pasted string, current uuid.UUID, former []uuid.UUID) error {
	s := squeeze(pasted)
	if err := wrongPaste(s); err != nil {
		return err
	}
	id, ok := parseUUID(s)
	if !ok {
		return pasteError("That is not a User ID; copy the whole User ID shown on this page and paste it.")
	}
	if id == current {
		return nil
	}
	for _, f := range former {
		if id == f {
			return pasteError("That is a former User ID; copy the current one shown on this page and paste that.")
		}
	}
	return pasteError("That is not the User ID of this profile; copy the one shown on this page and paste it.")
}

func wrongPaste(s string) error {
	switch {
	case s == "":
		return pasteError("Paste the User ID shown on this page to confirm.")
	case strings.HasPrefix(s, requestPrefix):
		return pasteError("That is the ID of a deletion request; paste the User ID shown on this page instead.")
	case strings.HasPrefix(s, batchPrefix):
		return pasteError("That is the ID of a batch; paste the User ID shown on this page instead.")
	}
	return nil
}

// MatchRequestPaste is the same for a request that has no profile and is
// confirmed by its own id.
func MatchRequestPaste(pasted string, id RequestID) error {
	s := squeeze(pasted)
	if s == "" {
		return pasteError("Paste the ID of this request to confirm.")
	}
	got, ok := ParseRequestID(s)
	if !ok {
		return pasteError("That is not a request ID; copy the whole ID of this request, which begins with er_, and paste it.")
	}
	if got != id {
		return pasteError("That is not the ID of this request; copy the one shown on this page and paste it.")
	}
	return nil
}

func pasteError(sentence string) *Error { return Errorf(CodeInvalid, "%s", sentence).In("confirm") }

// squeeze brings an id to its own letter case and takes out every blank: ids
// have none, and a line break inside one comes from the page it was copied off.
func squeeze(pasted string) string {
	return strings.ToLower(strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) {
			return -1
		}
		return r
	}, CleanPaste(pasted)))
}

// parseUUID takes the 36 characters that Efface shows and no other spelling.
func parseUUID(s string) (uuid.UUID, bool) {
	if len(s) != 36 {
		return uuid.UUID{}, false
	}
	id, err := uuid.Parse(s)
	return id, err == nil
}
