package incident

import (
	"context"
	"slices"
	"time"

	"redis-session-bot/internal/runbook"
)

// Past is what an incident of before came to.
type Past struct {
	Incident string    `json:"incident"`
	Since    time.Time `json:"since"`
	Cause    Judgement `json:"cause"`           // zero: none was found
	Fixed    time.Time `json:"fixed,omitzero"`  // when it was verified; zero: never
	Closed   time.Time `json:"closed,omitzero"` // zero: it is still open
	Plan     int       `json:"plan,omitempty"`  // number of the last plan that was applied; 0: none
	Action   string    `json:"action,omitempty"`
	Approved Actor     `json:"approved,omitzero"`
	Undone   bool      `json:"undone,omitempty"` // that plan was put back
	Failed   bool      `json:"failed,omitempty"` // it stopped in the middle, or nobody knows how far it came
}

// Past is the incident as those look at it who have one like it. book may be nil.
func (i Incident) Past(book *runbook.Runbook) Past {
	past := Past{Incident: i.ID, Since: i.Since, Fixed: i.FixedAt, Closed: i.ClosedAt}
	past.Cause, _ = i.Cause(book)
	for _, plan := range slices.Backward(i.Plans) {
		if plan.Undoes > 0 || plan.AppliedAt.IsZero() || !plan.wrote() {
			continue
		}
		past.Plan, past.Action, past.Approved = plan.Number, plan.Action, plan.Approved
		past.Undone, past.Failed = plan.State == Undone, plan.State == Failed || plan.State == Uncertain
		break
	}
	return past
}

// wrote reports whether anything of a plan is in the cluster, or may be, or was.
func (p Plan) wrote() bool {
	switch p.State {
	case Applied, Undone, Uncertain, Underway:
		return true
	}
	return slices.ContainsFunc(p.Writes, func(w Write) bool { return w.Status == Done || w.Status == Broken || w.Status == Lost })
}

// End is when it was over: verified, else closed; zero: it goes on.
func (p Past) End() time.Time {
	if !p.Fixed.IsZero() {
		return p.Fixed
	}
	return p.Closed
}

// alikeFor is how long ago an incident may have begun that is held beside a new one.
const alikeFor = 90 * 24 * time.Hour

// recall notes which incident of before was like this one, once its first cause
// is another one. What the store cannot tell now is left out: a verdict stands
// without it.
func (s *Service) recall(ctx context.Context, inc *Incident) {
	inc.Alike = nil
	book, cause := s.Runbooks[inc.Runbook], first(inc.Verdict)
	if cause.Scenario == "" || fine(book, cause.Scenario) {
		return
	}
	all, err := s.Store.Recent(ctx, inc.Since.Add(-alikeFor))
	if err != nil {
		s.Log.Warn("look for incidents like this one", "incident", inc.ID, "err", err)
		return
	}
	for _, other := range slices.Backward(all) {
		if !other.before(*inc) || other.Since.Before(inc.Since.Add(-alikeFor)) {
			continue
		}
		past := other.Past(book)
		if past.Cause.Scenario != cause.Scenario {
			continue
		}
		if inc.Alike == nil || inc.Alike.Fixed.IsZero() && !past.Fixed.IsZero() {
			inc.Alike = &past // the newest, but one that was mended tells more
		}
	}
}

// before reports whether an incident is an earlier one of the same target that
// is over.
func (i Incident) before(later Incident) bool {
	return i.ID != later.ID && i.SameAs == "" && i.settled() && i.Runbook == later.Runbook && i.Target.Same(later.Target) && !i.Since.After(later.Since)
}

// Pasts lists what those incidents came to that are over and fit, newest first.
func Pasts(all []Incident, books map[string]*runbook.Runbook, fits func(Incident) bool) []Past {
	var pasts []Past
	for _, inc := range slices.Backward(all) {
		if inc.settled() && inc.SameAs == "" && fits(inc) {
			pasts = append(pasts, inc.Past(books[inc.Runbook]))
		}
	}
	return pasts
}
