package wire_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/google/uuid"

	"github.com/efface/efface/handlers/wire"
	"github.com/efface/efface/store/erasure"
)

type call struct {
	Key   string   `json:"key"`
	Flag  bool     `json:"flag"`
	Items []member `json:"items"`
}

type member struct {
	Value string `json:"value"`
}

var contract = erasure.JSONContract{Members: erasure.Members{"key": nil, "flag": nil, "items": {"value": nil}}}

func TestDecodeRefusesWithASentenceThatTellsNothingOfTheBody(t *testing.T) {
	for body, want := range map[string]string{
		`{"key":"secret","key":1}`:                  "Give each name in a JSON object once; one stands twice at byte 17.",
		`{"KEY":"secret"}`:                          "Write key in exactly these letters.",
		`{"items":[{"Value":"secret"}]}`:            "Write value in exactly these letters.",
		`{"key":7}`:                                 "Give key as a string.",
		`{"key":null}`:                              "Give key a value, or leave it out.",
		`{"flag":"secret"}`:                         "Give flag as true or false.",
		`{"items":{"secret":1}}`:                    "Give items as an array.",
		`{"items":["secret"]}`:                      "Give items as an object.",
		`{"items":[{"value":{"secret":1}}]}`:        "Give value as a string.",
		`["secret"]`:                                "Give the body as an object.",
		`{"key":"secret"} "secret"`:                 "Give one JSON value and nothing after it; more follows after byte 16.",
		`{"key":"secret`:                            "Send the whole JSON text; this one is cut off.",
		`{"key":secret}`:                            "Mend the JSON at byte 8.",
		"{\"key\":\"\xffsecret\"}":                  "Write the JSON as UTF-8 text; it is not at byte 9.",
		`{"key":"secret\ud83d"}`:                    "Write the JSON as UTF-8 text; it is not at byte 15.",
		`{"key":"secret\u0000"}`:                    "Remove the NUL character before byte 22.",
		` `:                                         "Send a JSON body.",
		strings.Repeat(`[`, 33) + `1`:               "Nest objects and arrays no deeper than 32.",
		`{"x":` + strings.Repeat(`{"x":`, 32) + `1`: "Nest objects and arrays no deeper than 32.",
	} {
		err := wire.Decode([]byte(body), &call{}, contract)
		e, ok := errors.AsType[*erasure.Error](err)
		if !ok || e.Code != erasure.CodeInvalid || e.Sentence != want {
			t.Errorf("%q gives %v, want %q", body, err, want)
		}
	}
}

func TestDecodeTakesWhatHasOneMeaning(t *testing.T) {
	for _, body := range []string{
		`{"key":"a\\u0000","unknown":{"KEY":1,"Value":2,"null":null}}`,
		` {"items":[{"value":"a","x":[]},{"value":"b"}],"flag":true} `,
		`{"x":` + strings.Repeat(`[`, 31) + strings.Repeat(`]`, 31) + `}`, `{}`,
	} {
		if err := wire.Decode([]byte(body), &call{}, contract); err != nil {
			t.Errorf("%q gives %v", body, err)
		}
	}
	strict := contract
	strict.RefuseUnknown = true
	if err := wire.Decode([]byte(`{"key":"a","items":[{"other":1}]}`), &call{}, strict); err == nil {
		t.Error("an unknown member further inside is taken")
	}
}

func TestALimiterCountsEachKeyAlone(t *testing.T) {
	l, ann, bob := wire.NewLimiter(0, 2), uuid.New(), uuid.New()
	first, err := l.Enter(ann)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := l.Enter(ann); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Enter(ann); erasure.CodeOf(err) != erasure.CodeLimited {
		t.Errorf("the third at once gives %v", err)
	}
	if _, err := l.Enter(bob); err != nil {
		t.Errorf("another key is refused: %v", err)
	}
	first()
	first() // leaving twice makes room once
	if _, err := l.Enter(ann); err != nil {
		t.Errorf("after one has left: %v", err)
	}
	if _, err := l.Enter(ann); err == nil {
		t.Error("leaving twice made room twice")
	}
}

func TestALimiterGivesASecondsWorthAndThenAWait(t *testing.T) {
	l, key := wire.NewLimiter(0.01, 0), uuid.New()
	if _, err := l.Enter(key); err != nil {
		t.Fatal(err)
	}
	_, err := l.Enter(key)
	limited, ok := errors.AsType[*erasure.Limited](err)
	if !ok || limited.Seconds() < 90 || limited.Seconds() > 100 {
		t.Errorf("the second gives %v", err)
	}
}

func TestALimiterIsSafeForManyAtOnce(t *testing.T) {
	l, key := wire.NewLimiter(0, 4), uuid.New()
	var clients sync.WaitGroup
	for range 16 {
		clients.Go(func() {
			for range 200 {
				if leave, err := l.Enter(key); err == nil {
					leave()
				}
			}
		})
	}
	clients.Wait()
	for range 4 {
		if _, err := l.Enter(key); err != nil {
			t.Fatalf("a place was lost: %v", err)
		}
	}
}

func TestAHeaderSentTwiceIsNone(t *testing.T) {
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.Header["Authorization"] = []string{"Bearer a", "Bearer b"}
	if got := wire.Bearer(r); got != "" {
		t.Errorf("it is %q", got)
	}
	for header, want := range map[string]string{"Bearer a": "a", "bearer  a ": "a", "Basic a": "", "a": "", "Bearer": "", "": ""} {
		r.Header["Authorization"] = []string{header}
		if got := wire.Bearer(r); got != want {
			t.Errorf("%q is %q", header, got)
		}
	}
}

func TestABodyThatBreaksOffIsRefused(t *testing.T) {
	r := httptest.NewRequest(http.MethodPost, "/", failing{})
	r.ContentLength = -1
	if _, err := wire.ReadBody(httptest.NewRecorder(), r, 10); erasure.CodeOf(err) != erasure.CodeInvalid {
		t.Errorf("it gives %v", err)
	}
	r = httptest.NewRequest(http.MethodPost, "/", strings.NewReader("12345678901"))
	r.ContentLength = -1
	if _, err := wire.ReadBody(httptest.NewRecorder(), r, 10); erasure.CodeOf(err) != erasure.CodeTooLarge {
		t.Errorf("over the limit without a length it gives %v", err)
	}
}

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, fmt.Errorf("it broke") }
