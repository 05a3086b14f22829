package terminal

import (
	"encoding/json"
	"io"
	"time"

	"redis-session-bot/internal/audit"
	"redis-session-bot/internal/checks"
	"redis-session-bot/internal/incident"
	"redis-session-bot/internal/preflight"
	"redis-session-bot/internal/runbook"
)

// diagnosis is the one object that `bot diagnose -o json` prints.
type diagnosis struct {
	Runbook string    `json:"runbook"`
	Target  string    `json:"target"`
	At      time.Time `json:"at"`
	Healthy bool      `json:"healthy"`
	Steps   []step    `json:"steps"`
	Verdict verdict   `json:"verdict"`
	Ranked  []cause   `json:"ranked"`
}

type step struct {
	ID       string          `json:"id"`
	Title    string          `json:"title"`
	Status   incident.Status `json:"status"`
	Findings []finding       `json:"findings"`
	TookMs   int64           `json:"tookMs"`
}

type finding struct {
	Severity checks.Status `json:"severity"`
	Object   string        `json:"object"`
	Summary  string        `json:"summary"`
	Proof    []string      `json:"proof"`
}

type verdict struct {
	Scenario   string             `json:"scenario"`
	Title      string             `json:"title"`
	Confidence runbook.Confidence `json:"confidence"`
	Because    []string           `json:"because"`
}

type cause struct {
	Scenario   string             `json:"scenario"`
	Confidence runbook.Confidence `json:"confidence"`
	Because    []string           `json:"because"`
}

// JSON writes a diagnosis as one object. Where the evidence names no cause,
// the verdict's scenario is empty, and its reasons say what is not known.
func JSON(out io.Writer, book *runbook.Runbook, d incident.Diagnosis) error {
	printed := diagnosis{Runbook: book.Command, Target: d.Incident.Target.String(), At: d.At, Healthy: Healthy(book, d.Incident.Verdict),
		Steps: []step{}, Ranked: []cause{}}
	for _, s := range d.Incident.Steps {
		one := step{ID: s.ID, Title: s.Title, Status: s.Status, Findings: []finding{}, TookMs: s.Took.Milliseconds()}
		for _, f := range s.Findings {
			one.Findings = append(one.Findings, finding{f.Severity, f.Object, f.Summary, strs(f.Proof)})
		}
		printed.Steps = append(printed.Steps, one)
	}
	for _, c := range d.Incident.Verdict.Causes {
		printed.Ranked = append(printed.Ranked, cause{c.Scenario, c.Confidence, strs(c.Because)})
	}
	printed.Verdict = verdict{Title: "No cause found", Because: strs(d.Incident.Verdict.Unknown)}
	if len(d.Incident.Verdict.Causes) > 0 {
		first := d.Incident.Verdict.Causes[0]
		printed.Verdict = verdict{first.Scenario, first.Title, first.Confidence, strs(first.Because)}
	}
	return write(out, printed)
}

// report is the one object that `bot audit -o json` prints.
type report struct {
	Target string    `json:"target"`
	At     time.Time `json:"at"`
	OK     bool      `json:"ok"`
	Points []point   `json:"points"`
}

type point struct {
	ID     string        `json:"id"`
	Title  string        `json:"title"`
	Status checks.Status `json:"status"`
	Says   string        `json:"says"`
	Do     string        `json:"do"`
	Proof  []string      `json:"proof"`
}

// AuditJSON writes a report as one object.
func AuditJSON(out io.Writer, r audit.Report) error {
	printed := report{Target: r.Target.String(), At: r.At, OK: r.OK()}
	for _, p := range r.Points {
		printed.Points = append(printed.Points, point{p.ID, p.Title, p.Status, p.Says, p.Do, strs(p.Proof)})
	}
	return write(out, printed)
}

// checked is the one object that `bot check -o json` prints.
type checked struct {
	At       time.Time `json:"at"`
	OK       bool      `json:"ok"`
	Findings []stand   `json:"findings"`
}

type stand struct {
	About  string           `json:"about"`
	What   string           `json:"what"`
	Status preflight.Status `json:"status"`
	Says   string           `json:"says"`
	Mend   string           `json:"mend"`
	Minor  bool             `json:"minor"`
}

// CheckJSON writes a report of what must be true as one object.
func CheckJSON(out io.Writer, r preflight.Report) error {
	printed := checked{At: r.At, OK: r.OK(), Findings: []stand{}}
	for _, f := range r.Findings {
		printed.Findings = append(printed.Findings, stand{f.About, f.What, f.Status, f.Says, f.Mend, f.Minor})
	}
	return write(out, printed)
}

// write prints one object as people read it, too.
func write(out io.Writer, object any) error {
	encoder := json.NewEncoder(out)
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false)
	return encoder.Encode(object)
}

// strs makes null an empty list.
func strs(list []string) []string {
	if list == nil {
		return []string{}
	}
	return list
}

// Healthy reports whether a verdict means that nothing needs mending.
func Healthy(book *runbook.Runbook, verdict runbook.Verdict) bool {
	if len(verdict.Causes) == 0 {
		return false
	}
	scenario, ok := book.Scenario(verdict.Causes[0].Scenario)
	return ok && scenario.WhenOK
}
