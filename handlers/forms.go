package handlers

import (
	"errors"
	"net/http"
	"reflect"
	"strings"
	"unicode/utf8"

	"github.com/go-playground/validator/v10"
	"github.com/google/uuid"

	"github.com/efface/efface/store/erasure"
	"github.com/efface/efface/views"
)

// checker reads the tag "validate" of a form's struct and names its fields by
// their tag "form". It is not changed after it was made.
var checker = newChecker()

func newChecker() *validator.Validate {
	v := validator.New(validator.WithRequiredStructEnabled())
	v.RegisterTagNameFunc(func(f reflect.StructField) string { return f.Tag.Get("form") })
	return v
}

// sentences say what to do about a field, by its name and the rule it breaks.
var sentences = map[string]string{
	"email required":      "Give the e-mail address.",
	"email max":           "Give a shorter e-mail address.",
	"password required":   "Give the password.",
	"current required":    "Give the current password.",
	"role oneof":          "Choose a role.",
	"name required":       "Give the key a name.",
	"scope min":           "Choose at least one scope.",
	"disabled oneof":      "Use the buttons of the page.",
	"expires containsany": "Give 1 or more days until the key expires, or leave it empty.",
	"expires max":         "Give the days until the key expires in at most 5 digits.",
	"expires number":      "Give the days until the key expires as a whole number, or leave it empty.",
}

// check returns what is wrong with a form's struct, a sentence a field.
func check(form any) views.Problems {
	var wrong validator.ValidationErrors
	if !errors.As(checker.Struct(form), &wrong) {
		return nil
	}
	var ps views.Problems
	for _, w := range wrong {
		sentence := sentences[w.Field()+" "+w.Tag()]
		if sentence == "" {
			sentence = "Check this field."
		}
		ps = append(ps, erasure.Errorf(erasure.CodeInvalid, "%s", sentence).In(w.Field()))
	}
	return ps
}

// problems turns an error into what is wrong with the form that was sent. ok
// is false for an error that is not about it.
func problems(err error) (ps views.Problems, ok bool) {
	var e *erasure.Error
	if !errors.As(err, &e) || e.Code != erasure.CodeInvalid && e.Code != erasure.CodeConflict {
		return nil, false
	}
	return views.Problems{e}, true
}

// parseForm reads the request's form. Its values are UTF-8 without NUL, and
// those of the URL are not among them.
func parseForm(r *http.Request) error {
	if err := r.ParseForm(); err != nil {
		var tooLarge *http.MaxBytesError
		if errors.As(err, &tooLarge) {
			return err
		}
		return errForm
	}
	for _, values := range r.PostForm {
		for _, v := range values {
			if !utf8.ValidString(v) || strings.ContainsRune(v, 0) {
				return errForm
			}
		}
	}
	return nil
}

// pathID reads the id in a route's path.
func pathID(r *http.Request) (uuid.UUID, error) {
	id, err := uuid.Parse(r.PathValue("id"))
	if err != nil || len(r.PathValue("id")) != 36 {
		return uuid.Nil, errNoPage
	}
	return id, nil
}
