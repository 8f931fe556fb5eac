package june

import (
	"net/http"
	"net/url"
	"strconv"

	"github.com/go-json-experiment/json"

	"github.com/efface/efface/handlers/wire"
	"github.com/efface/efface/store/erasure"
)

// perPage is how many requests stand on a page.
const perPage = 50

// subject is what requests are about: users and groups have the same routes,
// and differ in the name of one member.
type subject struct {
	table erasure.Table
	key   string // also the name of the member
}

var (
	users  = subject{erasure.User, erasure.KeyUserID}
	groups = subject{erasure.Group, erasure.KeyGroupID}
)

type userBody struct {
	ID string `json:"user_id"`
}

type groupBody struct {
	ID string `json:"group_id"`
}

func (of subject) readID(text []byte) (string, error) {
	contract := erasure.JSONContract{Members: erasure.Members{of.key: nil}}
	var body userBody
	var err error
	if of == groups {
		var b groupBody
		err = wire.Decode(text, &b, contract)
		body = userBody(b)
	} else {
		err = wire.Decode(text, &body, contract)
	}
	id := erasure.CleanPaste(body.ID)
	if err == nil && id == "" {
		err = erasure.Errorf(erasure.CodeInvalid, "Give %s.", of.key)
	}
	return id, err
}

type accepted struct {
	Status  int  `json:"status"`
	Success bool `json:"success"`
	Request any  `json:"request"`
}

type listed struct {
	Status   int   `json:"status"`
	Success  bool  `json:"success"`
	Page     int   `json:"page"`
	PerPage  int   `json:"per_page"`
	Total    int   `json:"total"`
	Requests []any `json:"requests"`
}

type userRequest struct {
	ID          string  `json:"id"`
	About       *string `json:"user_id"`
	State       string  `json:"state"`
	RequestedAt *string `json:"requested_at"`
	StartedAt   *string `json:"started_at"`
	FinishedAt  *string `json:"finished_at"`
}

type groupRequest struct {
	ID          string  `json:"id"`
	About       *string `json:"group_id"`
	State       string  `json:"state"`
	RequestedAt *string `json:"requested_at"`
	StartedAt   *string `json:"started_at"`
	FinishedAt  *string `json:"finished_at"`
}

func (of subject) request(r erasure.Request, id string) any {
	u := userRequest{ID: r.ID.String(), State: words[r.State], RequestedAt: wire.Time(r.RequestedAt),
		StartedAt: wire.Time(r.StartedAt), FinishedAt: wire.Time(r.FinishedAt), About: wire.OrNull(id)}
	if of == groups {
		return groupRequest(u)
	}
	return u
}

// words are June's for the states. A cancelled request has none, and is never
// listed.
var words = map[erasure.State]string{
	erasure.Pending:    "requested",
	erasure.InProgress: "started",
	erasure.Failed:     "started", // it is still retried
	erasure.Completed:  "finished",
}

// statesOf gives the states that June has this word for; of "" every one that
// has a word.
func statesOf(word string) (states []erasure.State) {
	for _, s := range erasure.States {
		if words[s] != "" && (word == "" || word == words[s]) {
			states = append(states, s)
		}
	}
	return states
}

// readQuery reads what a list is asked for. Other parameters are passed over,
// as other members of a body are.
func readQuery(query string) (states []erasure.State, page int, err error) {
	values, err := url.ParseQuery(query)
	if err != nil {
		return nil, 0, erasure.Errorf(erasure.CodeInvalid, "Mend the query: it cannot be read.")
	}
	if len(values["state"]) > 1 || len(values["page"]) > 1 {
		return nil, 0, erasure.Errorf(erasure.CodeInvalid, "Give state and page once.")
	}
	states, page = statesOf(""), 1
	if values.Has("state") {
		states = statesOf(values.Get("state"))
		if values.Get("state") == "" || len(states) == 0 {
			return nil, 0, erasure.Errorf(erasure.CodeInvalid, "Give state as requested, started or finished.")
		}
	}
	if values.Has("page") {
		page, err = strconv.Atoi(values.Get("page"))
		if err != nil || page < 1 {
			return nil, 0, erasure.Errorf(erasure.CodeInvalid, "Give page as a whole number from 1.")
		}
	}
	return states, page, nil
}

type refusal struct {
	Status  int    `json:"status"`
	Success bool   `json:"success"`
	Error   string `json:"error"`
}

// Refuse answers an error in June's form. known is false where the error says
// nothing to the client and belongs in the log, beside reference.
func Refuse(w http.ResponseWriter, err error, reference string) (known bool) {
	status, sentence, known := wire.Classify(err)
	switch status {
	case http.StatusUnauthorized:
		w.Header().Set("WWW-Authenticate", `Basic realm="Efface"`)
		sentence = "Unauthorized"
	case http.StatusForbidden:
		sentence = "Forbidden"
	}
	if !known {
		sentence += " Reference: " + reference
	}
	if err := write(w, status, refusal{Status: status, Error: sentence}); err != nil {
		panic(err) // a sentence of our own is UTF-8
	}
	return known
}

func write(w http.ResponseWriter, status int, answer any) error {
	b, err := json.Marshal(answer)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(b) // a failed write means that the client went away
	return nil
}
