package views

import "github.com/efface/efface/store/erasure"

func scopeMeaning(s erasure.Scope) string {
	switch s {
	case erasure.ScopeCustomerLabs:
		return "request and cancel as CustomerLabs' API does"
	case erasure.ScopeLytics:
		return "request and follow as Lytics' API does"
	case erasure.ScopeCleverTap:
		return "request as CleverTap's API does; needs an account ID"
	case erasure.ScopeJune:
		return "request and list as June's API does"
	case erasure.ScopeDeletionsWrite:
		return "request and cancel deletions"
	case erasure.ScopeDeletionsRead:
		return "read requests and where they stand"
	case erasure.ScopeProfilesRead:
		return "find people by an identifier"
	case erasure.ScopeIngest:
		return "send data in"
	}
	return ""
}
