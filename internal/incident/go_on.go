package incident

import (
	"context"
	"fmt"
	"slices"
)

// GoOn takes a plan up again where it stopped. What was sent is not sent again;
// a write that nobody knows of is decided first, by Look.
func (s *Service) GoOn(ctx context.Context, id string, actor Actor, number int, digest string) error {
	if err := s.allow(ctx, actor, Approver); err != nil {
		return err
	}
	return s.beginAlone(ctx, id, actor, func(inc *Incident) (*Plan, error) {
		plan := inc.Plan(number)
		switch {
		case plan == nil || plan.Digest != digest || !CanGoOn(*plan):
			return nil, refuse("Plan %d cannot be taken up again. Nothing was changed. Make a new plan.", number)
		case s.Now().After(plan.EndedAt.Add(s.Limits.PlanValid)):
			return nil, refuse("Plan %d stopped more than %s ago. Nothing was changed. Make a new plan.", number, s.Limits.PlanValid)
		}
		if err := secondPerson(*plan, actor); err != nil {
			return nil, err
		}
		if err := planable(*inc); err != nil {
			return nil, err
		}
		plan.Trouble = ""
		s.note(inc, actor, "went on with plan %d (%s)", number, digest)
		return plan, nil
	})
}

// CanGoOn reports whether a plan stopped between two writes: some are done,
// and nothing that was sent is unknown or has failed.
func CanGoOn(plan Plan) bool {
	done, left := false, false
	for _, write := range plan.Writes {
		switch write.Status {
		case Done:
			done = true
		case Planned, Refused:
			left = true
		default:
			return false
		}
	}
	return plan.State == Failed && done && left
}

// Decide looks at what the cluster shows of the writes that nobody knows of.
// The plan is Failed then, and can go on or be undone; where every write has
// arrived, it is applied, and verified.
func (s *Service) Decide(ctx context.Context, id string, actor Actor, number int) error {
	if err := s.allow(ctx, actor, Responder); err != nil {
		return err
	}
	inc, err := s.Store.Get(ctx, id)
	if err != nil {
		return fmt.Errorf("read %s: %w", id, err)
	}
	plan := inc.Plan(number)
	if plan == nil || plan.State != Uncertain {
		return refuse("Plan %d is not in doubt.", number)
	}
	arrived := map[int]bool{}
	for n, write := range plan.Writes {
		if write.Status != Lost {
			continue
		}
		write.Base = baseOf(*plan, n)
		if arrived[n], err = s.Cluster.Arrived(ctx, inc.Target, write); err != nil {
			return &Refusal{Says: "It cannot be told: " + sentence(err) + " Look at the object yourself.", Err: err}
		}
	}
	_, err = s.change(ctx, id, func(inc *Incident) error {
		plan := inc.Plan(number)
		if plan.State != Uncertain {
			return refuse("Plan %d is not in doubt any more.", number)
		}
		plan.State, plan.Trouble = Failed, "The cluster was asked what arrived: it is ticked now."
		for n := range plan.Writes {
			if plan.Writes[n].Status != Lost {
				continue
			}
			plan.Writes[n].Status, plan.Writes[n].Error = Planned, ""
			if arrived[n] {
				plan.Writes[n].Status = Done
				if plan.Writes[n].Await != Nothing {
					plan.Writes[n].Progress = awaiting
				}
			}
			s.note(inc, actor, "plan %d, write %d: %s", number, n+1, map[bool]string{true: "it has arrived", false: "it has not arrived"}[arrived[n]])
		}
		switch {
		case !slices.ContainsFunc(plan.Writes, written):
			plan.Trouble, inc.State = "Nothing was changed: the write has not arrived. Make a new plan.", Walking
		case !slices.ContainsFunc(plan.Writes, func(w Write) bool { return w.Status != Done }):
			plan.State, plan.Trouble = Applied, ""
		}
		return nil
	})
	if err != nil {
		return err
	}
	if inc, err = s.Store.Get(ctx, id); err == nil && inc.Plan(number).State == Applied {
		s.start(id, func(ctx context.Context) error { return s.Verify(ctx, id, actor) })
	}
	return err
}
