// Package runbook reads a Markdown runbook, judges evidence by its signs, and
// drafts plans from its fixes.
//
// It is pure: no I/O beyond the bytes it is given, no clock, no cluster. It
// knows no check and no change by itself; the vocabulary is handed to it.
package runbook

import (
	"encoding/json"
	"time"

	"redis-session-bot/internal/evidence"
)

// Runbook is a loaded document.
type Runbook struct {
	File          string   // where it was read from, for messages
	Title         string   // first heading
	Alert         string   // alert name that opens it
	Related       []string // names of alerts that join it as evidence
	Command       string   // slash command without the slash
	Severity      string
	Target        evidence.Target // defaults; config adds to it
	EscalateAfter time.Duration   // from the alert's start to the page
	Audit         string          // kind of the target, by which it is audited; "" where it is not
	Impact        string          // one or two sentences for people, from the document's Impact section
	Steps         []Step
	Scenarios     []Scenario
	Measures      []Fix // what people may do whatever the cause is: a rollback, a fallback
	Verification  []Expectation
	Letters       []Letter // drafts of texts that people edit and send
	Doubts        Problems // what does work, and is likely not what the author means
}

// Step is one diagnosis step.
type Step struct {
	ID    string
	Title string
	Check string // name of a check
	Prose string // what to look for, for people
	Line  int
}

// Scenario is a possible cause, the signs that speak for it, and its fix.
type Scenario struct {
	ID       string
	Title    string
	Prose    string
	Signs    []Sign
	Outranks []string // scenarios that this one explains: with both, this one is the cause
	Fixes    []Fix    // the first is the one to take; empty: nothing that a bot may do safely
	ByHand   []string // what a person does where there is no fix, or beside it; one line each, with ${CEL}
	WhenOK   bool     // being chosen means that nothing needs mending (healthy, false alarm)
	Line     int

	lets   []binding // names for expressions, in order
	byHand []advice
}

// Weight is how much one sign says.
type Weight string

// The weights, from strongest to weakest; against and never speak the other way.
const (
	Decisive   Weight = "decisive"   // by itself enough
	Strong     Weight = "strong"     // names the cause unless something better does
	Weak       Weight = "weak"       // fits, and fits other causes too
	Against    Weight = "against"    // makes the cause less likely
	Impossible Weight = "impossible" // rules the cause out
)

// Sign is one condition over the evidence and the sentence that it earns.
type Sign struct {
	When   string
	Says   string // with ${CEL} inside
	Weight Weight
	Line   int

	program condition
	text    template
}

// Draft is one change of a fix as the document has it, its arguments not yet
// filled in from the evidence.
type Draft struct {
	Kind string
	Args json.RawMessage // strings may hold ${CEL}
	Line int

	filled filler
}

// Change is one typed write, as data. Args is canonical JSON.
type Change struct {
	Kind string          `json:"kind"`
	Args json.RawMessage `json:"args"`
}

// Expectation is one line of the verification.
type Expectation struct {
	ID        string
	Check     string // the check to run for it
	When      string // CEL that must hold; `since` is the time of the fix, `promised` the number of keys that it promised
	Says      string // sentence when it holds, with ${CEL}
	Otherwise string // sentence when it does not, with ${CEL}
	Line      int

	program   condition
	text      template
	otherwise template
}

// Confidence is how sure a verdict is.
type Confidence string

// The confidences, from surest to least.
const (
	Certain  Confidence = "certain"
	Likely   Confidence = "likely"
	Possible Confidence = "possible"
)

// Cause is one scenario as judged.
type Cause struct {
	Scenario   string     `json:"scenario"`
	Title      string     `json:"title"`
	Confidence Confidence `json:"confidence"`
	Because    []string   `json:"because"` // the sentences of the signs that speak for it
	Against    []string   `json:"against,omitempty"`
	ByHand     []string   `json:"byHand,omitempty"` // what a person does, filled in from the evidence
	score      int
}

// Verdict is the scenarios ranked; Causes[0] is the likely one. No causes
// means that the evidence names none.
type Verdict struct {
	Causes  []Cause  `json:"causes"`
	Unknown []string `json:"unknown,omitempty"` // evidence that was missing and might change the verdict, one sentence each
}

// Scenario returns the scenario with that ID.
func (r *Runbook) Scenario(id string) (Scenario, bool) {
	for _, s := range r.Scenarios {
		if s.ID == id {
			return s, true
		}
	}
	return Scenario{}, false
}

// Vocabulary is what a document may name. Check names map to the evidence
// fields that the check fills; change names map to a validator of their
// arguments, given with every ${…} still in place. Audits are the kinds of
// target that can be audited.
type Vocabulary struct {
	Audits  []string
	Checks  map[string][]string
	Changes map[string]func(args json.RawMessage) error
}
