package report

import (
	"fmt"
	"strings"

	"redis-session-bot/internal/incident"
)

// Handover is what the next person has to know, as plain text that a person
// edits: where it stands, what was found and tried, what is open.
func (r Report) Handover() string {
	inc := r.Incident
	var b strings.Builder
	line := func(format string, args ...any) {
		b.WriteString(incident.Line(fmt.Sprintf(format, args...), 400) + "\n")
	}
	line("%s, %s: %s, since %s. Walked by %s.", inc.ID, inc.Target, State(inc), r.when(inc.Since), Name(inc.Walker))
	r.found(line)
	for _, plan := range inc.Plans {
		if plan.State != incident.Proposed && plan.State != incident.Preparing && plan.State != incident.Cancelled {
			line("Tried: plan %d, %s: %s. %s", plan.Number, plan.Action, plan.State, plan.Trouble)
		}
	}
	for _, outcome := range inc.Verified {
		if !outcome.OK {
			line("Does not hold: %s", outcome.Says)
		}
	}
	r.open(line)
	for _, debt := range r.debts() {
		line("To be put right: %s.", debt)
	}
	for _, call := range r.calls() {
		line("%s.", strings.ToUpper(call[:1])+strings.TrimRight(call[1:], ". "))
	}
	return strings.TrimRight(b.String(), "\n")
}

// found is the verdict with its reasons.
func (r Report) found(line func(string, ...any)) {
	if len(r.Incident.Verdict.Causes) == 0 {
		line("No cause is known.")
		return
	}
	cause := r.Incident.Verdict.Causes[0]
	line("Verdict: %s, %s.", cause.Title, cause.Confidence)
	for _, because := range cause.Because {
		line("Because: %s", because)
	}
	if unknown := r.Incident.Verdict.Unknown; len(unknown) > 0 {
		line("Not known: %s", strings.Join(unknown, "; "))
	}
}

// open is what waits for somebody.
func (r Report) open(line func(string, ...any)) {
	if !r.Incident.Open() {
		return
	}
	for _, plan := range r.Incident.Plans {
		switch plan.State {
		case incident.Preparing:
			line("Open: plan %d is being prepared: %s.", plan.Number, plan.Action)
		case incident.Proposed:
			line("Open: plan %d waits for an approver: %s. Valid until %s.", plan.Number, plan.Action, r.clock(plan.Until))
		}
	}
	var left []string
	for _, step := range r.Incident.Steps {
		if step.Status == incident.Pending || step.Status == incident.Skipped {
			left = append(left, step.Title)
		}
	}
	if len(left) > 0 {
		line("Open: not run yet: %s.", strings.Join(left, ", "))
	}
}
