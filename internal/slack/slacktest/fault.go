package slacktest

import (
	"errors"
	"net/http"
	"strconv"
	"time"

	"golang.org/x/time/rate"
)

// Fault is a misbehaviour of Slack, to be had on request; the package's doc says what each kind takes.
type Fault struct {
	Kind    string  `json:"kind"`
	Method  string  `json:"method"`
	Count   int     `json:"count"`
	Seconds float64 `json:"seconds"`
	Error   string  `json:"error"`
	Reason  string  `json:"reason"`
}

// faultOf marks the gate that a fault closed, apart from the method's own.
const faultOf = "fault of "

// times is for how many occasions a fault holds.
func (f Fault) times() int { return max(1, f.Count) }

func (f Fault) lasting(otherwise time.Duration) time.Duration {
	if f.Seconds <= 0 {
		return otherwise
	}
	return time.Duration(f.Seconds * float64(time.Second))
}

// faults are those still to come.
type faults struct {
	calls     []planned
	duplicate int
	hellos    []Fault // what ends the next connections right after their hello
}

// planned is a fault of a Web API method, and how often it still strikes.
type planned struct {
	Fault
	left int
}

// Inject plans a fault. The error says which kinds there are.
func (w *Workspace) Inject(f Fault) error {
	if !w.enter() {
		return errors.New("the workspace is closed")
	}
	defer w.work.Done()
	switch f.Kind {
	case "refresh":
		f.Reason = "refresh_requested"
		w.disconnect(f)
	case "disconnect":
		w.disconnect(f)
	case "ratelimit", "error", "slow":
		w.mu.Lock()
		w.faults.calls = append(w.faults.calls, planned{f, f.times()})
		w.mu.Unlock()
	case "duplicate":
		w.mu.Lock()
		w.faults.duplicate += f.times()
		w.mu.Unlock()
	default:
		return unknownFault(f.Kind)
	}
	return nil
}

type unknownFault string

func (f unknownFault) Error() string {
	return "fault " + strconv.Quote(string(f)) + " is unknown; there are disconnect, refresh, ratelimit, error, slow and duplicate"
}

// strike takes the first planned fault of one of the kinds for a method. The caller holds w.mu.
func (w *Workspace) strike(name string, kinds ...string) (Fault, bool) {
	for i := range w.faults.calls {
		p := &w.faults.calls[i]
		if p.left == 0 || (p.Method != "" && p.Method != name) {
			continue
		}
		for _, k := range kinds {
			if p.Kind == k {
				p.left--
				return p.Fault, true
			}
		}
	}
	return Fault{}, false
}

// slowness is how long a call has to wait before it is looked at.
func (w *Workspace) slowness(name string) time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	f, ok := w.strike(name, "slow")
	if !ok {
		return 0
	}
	return f.lasting(time.Second)
}

// faulty is the refusal that a fault asks for. The caller holds w.mu.
func (w *Workspace) faulty(name string) *refusal {
	key := faultOf + name
	if wait := w.take(key, rate.Inf, 1, false); wait > 0 {
		return tooMany(wait)
	}
	f, ok := w.strike(name, "ratelimit", "error")
	if !ok {
		return nil
	}
	if f.Kind == "ratelimit" {
		wait := f.lasting(time.Second)
		w.quotas[key].close(w.now(), wait)
		return tooMany(wait)
	}
	if status, err := strconv.Atoi(f.Error); err == nil && http.StatusText(status) != "" {
		return &refusal{code: "fault", status: status, planned: true}
	}
	if f.Error == "" {
		f.Error = "internal_error"
	}
	return &refusal{code: f.Error, planned: true}
}
