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
// The plan is Failed then, and can go on or be undone. Where every write has
// arrived nothing is left to be sent: what they set going is waited for, and the
// plan is applied, and verified.
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
	shown := map[int]trace{}
	for n, write := range plan.Writes {
		if write.Status != Lost {
			continue
		}
		write.Base = baseOf(*plan, n)
		var one trace
		if one.arrived, one.after, err = s.Cluster.Arrived(ctx, inc.Target, write); err != nil {
			return &Refusal{Says: "It cannot be told: " + whole(sentence(err)) + " Look at the object yourself.", Err: err}
		}
		shown[n] = one
	}
	s.begun.Lock()
	defer s.begun.Unlock()
	if err := s.alone(ctx, id); err != nil {
		return err
	}
	inc, err = s.change(ctx, id, func(inc *Incident) error {
		if inc.Plan(number).State != Uncertain {
			return refuse("Plan %d is not in doubt any more.", number)
		}
		s.decided(inc, inc.Plan(number), actor, shown)
		return nil
	})
	if err != nil || inc.Plan(number).State != Underway {
		return err
	}
	s.start(id, func(ctx context.Context) error { return s.carryOut(ctx, inc, number, actor) })
	return nil
}

// trace is what the cluster shows of a write that nobody knew of.
type trace struct {
	arrived bool
	after   string
}

// decided takes over what the cluster shows. The plan is Underway then where
// nothing is left to be sent.
func (s *Service) decided(inc *Incident, plan *Plan, actor Actor, shown map[int]trace) {
	for n := range plan.Writes {
		one, asked := shown[n]
		if !asked {
			continue
		}
		write := &plan.Writes[n]
		write.Status, write.Error = Planned, ""
		says := "it has not arrived"
		if one.arrived {
			says = "it has arrived"
			write.Status, write.After = Done, one.after
			if write.Await != Nothing {
				write.Progress = awaiting
			}
		}
		s.note(inc, actor, "plan %d, write %d: %s", plan.Number, n+1, says)
	}
	plan.State, plan.Trouble = Failed, "The cluster was asked what arrived: it is ticked now."
	switch {
	case !slices.ContainsFunc(plan.Writes, written):
		plan.Trouble, inc.State = "Nothing was changed: the write has not arrived. Make a new plan.", Walking
	case !slices.ContainsFunc(plan.Writes, func(w Write) bool { return w.Status != Done }):
		plan.State, plan.Trouble, plan.Replica, inc.State = Underway, "", s.Replica, Applying
		s.beatsIn(inc)
	}
}
