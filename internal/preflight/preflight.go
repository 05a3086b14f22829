// Package preflight says whether everything is there that the bot needs, before
// an alert shows that it is not.
//
// It owns what a finding is, and how the questions are asked side by side, each
// with its time. It asks nobody itself: whoever knows Slack, a cluster, a store or
// a pager brings the questions.
package preflight

import "time"

// Status is how one thing stands.
type Status string

// The statuses.
const (
	OK      Status = "ok"
	Wrong   Status = "wrong"
	Unknown Status = "unknown"
)

// Finding is one thing that must be true, and whether it is. Nothing secret is in it.
type Finding struct {
	About  string // whom it is about: "Slack", "cluster", "namespace langgraph-agent"
	What   string // "scope files:write"
	Status Status
	Says   string // what is so
	Mend   string // what to do; "" where nothing is
	// Vital is what the bot does not start without.
	Vital bool
	// Minor is what nobody has to mend: it cannot be told from outside, or the bot
	// does without it.
	Minor bool
}

// Sentence is what is wrong with its mend, in one line.
func (f Finding) Sentence() string {
	if f.Mend == "" {
		return f.Says
	}
	return f.Says + ": " + f.Mend
}

// Report is all that was found.
type Report struct {
	At       time.Time
	Findings []Finding
}

// Count counts the findings of a status.
func (r Report) Count(status Status) int { return len(r.With(status)) }

// With are the findings of a status, in order.
func (r Report) With(status Status) (all []Finding) {
	for _, one := range r.Findings {
		if one.Status == status {
			all = append(all, one)
		}
	}
	return all
}

// Unasked counts what could not be asked, but should have been.
func (r Report) Unasked() (n int) {
	for _, one := range r.With(Unknown) {
		if !one.Minor {
			n++
		}
	}
	return n
}

// OK reports whether everything is known to be right that has to be.
func (r Report) OK() bool { return r.Count(Wrong) == 0 && r.Unasked() == 0 }
