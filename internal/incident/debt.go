package incident

import (
	"context"
	"fmt"
	"strings"
	"time"

	"redis-session-bot/internal/evidence"
)

// Owed is a plan that is applied and has left something to be put right.
type Owed struct {
	Incident string
	Plan     Plan
	// End is the reference of the measure that puts it right; "" where the
	// plan is undone instead.
	End string
}

// EndOf is the reference of the measure that ends what another one began.
func EndOf(ref string) string { return ref + "-end" }

// Debts lists what is still to be put right, oldest first, over all incidents,
// also closed ones. A plan is put right by its undo, or by a later plan, for
// the same target, of the measure that ends it; has tells whether there is one.
func Debts(all []Incident, has func(inc Incident, ref string) bool) []Owed {
	var debts []Owed
	for _, inc := range all {
		for _, plan := range inc.Plans {
			if plan.State != Applied || plan.Debt == "" || plan.Undoes > 0 || ended(all, inc, plan) {
				continue
			}
			owed := Owed{Incident: inc.ID, Plan: plan}
			if end := EndOf(plan.Fix); has(inc, end) {
				owed.End = end
			}
			debts = append(debts, owed)
		}
	}
	return debts
}

// Rests reports whether nobody has to do with an incident any more: it is closed,
// and no plan of it has left something to be put right, or has put it right.
func (i Incident) Rests() bool {
	for _, plan := range i.Plans {
		if plan.State == Applied && (plan.Debt != "" || strings.HasSuffix(plan.Fix, EndOf(""))) {
			return false
		}
	}
	return !i.Open()
}

// ended reports whether a later plan has put right what a plan has left.
func ended(all []Incident, inc Incident, plan Plan) bool {
	for _, other := range all {
		if !other.Target.Same(inc.Target) {
			continue
		}
		for _, later := range other.Plans {
			if later.State == Applied && later.AppliedAt.After(plan.AppliedAt) && later.Fix == EndOf(plan.Fix) {
				return true
			}
		}
	}
	return false
}

// OpenFor is Open for a measure. One that ends what another has begun goes on in
// the incident of that one, until it is closed: its people know why.
func (s *Service) OpenFor(ctx context.Context, actor Actor, command string, target evidence.Target, place Place, ref string) (inc Incident, existed bool, err error) {
	if err := s.allow(ctx, actor, Responder); err != nil {
		return Incident{}, false, err
	}
	all, err := s.Store.Recent(ctx, time.Time{})
	if err != nil {
		return Incident{}, false, fmt.Errorf("list incidents: %w", err)
	}
	for _, debt := range Debts(all, s.Has) {
		for _, other := range all {
			if other.ID == debt.Incident && debt.End == ref && other.Open() && other.Runbook == command && other.Target.Same(target) {
				return other, true, nil
			}
		}
	}
	return s.Open(ctx, actor, command, target, place)
}
