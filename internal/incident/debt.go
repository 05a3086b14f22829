package incident

import "strings"

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
