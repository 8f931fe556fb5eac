package store

import (
	"encoding/json"
	"fmt"
	"time"
)

// years are how many records of a fragment are of which year, in UTC. A
// source's clock may say anything: what it says of before 1970 or after next
// year counts as of year 0, so that a fragment has some tens of years at most.
type years map[int]int

func (y *years) Scan(src any) error {
	text, ok := src.(string)
	if !ok {
		return fmt.Errorf("years are %T", src)
	}
	*y = nil
	if text == "" {
		return nil
	}
	return json.Unmarshal([]byte(text), y)
}

// count adds a record of the time given, in milliseconds.
func (y *years) count(at int64, now time.Time) {
	year := millis(at).Year()
	if year < 1970 || year > now.UTC().Year()+1 {
		year = 0
	}
	if *y == nil {
		*y = years{}
	}
	(*y)[year]++
}

func (y years) text() string {
	if y == nil {
		return ""
	}
	b, _ := json.Marshal(y) // numbers alone
	return string(b)
}
