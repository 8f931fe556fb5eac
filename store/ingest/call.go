package ingest

import (
	"errors"
	"maps"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/efface/efface/store/erasure"
)

// wireCall is a call as the Segment spec has it. Members that it does not name
// are passed over.
type wireCall struct {
	Type              string         `json:"type"`
	MessageID         string         `json:"messageId"`
	UserID            idText         `json:"userId"`
	AnonymousID       idText         `json:"anonymousId"`
	PreviousID        idText         `json:"previousId"`
	GroupID           idText         `json:"groupId"`
	Event             string         `json:"event"`
	Name              string         `json:"name"`
	Category          string         `json:"category"`
	Timestamp         string         `json:"timestamp"`
	OriginalTimestamp string         `json:"originalTimestamp"`
	Properties        jsontext.Value `json:"properties"`
	Traits            traits         `json:"traits"`
	Context           jsontext.Value `json:"context"`
}

type traits map[string]jsontext.Value

// idText is an id. SDKs of languages without types send those that are numbers
// in their company's database as numbers.
type idText string

var errNoText = errors.New("neither text nor a number")

// UnmarshalJSONFrom implements [json.UnmarshalerFrom].
func (id *idText) UnmarshalJSONFrom(d *jsontext.Decoder) error {
	v, err := d.ReadValue()
	if err != nil {
		return err
	}
	text, ok, err := textOf(v)
	if err == nil && !ok {
		err = errNoText
	}
	*id = idText(text)
	return err
}

// beside is what stands beside a call for where the call itself lacks it.
type beside struct {
	kind      Kind                      // that of the path it was sent to, which it may not contradict
	context   map[string]jsontext.Value // its batch's
	timestamp string                    // its batch's
}

// contract names every member that the Segment spec gives a call. SDKs send
// null for what they do not know.
var contract = erasure.JSONContract{Null: true, Members: erasure.Members{
	"type": nil, "messageId": nil, "userId": nil, "anonymousId": nil, "previousId": nil, "groupId": nil, "event": nil,
	"name": nil, "category": nil, "properties": nil, "traits": nil, "context": nil, "timestamp": nil,
	"originalTimestamp": nil, "sentAt": nil, "receivedAt": nil, "integrations": nil, "channel": nil, "version": nil,
	"writeKey": nil,
}}

// MessageIDLength is how long a messageId may be, in bytes.
const MessageIDLength = 255

// ParseCall reads one Segment-spec call, without a source. Its errors are
// [erasure.Error]s; a call that is refused has told nothing.
func ParseCall(raw []byte) (Call, error) { return ParseKind("", raw) }

// ParseKind reads one call as [ParseCall] does. It was sent to where only calls
// of this kind are, and need not say so itself.
func ParseKind(kind Kind, raw []byte) (Call, error) {
	if err := checkSize(raw); err != nil {
		return Call{}, err
	}
	if err := contract.Check(raw); err != nil {
		return Call{}, err
	}
	return readCall(raw, beside{kind: kind})
}

func checkSize(raw []byte) error {
	if len(raw) > EventSize {
		return refuse("Shorten the event to %d bytes.", EventSize)
	}
	return nil
}

// readCall reads a call whose form was checked.
func readCall(raw []byte, b beside) (Call, error) {
	w, err := readWire(raw, b)
	if err != nil {
		return Call{}, err
	}
	at, err := w.at()
	if err != nil {
		return Call{}, err
	}
	ctx, err := readContext(w.Context)
	if err != nil {
		return Call{}, err
	}
	c := Call{Kind: Kind(w.Type), Table: erasure.User, MessageID: w.MessageID, At: at}
	if err := c.fill(w, ctx); err != nil {
		return Call{}, err
	}
	return c, nil
}

func readWire(raw []byte, b beside) (*wireCall, error) {
	var w wireCall
	if err := json.Unmarshal(raw, &w); err != nil {
		return nil, typeError(err)
	}
	if w.Context.Kind() == 'n' {
		w.Context = nil
	}
	switch w.Properties.Kind() {
	case jsontext.KindInvalid, '{':
	case 'n':
		w.Properties = nil
	default:
		return nil, refuse("Give properties as an object.")
	}
	return &w, b.lend(&w)
}

// lend gives a call what it lacks.
func (b beside) lend(w *wireCall) (err error) {
	if w.Type == "" {
		w.Type = string(b.kind)
	}
	if b.kind != "" && w.Type != string(b.kind) {
		return refuse("Send the call to the path of its type, or leave the type out.")
	}
	if w.timestamp() == "" {
		w.Timestamp = b.timestamp
	}
	if len(b.context) == 0 || w.Context != nil && w.Context.Kind() != '{' {
		return nil
	}
	var own map[string]jsontext.Value
	if w.Context != nil {
		if err := json.Unmarshal(w.Context, &own); err != nil {
			return err
		}
	}
	all := maps.Clone(b.context)
	maps.Copy(all, own)
	w.Context, err = json.Marshal(all, json.Deterministic(true))
	return err
}

// typeError names the member that is of the wrong type. Only names of the
// call's own are shown; deeper ones may be anybody's.
func typeError(err error) error {
	s, ok := errors.AsType[*json.SemanticError](err)
	if ok && s.JSONPointer == "" {
		return refuse("Give the call as a JSON object.")
	}
	if ok {
		own := strings.TrimPrefix(string(s.JSONPointer), "/")
		if _, known := contract.Members[own]; known && own == "traits" {
			return refuse("Give traits as an object.")
		} else if known {
			return refuse("Give %s as text.", own)
		}
	}
	return refuse("Give each member of the call in the type that the Segment spec has for it.")
}

// fill takes from the wire what the call's kind has.
func (c *Call) fill(w *wireCall, ctx *wireContext) error {
	if len(w.MessageID) > MessageIDLength {
		return refuse("Shorten messageId to %d bytes.", MessageIDLength)
	}
	g := gathering{table: erasure.User}
	if err := g.addOwn(w); err != nil {
		return err
	}
	var err error
	switch c.Kind {
	case Identify:
		c.Traits, err = g.addTraits(w.Traits)
	case Track:
		err = need("event", w.Event)
	case Group:
		err = c.fillGroup(w)
	case Alias:
		c.PreviousID, err = string(w.PreviousID), checkID("previousId", string(w.PreviousID))
	case Page, Screen:
	default:
		err = refuse("Give type as identify, track, group, alias, page or screen.")
	}
	if err != nil {
		return err
	}
	if err := g.addContext(ctx); err != nil {
		return err
	}
	c.Identifiers = g.ids
	c.Record, err = record(c.Kind, w)
	return err
}

func (c *Call) fillGroup(w *wireCall) error {
	groupID := string(w.GroupID)
	if err := checkID("groupId", groupID); err != nil {
		return err
	}
	g := gathering{table: erasure.Group}
	if err := g.add(erasure.KeyGroupID, groupID); err != nil {
		return err
	}
	var err error
	c.Traits, err = g.addTraits(w.Traits)
	c.GroupID, c.GroupIdentifiers = groupID, g.ids
	return err
}

func need(name, value string) error {
	if erasure.CleanPaste(value) == "" {
		return refuse("Give the call its %s.", name)
	}
	return nil
}

// checkID refuses an id that could not be looked up as an identifier.
func checkID(name, value string) error {
	if err := need(name, value); err != nil {
		return err
	}
	err := erasure.CheckIdentifier(erasure.Identifier{Table: erasure.User, Key: erasure.KeyUserID, Value: value})
	if err != nil {
		return refuse("Shorten %s to %d bytes.", name, erasure.ValueLength)
	}
	return nil
}
