package erasure

import (
	"maps"
	"slices"
	"strings"
	"unicode"

	"github.com/nyaruka/phonenumbers"
)

// CheckRegion refuses a phone region that is no country of libphonenumber's;
// the empty string is none given.
func CheckRegion(region string) error {
	if region != "" && !phonenumbers.GetSupportedRegions()[strings.ToUpper(region)] {
		return Errorf(CodeInvalid, "Give the country as its two ISO letters, such as DE or GB.").In("region")
	}
	return nil
}

// PhoneRegions lists the countries that a phone number can be read in.
func PhoneRegions() []string {
	return slices.Sorted(maps.Keys(phonenumbers.GetSupportedRegions()))
}

// PhoneRegion is the country of a number in E.164, valid or not; of a country
// code that several share, the largest one where no other fits. It is empty
// for a code that belongs to none, such as +800.
func PhoneRegion(e164 string) string {
	n := tryPhone(e164, "")
	if n == nil {
		return ""
	}
	region := phonenumbers.GetRegionCodeForNumber(n)
	if region == "" {
		region = phonenumbers.GetRegionCodeForCountryCode(int(n.GetCountryCode()))
	}
	if CheckRegion(region) != nil {
		return ""
	}
	return region
}

// normalisePhone gives E.164, for numbers that are not valid too as long as
// they parse: people erase what their systems hold, wrong numbers included.
func normalisePhone(s, region string) (string, bool) {
	n := parsePhone(withoutMarks(s), region)
	if n == nil {
		return s, false
	}
	dropTrunkZero(n)
	return phonenumbers.Format(n, phonenumbers.E164), true
}

// withoutMarks drops all invisible marks: address books wrap the numbers that
// are copied from them in marks of writing direction.
func withoutMarks(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.Is(unicode.Cf, r) {
			return -1
		}
		return r
	}, s)
}

// parsePhone reads a leading 00 as + unless the number as typed is valid in
// the region, as Japan's 00777 numbers are. Where + gives no valid number but
// the region's own way of dialling abroad does (0011 from Australia, 001 from
// Korea), that is what was meant.
func parsePhone(s, region string) *phonenumbers.PhoneNumber {
	typed := tryPhone(s, region)
	rest, ok := cutDoubleZero(s)
	if !ok || typed != nil && phonenumbers.IsValidNumberForRegion(typed, region) {
		return typed
	}
	plus := tryPhone("+"+rest, region)
	switch {
	case plus == nil:
		return typed
	case typed != nil && !phonenumbers.IsValidNumber(plus) && phonenumbers.IsValidNumber(typed):
		return typed
	}
	return plus
}

func tryPhone(s, region string) *phonenumbers.PhoneNumber {
	n, err := phonenumbers.Parse(s, region)
	if err != nil {
		return nil
	}
	return n
}

// cutDoubleZero returns what follows a leading 00, in digits of any script and
// with brackets or blanks around them.
func cutDoubleZero(s string) (rest string, ok bool) {
	zeros := 0
	for i, r := range s {
		switch {
		case zeros == 2:
			return strings.TrimLeftFunc(s[i:], func(r rune) bool { return !unicode.IsDigit(r) }), true
		case phonenumbers.NormalizeDigitsOnly(string(r)) == "0":
			zeros++
		case unicode.IsDigit(r), unicode.IsLetter(r), r == '+', r == '＋':
			return "", false
		}
	}
	return "", false
}

// dropTrunkZero makes one number of those that differ by the 0 dialled inside
// a country only, as in +34 (0)914 454 454 or +56 (0)2 635 4444. libphonenumber
// drops it where the country has that prefix today and keeps it elsewhere, for
// a few countries' numbers begin with 0. A number that is not valid with it is
// not one of those.
func dropTrunkZero(n *phonenumbers.PhoneNumber) {
	if n.GetItalianLeadingZero() && n.GetNationalNumber() != 0 && !phonenumbers.IsValidNumber(n) {
		n.ItalianLeadingZero, n.NumberOfLeadingZeros = nil, nil
	}
}
