package incident

import (
	"context"
	"fmt"
)

// Loses reports whether a plan loses data: it is applied only after the
// workload's name was typed.
func (p Plan) Loses() bool { return len(p.Cautions) > 0 || p.Holds.Empties() }

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
	if err := s.applicable(&inc, number, digest); err != nil {
		return Incident{}, Plan{}, err
	}
	return inc, *inc.Plan(number), nil
}
