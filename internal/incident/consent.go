package incident

import (
	"context"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"redis-session-bot/internal/evidence"
	"redis-session-bot/internal/runbook"
)

// Loses reports whether a plan loses data: it is applied only after the
// workload's name was typed.
func (p Plan) Loses() bool { return len(p.Cautions) > 0 || p.Holds.Empties() }

// SecondPerson says which plans somebody else than the one who asked for them
// must apply.
type SecondPerson string

// The rules for a second person. The zero value is SecondNever.
const (
	SecondNever   SecondPerson = "none"
	SecondForLoss SecondPerson = "data-loss"
	SecondAlways  SecondPerson = "all"
)

// needs reports whether a plan needs a second person.
func (s SecondPerson) needs(plan Plan) bool {
	return s == SecondAlways || s == SecondForLoss && plan.Loses()
}

// Consent is what a person gives for a plan to be applied.
type Consent struct {
	Number int
	Digest string // of the plan that the person saw
	Typed  string // the workload's name, where data is lost
	Reason string // why one person alone is enough, where the glass may be broken
}

// Asks is what a person has to type for a plan to be applied.
type Asks struct {
	Typed bool // the workload's name: data is lost
	Alone bool // a reason: the plan needs a second person, and the glass may be broken now
}

// The inputs of a BadInput that ApplyPlan returns.
const (
	InputTyped  = "name"
	InputReason = "reason"
)

// leastReason is how many letters a reason for breaking the glass has at least.
const leastReason = 10

// asks decides what has to be typed, or that this person cannot apply the plan.
func (s *Service) asks(plan Plan, actor Actor) (Asks, error) {
	asks := Asks{Typed: plan.Loses()}
	if err := secondPerson(plan, actor); err != nil {
		if !s.BreakGlass.Open(s.Now()) {
			return Asks{}, err
		}
		asks.Alone = true
	}
	return asks, nil
}

// given holds what was typed against what is asked for: *runbook.BadInput or nil.
func (a Asks) given(target evidence.Target, consent Consent) error {
	if a.Typed && strings.TrimSpace(consent.Typed) != target.Workload {
		return &runbook.BadInput{Input: InputTyped, Says: fmt.Sprintf("This is not %s. Nothing was changed.", target.Workload)}
	}
	if a.Alone && utf8.RuneCountInString(strings.TrimSpace(consent.Reason)) < leastReason {
		return &runbook.BadInput{Input: InputReason, Says: "Say in a few words why it cannot wait for a second person. Nothing was changed."}
	}
	return nil
}

// BreakGlass is when one person may apply alone what otherwise needs a second.
// The zero value is never.
type BreakGlass struct {
	From, To time.Duration  // after midnight; To before From runs over midnight
	Zone     *time.Location // nil: never
}

// Open reports whether it may be done at that moment.
func (b BreakGlass) Open(at time.Time) bool {
	if b.Zone == nil || b.From == b.To {
		return false
	}
	local := at.In(b.Zone)
	since := time.Duration(local.Hour())*time.Hour + time.Duration(local.Minute())*time.Minute + time.Duration(local.Second())*time.Second
	if b.From < b.To {
		return since >= b.From && since < b.To
	}
	return since >= b.From || since < b.To
}

// secondPerson refuses the one who asked for a plan that somebody else must apply.
func secondPerson(plan Plan, actor Actor) error {
	if !plan.Second || plan.By.ID != actor.ID || plan.Alone != "" {
		return nil
	}
	why := "the configuration asks for it"
	if plan.Loses() {
		why = "it loses data"
	}
	return refuse("You asked for plan %d, and a second person must apply it: %s. Nothing was changed.", plan.Number, why)
}

// Applicable reports whether a click on Apply would count now, and gives what
// it would apply, and what has to be typed for it. It changes nothing.
func (s *Service) Applicable(ctx context.Context, id string, actor Actor, number int, digest string) (Incident, Asks, error) {
	if err := s.allow(ctx, actor, Approver); err != nil {
		return Incident{}, Asks{}, err
	}
	inc, err := s.Store.Get(ctx, id)
	if err != nil {
		return Incident{}, Asks{}, fmt.Errorf("read %s: %w", id, err)
	}
	asks, err := s.applicable(&inc, actor, number, digest)
	return inc, asks, err
}
