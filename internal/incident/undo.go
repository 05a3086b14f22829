package incident

import (
	"context"
	"errors"
	"fmt"

	"redis-session-bot/internal/runbook"
)

// UndoPlan puts back what a plan has written: the undo is prepared like a plan,
// and applied at once, since whoever asks for it confirms it. It is not applied
// where somebody has changed one of the objects since. An undo that loses data is
// only proposed: it is applied like any other plan that does.
func (s *Service) UndoPlan(ctx context.Context, id string, actor Actor, number int) error {
	if err := s.allow(ctx, actor, Approver); err != nil {
		return err
	}
	return s.prepareAlone(ctx, id, func(inc *Incident) (Plan, error) {
		changes, err := undoOf(inc, number)
		if err != nil {
			return Plan{}, err
		}
		for _, other := range inc.Plans {
			if other.Undoes == number && other.State == Preparing {
				return Plan{}, refuse("Plan %d puts plan %d back already: it is being prepared. Progress is in the thread.", other.Number, number)
			}
		}
		return Plan{Fix: inc.Plan(number).Fix, Undoes: number, Action: fmt.Sprintf("undo plan %d", number), Changes: changes, By: actor}, nil
	}, func(ctx context.Context, undo int, prepared Prepared, failure error) error {
		return s.endPreparingUndo(ctx, id, actor, undo, prepared, failure)
	})
}

// endPreparingUndo begins an undo that was prepared, or proposes it where it
// loses data, or keeps why it cannot be.
func (s *Service) endPreparingUndo(ctx context.Context, id string, actor Actor, number int, prepared Prepared, failure error) error {
	if failure == nil {
		err := s.beginAlone(ctx, id, actor, func(inc *Incident) (*Plan, error) {
			plan := inc.Plan(number)
			if plan.State != Preparing {
				return nil, errNothing // cancelled, or replaced by another one
			}
			if _, err := undoOf(inc, plan.Undoes); err != nil {
				return nil, err
			}
			if err := sinceThen(*inc.Plan(plan.Undoes), prepared); err != nil {
				return nil, err
			}
			s.propound(inc, plan, prepared, runbook.Proposal{})
			if plan.Loses() || plan.Second {
				return nil, nil
			}
			s.note(inc, actor, "undoes plan %d", plan.Undoes)
			return plan, nil
		})
		var refusal *Refusal
		var drift *Drift
		if errors.Is(err, errNothing) {
			return nil
		}
		if !errors.As(err, &refusal) && !errors.As(err, &drift) {
			return err
		}
		failure = err
	}
	return s.endPreparing(ctx, id, number, failure, nil)
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

// sinceThen is a *Drift when an object is not as the plan has left it.
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
			return &Drift{Says: fmt.Sprintf("%s was changed by somebody after plan %d. Put it back by hand, or make a new plan", now.Object.Name, plan.Number)}
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
