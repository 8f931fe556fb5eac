package views

import (
	"fmt"
	"strings"

	"github.com/efface/efface/store/erasure"
)

// trial is a line to try a new key with, and what it answers where the key
// works. It asks for nobody's erasure: the address is one that nobody can have,
// or the list is empty.
type trial struct {
	scope        erasure.Scope
	line, answer string
}

// trials gives one for each of the key's scopes.
func trials(baseURL string, key erasure.APIKey, token string) (all []trial) {
	const nobody = `{"key":"email","value":"nobody@example.invalid"}`
	own := func(path, body string) string {
		return fmt.Sprintf(`curl -sS '%s/api/v1%s' -H 'Authorization: Bearer %s'%s`, baseURL, path, token, body)
	}
	for _, scope := range key.Scopes {
		t := trial{scope: scope}
		switch scope {
		case erasure.ScopeCustomerLabs:
			t.line = fmt.Sprintf(`curl -sS '%s/user-deletion/' -H 'X-API-Key: %s' -d '%s'`, baseURL, token,
				`{"identify_by_key":"email","identify_by_value":"nobody@example.invalid"}`)
			t.answer = "No delete record found for this query"
		case erasure.ScopeLytics:
			t.line = fmt.Sprintf(`curl -sS -X DELETE '%s/v2/identity/user/email/nobody@example.invalid' -H 'Authorization: %s'`, baseURL, token)
			t.answer = "Nobody has exactly this identifier."
		case erasure.ScopeCleverTap:
			t.line = fmt.Sprintf(`curl -sS '%s/1/delete/profiles.json' -H 'X-CleverTap-Account-Id: %s' -H 'X-CleverTap-Passcode: %s' -d '%s'`,
				baseURL, strings.ReplaceAll(key.AccountID, "'", `'\''`), token, `{"identity":[]}`)
			t.answer = `{"status":"success"}`
		case erasure.ScopeJune:
			t.line = fmt.Sprintf(`curl -sS '%s/api/platform/data_management/user_deletion_requests?state=finished' -H 'Authorization: Basic %s'`, baseURL, token)
			t.answer = `{"status":200,"success":true,"page":1,…}`
		case erasure.ScopeDeletionsWrite:
			t.line, t.answer = own("/deletions", " -d '"+nobody+"'"), "Nobody has exactly this identifier."
		case erasure.ScopeDeletionsRead:
			t.line, t.answer = own("/deletions?state=pending", ""), `{"deletions":[…]}`
		case erasure.ScopeProfilesRead:
			t.line, t.answer = own("/profiles/find", " -d '"+nobody+"'"), `{"profiles":[]}`
		default:
			continue
		}
		all = append(all, t)
	}
	return all
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
