package erasure

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/net/idna"
	"golang.org/x/text/unicode/norm"
)

// NormaliserVersion goes into every fingerprint. It changes with the form that
// any value is brought to; the golden vectors in testdata tell when that is.
const NormaliserVersion = 1

// ValueLength is how long the value of an identifier may be, in bytes.
const ValueLength = 1024

// Normalise brings an identifier's value to the one form it is compared in.
// The phone region is the identifier's own or else the store's; either may be
// empty. parsed is false where the value does not read as the phone number or
// e-mail address that its key promises: it is then compared as typed. err is
// an [Error] for a value that cannot be an identifier at all.
//
// Every value is cleaned as by [CleanPaste] first, on the way in as on the way
// out. Values compared exactly keep their letter case, inner blanks and signs;
// what nobody can see must not decide whether a person is found.
func Normalise(id Identifier, storeRegion string) (value string, parsed bool, err error) {
	if err := CheckIdentifier(id); err != nil {
		return "", false, err
	}
	value = CleanPaste(id.Value)
	switch KeyOf(id.Table, id.Key).Form {
	case FormUUID:
		u, _ := parseUUID(squeeze(id.Value)) // checked above
		return u.String(), true, nil
	case FormEmail:
		value, parsed = normaliseEmail(value)
		return value, parsed, nil
	case FormPhone:
		region := id.Region
		if region == "" {
			region = storeRegion
		}
		value, parsed = normalisePhone(value, strings.ToUpper(region))
		return value, parsed, nil
	}
	return value, true, nil
}

// CheckIdentifier refuses what cannot be an identifier: a key that is none, a
// value that is empty, too long or not text, a User ID that is no UUID.
func CheckIdentifier(id Identifier) error {
	if err := CheckKeyName(id.Key); err != nil {
		return err
	}
	if err := checkValue(id.Value); err != nil {
		return err
	}
	switch KeyOf(id.Table, id.Key).Form {
	case FormUUID:
		if _, ok := parseUUID(squeeze(id.Value)); !ok {
			return Errorf(CodeInvalid, "Give the whole User ID as Efface shows it: 32 digits and letters in five groups.").In("value")
		}
	case FormPhone:
		return CheckRegion(id.Region)
	}
	return nil
}

func checkValue(value string) error {
	switch {
	case len(value) > ValueLength:
		return Errorf(CodeInvalid, "Shorten the value to %d bytes.", ValueLength).In("value")
	case !utf8.ValidString(value):
		return Errorf(CodeInvalid, "Give the value as UTF-8 text.").In("value")
	case strings.ContainsRune(value, 0):
		return Errorf(CodeInvalid, "Remove the NUL character from the value.").In("value")
	case CleanPaste(value) == "":
		return Errorf(CodeInvalid, "Enter a value.").In("value")
	}
	return nil
}

// domains maps a domain to the ASCII form that DNS knows it by. Underscores
// and other characters that host names forbid are let through: such addresses
// exist, and an address is to be found, not judged.
var domains = idna.New(idna.MapForLookup(), idna.Transitional(false), idna.StrictDomainName(false))

// normaliseEmail folds neither dots nor plus tags: whether these are one
// mailbox is known to its host alone, and a wrong guess erases somebody else.
func normaliseEmail(s string) (string, bool) {
	s = norm.NFC.String(strings.ToLower(s))
	if bare, parsed := parseEmail(withoutScheme(s)); parsed {
		return bare, true
	}
	return s, false
}

// withoutScheme takes off what a link to an address that was copied begins with.
func withoutScheme(s string) string {
	for strings.HasPrefix(s, "mailto:") {
		s = strings.TrimSpace(strings.TrimPrefix(s, "mailto:"))
	}
	return s
}

func parseEmail(s string) (string, bool) {
	at := strings.LastIndexByte(s, '@')
	if at < 1 || strings.ContainsAny(s, "<>") || strings.ContainsFunc(s[at:], blank) {
		return s, false
	}
	local, quoted := s[:at], strings.HasPrefix(s, `"`) && strings.HasSuffix(s[:at], `"`)
	if !quoted && (strings.ContainsRune(local, '@') || strings.ContainsFunc(local, blank)) {
		return s, false
	}
	domain, err := domains.ToASCII(s[at+1:])
	domain = strings.TrimSuffix(domain, ".")
	if err != nil || domain == "" || strings.HasPrefix(domain, ".") || strings.Contains(domain, "..") || !settled(domain) {
		return s, false
	}
	return local + "@" + domain, true
}

// settled reports whether normalising a domain again would change nothing: of
// some letters IDNA makes blanks, and of two dots at the end one goes each time.
func settled(domain string) bool {
	again, err := domains.ToASCII(domain)
	return err == nil && again == domain && !strings.HasSuffix(domain, ".") && !strings.ContainsFunc(domain, blank)
}

func blank(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }
