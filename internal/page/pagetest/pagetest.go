// Package pagetest is the other end of package page: local receivers that take
// only what the published formats allow, and keep what they were told.
//
// It holds no test, and imports nothing of the bot: what it checks is written
// down here a second time, from the receivers' own documents.
package pagetest

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"sync"
)

// End is one receiver.
type End struct {
	URL string

	server *httptest.Server
	judge  func(r *http.Request, body []byte) (Told, []string)

	mu     sync.Mutex
	told   []Told
	wrong  []string
	faults []Fault
	tries  int
}

// Told is one request that was in order.
type Told struct {
	Act  string // trigger, acknowledge or resolve
	Key  string
	Text string // the headline of a trigger
	Body map[string]any
}

// Fault is an answer instead of taking a request.
type Fault struct {
	Status     int
	RetryAfter int    // seconds; 0: the header is left out
	Says       string // in the answer
	Takes      bool   // it is taken all the same: only the answer is lost
}

func start(accepted int, judge func(r *http.Request, body []byte) (Told, []string)) *End {
	e := &End{judge: judge}
	e.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { e.answer(w, r, accepted) }))
	e.URL = e.server.URL
	return e
}

// Close ends the receiver.
func (e *End) Close() { e.server.Close() }

// Inject answers the next requests with faults, one each.
func (e *End) Inject(faults ...Fault) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.faults = append(e.faults, faults...)
}

// Told is what it has taken, in order, but for what resolves nothing.
func (e *End) Told() []Told {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.told)
}

// Wrong lists what was not as the published format has it.
func (e *End) Wrong() []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.wrong)
}

// Tries counts all requests.
func (e *End) Tries() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.tries
}

// Open lists the incidents that were triggered and not resolved since; true
// for those that are acknowledged.
func (e *End) Open() map[string]bool {
	open := map[string]bool{}
	for _, told := range e.Told() {
		_, known := open[told.Key]
		switch {
		case told.Act == "resolve":
			delete(open, told.Key)
		case told.Act == "acknowledge" && known:
			open[told.Key] = true
		case told.Act == "trigger":
			open[told.Key] = false
		}
	}
	return open
}

func (e *End) answer(w http.ResponseWriter, r *http.Request, accepted int) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // whoever sent it has gone
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.tries++
	told, wrong := e.judge(r, body)
	if r.Method != http.MethodPost || r.Header.Get("Content-Type") != "application/json" {
		wrong = append(wrong, fmt.Sprintf("%s of %q", r.Method, r.Header.Get("Content-Type")))
	}
	e.wrong = append(e.wrong, wrong...)
	fault := Fault{}
	if len(e.faults) > 0 {
		fault, e.faults = e.faults[0], e.faults[1:]
	}
	// What resolves nothing is taken and dropped, as receivers do.
	if len(wrong) == 0 && (fault.Status == 0 || fault.Takes) && (told.Act != "resolve" || e.knows(told.Key)) {
		e.told = append(e.told, told)
	}
	switch {
	case fault.Status != 0:
		if fault.RetryAfter > 0 {
			w.Header().Set("Retry-After", strconv.Itoa(fault.RetryAfter))
		}
		reply(w, fault.Status, map[string]any{"message": fault.Says})
	case len(wrong) > 0:
		reply(w, http.StatusBadRequest, map[string]any{"status": "invalid event", "message": "Event object is invalid", "errors": wrong})
	default:
		reply(w, accepted, map[string]any{"status": "success", "message": "Event processed", "result": "Request will be processed"})
	}
}

// knows reports whether something was triggered under a key.
func (e *End) knows(key string) bool {
	return slices.ContainsFunc(e.told, func(told Told) bool { return told.Act == "trigger" && told.Key == key })
}

func reply(w http.ResponseWriter, status int, content any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(content) // whoever asked may have gone
}
