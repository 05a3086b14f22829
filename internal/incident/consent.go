package incident

import (
	"context"
	"fmt"
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

// secondPerson refuses the one who asked for a plan that somebody else must apply.
func secondPerson(plan Plan, actor Actor) error {
	if !plan.Second || plan.By.ID != actor.ID {
		return nil
	}
	why := "the configuration asks for it"
	if plan.Loses() {
		why = "it loses data"
	}
	return refuse("You asked for plan %d, and a second person must apply it: %s. Nothing was changed.", plan.Number, why)
}

// Applicable reports whether a click on Apply would count now, and gives what
// it would apply. It changes nothing.
func (s *Service) Applicable(ctx context.Context, id string, actor Actor, number int, digest string) (Incident, Plan, error) {
	if err := s.allow(ctx, actor, Approver); err != nil {
		return Incident{}, Plan{}, err
	}
	inc, err := s.Store.Get(ctx, id)
	if err != nil {
		return Incident{}, Plan{}, fmt.Errorf("read %s: %w", id, err)
	}
	if err := s.applicable(&inc, actor, number, digest); err != nil {
		return Incident{}, Plan{}, err
	}
	return inc, *inc.Plan(number), nil
}
