// Package checks reads the evidence of one step and says what a responder
// should see of it.
//
// One file holds one check. It is pure: evidence in, findings out. What a
// check reads from the cluster is package k8s' business; what the findings
// mean for the cause is package runbook's.
package checks

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"redis-session-bot/internal/evidence"
)

// Status is the outcome of a step.
type Status string

// The outcomes that a check can have.
const (
	OK      Status = "ok"
	Warn    Status = "warn"
	Fail    Status = "fail"
	Unknown Status = "unknown"
)

// Finding is one thing worth a responder's eye.
type Finding struct {
	Severity Status   `json:"severity"`
	Object   string   `json:"object"`  // Kind/name
	Summary  string   `json:"summary"` // one sentence
	Proof    []string `json:"proof"`   // lines from the cluster: untrusted text
}

// Reading is what one check has to say.
type Reading struct {
	Summary  string    // one line
	Findings []Finding // most severe first
	Raw      string    // long output for a file; "" for none
}

// Status is the worst severity of the findings; no findings are unknown.
func (r Reading) Status() Status {
	if len(r.Findings) == 0 {
		return Unknown
	}
	return slices.MaxFunc(r.Findings, func(a, b Finding) int { return a.Severity.Rank() - b.Severity.Rank() }).Severity
}

// Rank is how much an outcome matters: the gravest has the greatest.
func (s Status) Rank() int {
	return slices.Index([]Status{OK, Unknown, Warn, Fail}, s)
}

// Check is one typed read.
type Check struct {
	Name   string
	Says   string   // what it reads, in one sentence, for the docs
	Fields []string // the evidence fields that it fills
	Read   func(e evidence.Evidence) Reading
}

// All are the checks that a runbook may name, in the order of the default one.
func All() []Check {
	return []Check{podsCheck(), logsCheck(), endpointsCheck(), usageCheck(), reachCheck(), volumesCheck()}
}

// Named returns the checks by name.
func Named() map[string]Check {
	named := map[string]Check{}
	for _, check := range All() {
		named[check.Name] = check
	}
	return named
}

// reading collects findings while a check goes through the evidence.
type reading struct{ findings []Finding }

func (r *reading) add(severity Status, object, summary string, proof ...string) {
	r.findings = append(r.findings, Finding{severity, object, summary, slices.DeleteFunc(proof, func(line string) bool { return line == "" })})
}

// unknown notes what the evidence does not know, or only by what else tells of
// it; true when it does not know field.
func (r *reading) unknown(e evidence.Evidence, field, object string) bool {
	why, missing := e.Unknown[field]
	if missing {
		r.add(Unknown, object, why)
	} else if why, inferred := e.Inferred[field]; inferred {
		r.add(Unknown, object, why+"; what follows is what events tell")
	}
	return missing
}

// done sorts the findings and makes the summary of the worst, unless given.
func (r *reading) done(summary, raw string) Reading {
	slices.SortStableFunc(r.findings, func(a, b Finding) int { return b.Severity.Rank() - a.Severity.Rank() })
	if summary == "" && len(r.findings) > 0 {
		summary = r.findings[0].Summary
	}
	return Reading{Summary: summary, Findings: r.findings, Raw: raw}
}

// count writes "1 pod", "2 pods".
func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// ago writes how long before at a moment was, as people say it.
func ago(at, then time.Time) string {
	d := at.Sub(then).Round(time.Second)
	switch {
	case then.IsZero():
		return "at an unknown time"
	case d < time.Second:
		return "just now"
	}
	return evidence.Age(d) + " ago"
}

// cut shortens a line to n runes.
func cut(line string, n int) string {
	line = strings.TrimSpace(line)
	if runes := []rune(line); len(runes) > n {
		return string(runes[:n-1]) + "…"
	}
	return line
}
