package ingest

import (
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/efface/efface/store/erasure"
)

// traitKeys are the traits that are identifiers. Ids that a call has members
// of its own for are not read from traits.
var traitKeys = []string{
	erasure.KeyEmail, erasure.KeyPhone, erasure.KeyCleverTapID, erasure.KeyFBP, erasure.KeyGAClientID,
}

// wireContext is what of a call's context leads to its profile.
type wireContext struct {
	Traits      traits       `json:"traits"`
	ExternalIDs []externalID `json:"externalIds"`
}

type externalID struct {
	ID         idText `json:"id"`
	Type       string `json:"type"`
	Collection string `json:"collection"`
	Encoding   string `json:"encoding"`
}

func readContext(raw jsontext.Value) (*wireContext, error) {
	var ctx wireContext
	switch raw.Kind() {
	case jsontext.KindInvalid:
		return &ctx, nil
	case '{':
	default:
		return nil, refuse("Give context as an object.")
	}
	if err := json.Unmarshal(raw, &ctx); err != nil {
		return nil, refuse("Give context.traits as an object and context.externalIds as a list of objects with the texts id, type, collection and encoding.")
	}
	return &ctx, nil
}

// addOwn takes the ids that the call has members for; it needs one of them.
func (g *gathering) addOwn(w *wireCall) error {
	if err := g.add(erasure.KeyUserID, string(w.UserID)); err != nil {
		return err
	}
	if err := g.add(erasure.KeyAnonymousID, string(w.AnonymousID)); err != nil {
		return err
	}
	if len(g.ids) == 0 {
		return refuse("Give the call a userId or an anonymousId.")
	}
	return nil
}

// addTraits takes the identifiers among traits and returns the others.
func (g *gathering) addTraits(all traits) (map[string]jsontext.Value, error) {
	rest := make(map[string]jsontext.Value, len(all))
	for name, v := range all {
		v = slices.Clone(v)
		if err := v.Compact(); err != nil {
			return nil, err
		}
		rest[name] = v
	}
	return rest, g.takeTraits(rest)
}

// takeTraits moves identifiers out of traits, in the order of their keys.
func (g *gathering) takeTraits(from map[string]jsontext.Value) error {
	for _, key := range traitKeys {
		v, ok := from[key]
		if !ok || !erasure.KeyOf(g.table, key).Known {
			continue
		}
		value, ok, err := textOf(v)
		if err != nil {
			return err
		}
		if !ok {
			continue
		}
		if err := g.add(key, value); err != nil {
			return err
		}
		delete(from, key)
	}
	return nil
}

// textOf reads an identifier's value. Sources that keep phone numbers as
// numbers exist; null is how others write that they have none. What is neither,
// such as a list of addresses, identifies nobody and stays a trait.
func textOf(v jsontext.Value) (value string, ok bool, err error) {
	switch v.Kind() {
	case '"':
		b, err := jsontext.AppendUnquote(nil, v)
		return string(b), err == nil, err
	case '0':
		return numberText(string(v)), true, nil
	case 'n':
		return "", true, nil
	}
	return "", false, nil
}

// numberText is a number's text. Languages that have floating numbers alone write
// 7 as 7.0, and one that is large with an exponent.
func numberText(number string) string {
	n, err := strconv.ParseFloat(number, 64)
	if err != nil || !strings.ContainsAny(number, ".eE") || n != math.Trunc(n) || math.Abs(n) >= 1<<53 {
		return number
	}
	return strconv.FormatInt(int64(n), 10)
}

// addContext takes the identifiers that stand in the call's context: those of
// its traits, and external ids of users that are not hashed or encrypted. The
// spec leaves it to sources what they call a type; nobody can be found by one
// that names no key, and it stays in the record alone.
func (g *gathering) addContext(ctx *wireContext) error {
	if _, err := g.addTraits(ctx.Traits); err != nil {
		return err
	}
	for _, x := range ctx.ExternalIDs {
		if x.Collection != "" && x.Collection != "users" || x.Encoding != "" && x.Encoding != "none" {
			continue
		}
		key := strings.ToLower(x.Type)
		if key == erasure.KeyGroupID || erasure.CheckKeyName(key) != nil { // the first says whom they belong to, not who they are
			continue
		}
		if err := g.add(key, string(x.ID)); err != nil {
			return err
		}
	}
	return nil
}
