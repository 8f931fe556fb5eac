package views

import (
	"slices"
	"strings"

	"golang.org/x/text/language"
	"golang.org/x/text/language/display"
	"golang.org/x/text/unicode/norm"

	"github.com/efface/efface/store/erasure"
)

// country is one that a phone number can be read in.
type country struct{ Code, Name string }

// countries are in the order of their names, Åland among those with A.
var countries = newCountries()

func newCountries() []country {
	var all []country
	for _, code := range erasure.PhoneRegions() {
		all = append(all, country{code, countryName(code)})
	}
	slices.SortFunc(all, func(a, b country) int {
		return strings.Compare(norm.NFD.String(a.Name), norm.NFD.String(b.Name))
	})
	return all
}

// renamed are the countries whose names x/text has of 2017.
var renamed = map[string]string{"MK": "North Macedonia", "SZ": "Eswatini", "TR": "Türkiye"}

func countryName(code string) string {
	if name, ok := renamed[code]; ok {
		return name
	}
	region, err := language.ParseRegion(code)
	if err != nil {
		return code
	}
	return display.English.Regions().Name(region)
}

func (c country) text() string { return c.Name + " (" + c.Code + ")" }

// noCountry is what an empty choice of country means in a store.
func noCountry(region string) string {
	if region == "" {
		return "None: the number begins with + and the country code"
	}
	return "Store's default: " + country{region, countryName(region)}.text()
}

// readAs says how a phone number was read.
func readAs(e164 string) string {
	if code := erasure.PhoneRegion(e164); code != "" {
		return e164 + " (" + countryName(code) + ", " + code + ")"
	}
	return e164 + " (no single country's)"
}
