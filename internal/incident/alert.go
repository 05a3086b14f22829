package incident

import (
	"fmt"
	"slices"
	"time"

	"redis-session-bot/internal/evidence"
	"redis-session-bot/internal/runbook"
)

// Alert is one alert as Alertmanager tells of it.
type Alert struct {
	Fingerprint string            `json:"fingerprint"` // of its labels: the same alert has the same one
	Name        string            `json:"name"`
	StartsAt    time.Time         `json:"startsAt"`
	EndsAt      time.Time         `json:"endsAt,omitzero"` // when it was resolved; zero while it fires
	Labels      map[string]string `json:"labels,omitempty"`
	Says        string            `json:"says,omitempty"` // its summary, in the words of whoever wrote the rule
}

// Firing reports whether it was not resolved yet.
func (a Alert) Firing() bool { return a.EndsAt.IsZero() }

// Quiet is what came of it that the alert which opens incidents fires no more.
// That alone says little: an alert goes quiet, too, when what it watched is gone.
type Quiet struct {
	At     time.Time `json:"at,omitzero"`      // zero: it fires, or was never heard of
	Looked bool      `json:"looked,omitempty"` // the bot has looked itself since
	Says   string    `json:"says,omitempty"`   // what it then found not well; "" for nothing
}

// Alerting is how alerts are taken.
type Alerting struct {
	Auto         bool          // the diagnosis begins by itself
	ReopenWithin time.Duration // after an incident has ended, an alert that fires anew opens it again
}

// Notice is what Alertmanager tells of one target at once.
type Notice struct {
	Runbook string // its command
	Target  evidence.Target
	Place   Place // where a new incident is shown
	Alerts  []Alert
}

// Bounds of what an incident keeps of alerts: a storm must not fill the store.
const (
	remembers   = 7 * 24 * time.Hour // how long after an incident has ended an old word of its alerts is known as one
	maxAlerts   = 1000               // beyond, an alert changes nothing
	maxLabelled = 20                 // of each name, with labels and words
)

// hearing is what it means to be told of an alert, beside what is known of it.
type hearing int

const (
	stale hearing = iota // a repeat, or news of a time that is over
	fires                // it began to fire
	ends                 // it is resolved
)

// hear decides that. Alertmanagers repeat themselves, several of them are not
// told of everything at the same moment, and one may take an alert's start a
// little earlier than the other; so times are compared, not the order of news.
func hear(known *Alert, told Alert) hearing {
	switch {
	case known == nil && told.Firing():
		return fires
	case known == nil:
		return ends
	case told.Firing() && known.Firing() && told.StartsAt.After(known.StartsAt):
		return fires // nobody told of the end in between
	case told.Firing() && !known.Firing() && told.StartsAt.After(known.EndsAt):
		return fires
	case !told.Firing() && known.Firing() && !told.EndsAt.Before(known.StartsAt):
		return ends
	}
	return stale
}

// place says which incident each alert of a notice belongs to: those told to
// known ones, by ID, and those that a new one is opened for. Where it belongs
// to none, it is left out.
func (n Notice) place(all []Incident, book *runbook.Runbook, now time.Time, within time.Duration) (known map[string][]Alert, fresh []Alert) {
	known = map[string][]Alert{}
	all = slices.DeleteFunc(slices.Clone(all), func(inc Incident) bool {
		return inc.Runbook != n.Runbook || !inc.Target.Same(n.Target) || inc.State == Closed && inc.SameAs != ""
	})
	var beside []Alert // they open nothing
	for _, alert := range n.Alerts {
		opens := alert.Name == book.Alert
		at, heard := knows(all, alert)
		current := newestOf(all)
		switch {
		case at != nil && heard == stale:
		case at != nil && heard == ends:
			known[at.ID] = append(known[at.ID], alert)
		case current != nil && current.takes(alert, opens, now, within):
			known[current.ID] = append(known[current.ID], alert)
		case opens && alert.Firing():
			fresh = append(fresh, alert)
		case alert.Firing():
			beside = append(beside, alert)
		}
	}
	if len(fresh) > 0 {
		fresh = append(fresh, beside...)
	}
	return known, fresh
}

// knows gives the newest incident that has heard of an alert, and what this
// news of it means there.
func knows(all []Incident, alert Alert) (*Incident, hearing) {
	for i := len(all) - 1; i >= 0; i-- {
		if known := all[i].alert(alert.Fingerprint); known != nil {
			return &all[i], hear(known, alert)
		}
	}
	return nil, hear(nil, alert)
}

// newestOf is the incident that goes on, or the last one that has ended.
func newestOf(all []Incident) *Incident {
	for i := len(all) - 1; i >= 0; i-- {
		if !all[i].settled() {
			return &all[i]
		}
	}
	if len(all) == 0 {
		return nil
	}
	return &all[len(all)-1]
}

// takes reports whether an alert that the incident has not heard of in this
// state belongs to it.
func (i Incident) takes(alert Alert, opens bool, now time.Time, within time.Duration) bool {
	switch {
	case !i.settled():
		return true
	case !alert.Firing():
		return false
	case i.coveredBy(alert):
		return true
	case !opens:
		return i.Open()
	}
	return now.Sub(i.settledAt()) <= within
}

