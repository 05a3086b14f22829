package incident

import (
	"context"
	"fmt"

	"redis-session-bot/internal/runbook"
)

// UndoPlan puts back what a plan has written. It is refused when somebody has
// changed one of the objects since. An undo that loses data is only proposed:
// it is applied like any other plan that does.
func (s *Service) UndoPlan(ctx context.Context, id string, actor Actor, number int) error {
	if err := s.allow(ctx, actor, Approver); err != nil {
		return err
	}
	inc, err := s.Store.Get(ctx, id)
	if err != nil {
		return fmt.Errorf("read %s: %w", id, err)
	}
	changes, err := undoOf(&inc, number)
	if err != nil {
		return err
	}
	limited, cancel := context.WithTimeout(ctx, s.Limits.Prepare)
	defer cancel()
	prepared, err := s.Cluster.Prepare(limited, Wanted{Target: inc.Target, Changes: changes, Name: planName(id, len(inc.Plans)+1), Progress: func(string) {}})
	if err != nil {
		return &Refusal{Says: "The undo cannot be prepared: " + whole(sentence(err)) + " Nothing was changed.", Err: err}
	}
	if err := sinceThen(*inc.Plan(number), prepared); err != nil {
		return err
	}
	return s.beginAlone(ctx, id, actor, func(inc *Incident) (*Plan, error) {
		if _, err := undoOf(inc, number); err != nil {
			return nil, err
		}
		plan := Plan{Number: len(inc.Plans) + 1, State: Proposed, By: actor, Fix: inc.Plan(number).Fix, Undoes: number,
			Action: fmt.Sprintf("undo plan %d", number), Changes: changes, MadeAt: s.Now()}
		plan.fill(prepared, runbook.Proposal{})
		plan.Second = s.Second.needs(plan)
		plan.Digest, plan.Until = Digest(inc.Target, plan), s.Now().Add(s.Limits.PlanValid)
		s.replacePlans(inc, fmt.Sprintf("plan %d", plan.Number))
		inc.Plans = append(inc.Plans, plan)
		if plan.Loses() || plan.Second {
			s.note(inc, actor, "made plan %d: %s", plan.Number, plan.Action)
			return nil, nil
		}
		s.note(inc, actor, "undoes plan %d", number)
		return inc.Plan(plan.Number), nil
	})
}

// undoOf gives the changes that put a plan back.
func undoOf(inc *Incident, number int) ([]runbook.Change, error) {
	plan := inc.Plan(number)
	switch {
	case plan == nil:
		return nil, refuse("%s has no plan %d.", inc.ID, number)
	case plan.State == Uncertain:
		return nil, refuse("Nobody knows yet what plan %d has written. See first what arrived.", number)
	case plan.State == Undone:
		return nil, refuse("Plan %d has been undone already.", number)
	case plan.State != Applied && plan.State != Failed:
		return nil, refuse("Plan %d is %s: there is nothing to undo.", number, plan.State)
	case inc.State == Applying:
		return nil, refuse("A plan of %s is being applied. Wait for its result.", inc.ID)
	}
	for _, other := range inc.Plans {
		if other.Undoes == number && other.State == Uncertain {
			return nil, refuse("Nobody knows yet what plan %d has put back of it. See first what arrived.", other.Number)
		}
	}
	changes := UndoOf(*plan)
	if len(changes) == 0 {
		return nil, refuse("Plan %d cannot be undone by the bot.", number)
	}
	return changes, nil
}

// UndoOf lists the changes that put back what a plan has written. Of the writes that belong together
// the last one that was written puts all of them back.
func UndoOf(plan Plan) []runbook.Change {
	var changes []runbook.Change
	last := map[int]int{}
	for n, write := range plan.Writes {
		if write.Part > 0 && len(write.Undo) > 0 && written(write) {
			last[write.Part] = n
		}
	}
	for n, write := range plan.Writes {
		if written(write) && (write.Part == 0 || last[write.Part] == n) {
			changes = append(changes, write.Undo...)
		}
	}
	return changes
}

func written(write Write) bool { return write.Status == Done || write.Status == Broken }

// sinceThen refuses an undo when an object is not as the plan has left it.
func sinceThen(plan Plan, undo Prepared) error {
	left := map[Object]string{}
	for _, then := range plan.Writes {
		if written(then) && then.Verb == Update {
			left[then.Object] = then.After
		}
	}
	seen := map[Object]bool{}
	for _, now := range undo.Writes {
		after, ours := left[now.Object]
		if now.Verb == Update && ours && !seen[now.Object] && after != now.Base {
			return refuse("Nothing was changed: %s was changed by somebody after plan %d. Put it back by hand, or make a new plan.", now.Object.Name, plan.Number)
		}
		seen[now.Object] = true
	}
	return nil
}

// afterUndo looks at the whole again: what was broken before is broken again.
func (s *Service) afterUndo(ctx context.Context, id string, actor Actor) error {
	err := s.insist(ctx, id, func() error {
		_, err := s.change(ctx, id, func(inc *Incident) error {
			inc.State, inc.Verified = Walking, nil
			return nil
		})
		return err
	})
	if err != nil {
		return err
	}
	return s.RunAll(ctx, id, actor)
}
