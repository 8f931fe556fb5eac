package ingest

import (
	"slices"
	"strings"

	"github.com/efface/efface/store/erasure"
)

// Column is what a column of a CSV file is read as: an identifier where it has
// a key, else a trait.
type Column struct {
	Name, Key string
	// Suggests is the key that a trait may have been meant for, by its name or
	// its first value; mostly empty. Nobody is found by a trait.
	Suggests string

	seen bool // a value of it
}

// Columns says what the columns are read as, by the rows up to now. Their
// names are nobody's data: a file without a header is refused, for its first
// line names no key.
func (c *CSVReader) Columns() []Column { return slices.Clone(c.columns) }

// see looks at the first value that a trait has.
func (c *Column) see(value string) {
	if !c.seen && c.Suggests == "" && isEmail(value) {
		c.Suggests = erasure.KeyEmail
	}
	c.seen = true
}

func isEmail(value string) bool {
	_, parsed, err := erasure.Normalise(erasure.Identifier{Table: erasure.User, Key: erasure.KeyEmail, Value: value}, "")
	return parsed && err == nil
}

// otherNames are what systems call the keys in their exports, by the letters
// alone.
var otherNames = map[string]string{
	"email": erasure.KeyEmail, "emailaddress": erasure.KeyEmail, "mail": erasure.KeyEmail,
	"phone": erasure.KeyPhone, "phonenumber": erasure.KeyPhone, "mobile": erasure.KeyPhone,
	"tel": erasure.KeyPhone, "telephone": erasure.KeyPhone,
	"userid": erasure.KeyUserID, "groupid": erasure.KeyGroupID,
}

func suggestedBy(table erasure.Table, name string) string {
	letters := strings.Map(func(r rune) rune {
		if 'a' <= r && r <= 'z' {
			return r
		}
		return -1
	}, strings.ToLower(name))
	if key := otherNames[letters]; erasure.KeyOf(table, key).Known {
		return key
	}
	return ""
}
