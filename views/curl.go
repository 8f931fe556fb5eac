package views

import (
	"fmt"

	"github.com/efface/efface/store/erasure"
)

// CurlLine is a line to try a new key with, "" where none of its scopes has
// one.
func CurlLine(baseURL string, key erasure.APIKey, token string) string {
	switch {
	case key.Has(erasure.ScopeDeletionsWrite):
		return fmt.Sprintf(`curl %s/api/v1/deletions -H 'Authorization: Bearer %s' -d '{"key":"email","value":"ann@example.com"}'`, baseURL, token)
	case key.Has(erasure.ScopeCustomerLabs):
		return fmt.Sprintf(`curl %s/user-deletion/ -H 'X-API-Key: %s' -d '{"identify_by_key":"email","identify_by_value":"ann@example.com"}'`, baseURL, token)
	case key.Has(erasure.ScopeDeletionsRead):
		return fmt.Sprintf(`curl %s/api/v1/deletions -H 'Authorization: Bearer %s'`, baseURL, token)
	case key.Has(erasure.ScopeProfilesRead):
		return fmt.Sprintf(`curl %s/api/v1/profiles/find -H 'Authorization: Bearer %s' -d '{"key":"email","value":"ann@example.com"}'`, baseURL, token)
	}
	return ""
}

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
