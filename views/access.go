package views

import "github.com/efface/efface/store/erasure"

// What the navigation and the buttons offer. The handlers decide on their own
// who may do what; these keep a page from offering what would be refused.

func (p Page) seesProfiles() bool {
	return p.Operator.Role == erasure.Admin || p.Operator.Role == erasure.Staff
}

func (p Page) seesActivity() bool {
	return p.Operator.Role == erasure.Admin || p.Operator.Role == erasure.Auditor
}

func (p Page) seesSettings() bool { return p.Operator.Role == erasure.Admin }