// settled reports whether nothing is left to be done but to close it.
func (i Incident) settled() bool { return i.State == Fixed || i.State == Closed }

func (i Incident) settledAt() time.Time {
	if i.State == Fixed {
		return i.FixedAt
	}
	return i.ClosedAt
}

// coveredBy reports whether what an alert tells of was mended since: it began
// before the store was verified.
func (i Incident) coveredBy(alert Alert) bool {
	return i.settled() && !alert.StartsAt.After(i.FixedAt)
}

// alert gives what is known of one alert; nil for nothing.
func (i *Incident) alert(fingerprint string) *Alert {
	for n := range i.Alerts {
		if i.Alerts[n].Fingerprint == fingerprint {
			return &i.Alerts[n]
		}
	}
	return nil
}

// AlertsNamed gives the alerts of that name, oldest first.
func (i Incident) AlertsNamed(name string) []Alert {
	var named []Alert
	for _, alert := range i.Alerts {
		if alert.Name == name {
			named = append(named, alert)
		}
	}
	slices.SortStableFunc(named, func(a, b Alert) int { return a.StartsAt.Compare(b.StartsAt) })
	return named
}

// firing counts the alerts of a name that fire.
func (i Incident) firing(name string) int {
	return i.count(name, Alert.Firing)
}

func (i Incident) count(name string, counts func(Alert) bool) int {
	n := 0
	for _, alert := range i.Alerts {
		if alert.Name == name && counts(alert) {
			n++
		}
	}
	return n
}

// told is what came of one alert that an incident was told of.
type told struct {
	changed  bool
	reopened bool
	quiet    bool // the last one that opens incidents was resolved
	notes    []string
}

// take adds an alert to what the incident knows and says what follows. It is
// pure, and may be tried again on a newer state of the incident.
func (i *Incident) take(alert Alert, opens bool, now time.Time) told {
	known := i.alert(alert.Fingerprint)
	heard := hear(known, alert)
	if heard == stale || known == nil && len(i.Alerts) >= maxAlerts {
		return told{}
	}
	before := i.firing(alert.Name)
	i.put(known, alert)
	result := told{changed: true}
	switch {
	case heard == fires && opens && i.settled() && !i.coveredBy(alert):
		i.goOn()
		i.State, i.ClosedAt, i.FixedAt, i.Quiet = Walking, time.Time{}, time.Time{}, Quiet{}
		result.reopened = true
		result.notes = []string{"opened the incident again: " + alert.Name + " fires anew, since " + alert.StartsAt.UTC().Format(clockFormat)}
	case heard == fires && before == 0:
		result.notes = []string{alert.Name + " fires since " + alert.StartsAt.UTC().Format(clockFormat)}
	case heard == ends && i.firing(alert.Name) == 0:
		result.notes = []string{alert.Name + " is resolved, since " + alert.EndsAt.UTC().Format(clockFormat)}
	}
	if opens && heard == fires {
		i.Quiet = Quiet{}
	}
	if opens && heard == ends && i.firing(alert.Name) == 0 {
		i.Quiet, result.quiet = Quiet{At: now}, i.Open()
	}
	return result
}

// goOn makes what is closed fit to be opened again: a step that ran when its bot
// died may be run again. Recover does not look at what is closed.
func (i *Incident) goOn() {
	for n := range i.Steps {
		if i.State == Closed && i.Steps[n].Status == Running {
			i.Steps[n].Status = Pending
		}
	}
}

const clockFormat = "15:04:05 UTC"

// put keeps an alert in place of what was known of it.
func (i *Incident) put(known *Alert, alert Alert) {
	if known != nil {
		if !alert.Firing() && known.StartsAt.Before(alert.StartsAt) {
			alert.StartsAt = known.StartsAt
		}
		if known.Labels == nil && known.Says == "" {
			alert.Labels, alert.Says = nil, ""
		}
		*known = alert
		return
	}
	if i.count(alert.Name, func(Alert) bool { return true }) >= maxLabelled {
		alert.Labels, alert.Says = nil, ""
	}
	i.Alerts = append(i.Alerts, alert)
}

// String tells what came of it; "" where nothing is known yet.
func (q Quiet) String() string {
	switch {
	case q.At.IsZero() || !q.Looked:
		return ""
	case q.Says == "":
		return "The alert is quiet, and the store is well."
	}
	return fmt.Sprintf("The alert is quiet, and the store is not well: %s", q.Says)
}

// alertEvidence is what runbooks see of the alerts that are kept with their
// labels; nil where there are none.
func (i Incident) alertEvidence() *[]evidence.Alert {
	var all []evidence.Alert
	for _, a := range i.Alerts {
		if a.Labels != nil || a.Says != "" {
			all = append(all, evidence.Alert{Name: a.Name, Firing: a.Firing(), Since: a.StartsAt, Until: a.EndsAt, Says: a.Says, Labels: a.Labels})
		}
	}
	if all == nil {
		return nil
	}
	slices.SortStableFunc(all, func(a, b evidence.Alert) int { return a.Since.Compare(b.Since) })
	return &all
}
