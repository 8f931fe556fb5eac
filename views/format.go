package views

import (
	"fmt"
	"time"

	"golang.org/x/text/language"
	"golang.org/x/text/message"

	"github.com/efface/efface/store/erasure"
)

// number writes n with a comma between groups of three digits.
func number(n int) string { return message.NewPrinter(language.English).Sprintf("%d", n) }

// count writes a number with its noun, which takes an s for all but one.
func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return number(n) + " " + noun + "s"
}

// copiesHold is said wherever destroyed keys are promised: copies of the
// keyring in backups hold them until those are deleted.
func (p Page) copiesHold() string {
	return "Until " + termText(p.KeyringCopies) + " later, copies in backups may still hold it."
}

// stampText is a time to the second with its zone, as every page shows it.
func (p Page) stampText(t time.Time) string {
	return p.in(t).Format("2006-01-02 15:04:05 MST")
}

func (p Page) in(t time.Time) time.Time {
	if p.Location == nil {
		return t.UTC()
	}
	return t.In(p.Location)
}

// span writes a duration in its two largest units: "23 h 59 min", "41 s".
func span(d time.Duration) string {
	d = d.Truncate(time.Second)
	units := []struct {
		size time.Duration
		name string
	}{{24 * time.Hour, "d"}, {time.Hour, "h"}, {time.Minute, "min"}, {time.Second, "s"}}
	for i, u := range units {
		if d < u.size {
			continue
		}
		first := fmt.Sprintf("%d %s", d/u.size, u.name)
		rest := d % u.size
		if i+1 == len(units) || rest < units[i+1].size {
			return first
		}
		return fmt.Sprintf("%s %d %s", first, rest/units[i+1].size, units[i+1].name)
	}
	return "0 s"
}

// termText writes how long a setting says in words: "3 years", "30 days", "24
// hours", "2 seconds". Years may count their leap days or not.
func termText(d time.Duration) string {
	days := int(d / (24 * time.Hour))
	years := days / 365
	switch {
	case years > 0 && days%365 <= (years+3)/4:
		return count(years, "year")
	case days > 1 && d%(24*time.Hour) == 0:
		return count(days, "day")
	case d >= time.Hour && d%time.Hour == 0:
		return count(int(d/time.Hour), "hour")
	case d < time.Minute:
		return count(int(d/time.Second), "second")
	}
	return span(d)
}

func stateText(s erasure.State) string {
	switch s {
	case erasure.Pending:
		return "Pending"
	case erasure.InProgress:
		return "In progress"
	case erasure.Failed:
		return "Failed"
	case erasure.Completed:
		return "Completed"
	case erasure.Cancelled:
		return "Cancelled"
	}
	return string(s)
}

func stateColour(s erasure.State) string {
	switch s {
	case erasure.Pending:
		return "status-yellow"
	case erasure.InProgress:
		return "status-blue"
	case erasure.Failed:
		return "status-red"
	case erasure.Completed:
		return "status-green"
	}
	return "status-secondary"
}

func originText(o erasure.Origin) string {
	switch o {
	case erasure.Console:
		return "Console"
	case erasure.API:
		return "API"
	case erasure.CustomerLabs:
		return "CustomerLabs"
	case erasure.Lytics:
		return "Lytics"
	case erasure.CleverTap:
		return "CleverTap"
	case erasure.June:
		return "June"
	case erasure.TestPerson:
		return "Test person"
	}
	return string(o)
}

func roleText(r erasure.Role) string {
	switch r {
	case erasure.Admin:
		return "Admin"
	case erasure.Staff:
		return "Operator"
	case erasure.Auditor:
		return "Auditor"
	}
	return string(r)
}

func roleMeaning(r erasure.Role) string {
	switch r {
	case erasure.Admin:
		return "Everything, Settings included."
	case erasure.Staff:
		return "Find, request, cancel, and the Deletion Logs."
	case erasure.Auditor:
		return "Deletion Logs and Activity, never a profile."
	}
	return ""
}

func tableText(t erasure.Table) string {
	if t == erasure.Group {
		return "Account (group)"
	}
	return "Person (user)"
}

// noun is what a sentence calls a profile of a table.
func noun(t erasure.Table) string {
	if t == erasure.Group {
		return "group"
	}
	return "person"
}

// keyText names an identifier key: a built-in one in words, with the name that
// scripts and files have for it where the words do not tell, any other as its
// source wrote it.
func keyText(key string) string {
	switch key {
	case erasure.KeyEffaceID:
		return "User ID (made by Efface)"
	case erasure.KeyUserID:
		return "user_id (from a source)"
	case erasure.KeyCleverTapID:
		return "CleverTap ID (clevertap_id)"
	case erasure.KeyAnonymousID:
		return "Anonymous ID (anonymous_id)"
	case erasure.KeyEmail:
		return "E-mail"
	case erasure.KeyPhone:
		return "Phone"
	case erasure.KeyFBP:
		return "Facebook browser ID (fbp)"
	case erasure.KeyGAClientID:
		return "Google Analytics client ID (ga_client_id)"
	case erasure.KeyGroupID:
		return "group_id (from a source)"
	}
	return key
}
