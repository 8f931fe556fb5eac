package handlers

import (
	"errors"
	"net/http"
	"strings"

	"github.com/efface/efface/handlers/compat/clevertap"
	"github.com/efface/efface/handlers/compat/customerlabs"
	"github.com/efface/efface/handlers/compat/june"
	"github.com/efface/efface/handlers/compat/lytics"
	"github.com/efface/efface/handlers/compat/segment"
	"github.com/efface/efface/handlers/wire"
)

// refuseFunc answers an error in an API's own form. known is false where the
// error belongs in the log, beside the reference.
type refuseFunc func(w http.ResponseWriter, err error, reference string) (known bool)

// forms says by the beginning of a path which API's clients read the answer,
// so that an error has their form also where no route fits. The first counts.
var forms = []struct {
	path   string
	refuse refuseFunc
}{
	{"/user-deletion", customerlabs.Refuse},
	{"/v2", lytics.Refuse},
	{"/api/entity", lytics.Refuse},
	{"/1", clevertap.Refuse},
	{"/api/platform", june.Refuse},
	{"/sdk/user_deletion_request", june.Refuse},
	{"/v1", segment.Refuse},
	{"/sdk", segment.Refuse},
	{"/api", refuseAPI},
}

// formOf returns the form of errors for scripts, or nil where people read it.
func formOf(path string) refuseFunc {
	for _, f := range forms {
		if path == f.path || strings.HasPrefix(path, f.path+"/") {
			return f.refuse
		}
	}
	return nil
}

// forScripts says to a script what an error says to people with a browser.
func forScripts(err error) error {
	a, ok := errors.AsType[*answer](err)
	switch {
	case !ok:
		if _, over := errors.AsType[*http.MaxBytesError](err); over {
			return &wire.Fault{Status: errBody.status, Sentence: errBody.sentence}
		}
		return err
	case a == errNoPage:
		return &wire.Fault{Status: a.status, Sentence: "Check the path: there is no such route."}
	case a == errMethod:
		return &wire.Fault{Status: a.status, Sentence: "Use a method that the header Allow names."}
	}
	return &wire.Fault{Status: a.status, Sentence: a.sentence}
}
