package incident

import "context"

// HandOver asks the approvers for somebody who takes a plan that stopped in
// the middle. It changes nothing in the cluster.
func (s *Service) HandOver(ctx context.Context, id string, actor Actor, number int) error {
	if err := s.allow(ctx, actor, Responder); err != nil {
		return err
	}
	_, err := s.change(ctx, id, func(inc *Incident) error {
		plan := inc.Plan(number)
		switch {
		case plan == nil || plan.State != Failed && plan.State != Uncertain:
			return refuse("Plan %d has not stopped in the middle.", number)
		case plan.HandedBy.ID != "":
			return refuse("%s has handed plan %d over already. The approvers are asked in the thread.", plan.HandedBy.Name, number)
		}
		plan.HandedBy, plan.HandedAt = actor, s.Now()
		s.note(inc, actor, "handed plan %d over", number)
		return nil
	})
	return err
}
