package incident

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"redis-session-bot/internal/runbook"
)

// ApplyPlan is one person's consent to one plan digest. The store decides who
// was first; everybody else is refused with a sentence. The writes, the
// rollout and the verification go on in the background.
func (s *Service) ApplyPlan(ctx context.Context, id string, actor Actor, number int, digest string) error {
	if err := s.allow(ctx, actor, Approver); err != nil {
		return err
	}
	inc, err := s.change(ctx, id, func(inc *Incident) error {
		if err := s.applicable(inc, number, digest); err != nil {
			return err
		}
		s.begin(inc, inc.Plan(number), actor)
		s.note(inc, actor, "approved plan %d (%s)", number, digest)
		return nil
	})
	if err != nil {
		return err
	}
	s.start(id, func(ctx context.Context) error { return s.applyAndVerify(ctx, inc, number, actor) })
	return nil
}

// begin marks a plan as being applied by actor.
func (s *Service) begin(inc *Incident, plan *Plan, actor Actor) {
	plan.State, plan.Approved, plan.AppliedAt = Underway, actor, s.Now()
	inc.State = Applying
}

// applicable decides whether a click on Apply counts, and says why not.
func (s *Service) applicable(inc *Incident, number int, digest string) error {
	plan := inc.Plan(number)
	switch {
	case plan == nil:
		return refuse("%s has no plan %d. Nothing was changed.", inc.ID, number)
	case plan.State == Underway:
		return refuse("Plan %d is already being applied: %s pressed Apply %s before you. Progress is in the thread.",
			number, plan.Approved.Name, s.Now().Sub(plan.AppliedAt).Round(time.Second))
	case plan.State == Applied || plan.State == Undone:
		return refuse("Plan %d was applied by %s already. Nothing was changed again.", number, plan.Approved.Name)
	case plan.State != Proposed:
		return refuse("Plan %d is %s and cannot be applied. Nothing was changed. Make a new plan.", number, plan.State)
	case plan.Digest != digest:
		return refuse("This button is of an older plan. Nothing was changed. Look at plan %d as it is now.", number)
	case s.Now().After(plan.Until):
		return refuse("Plan %d was valid until %s. Nothing was changed. Make a new plan.", number, plan.Until.UTC().Format("15:04 UTC"))
	case NotAsked(*plan):
		return refuse("Plan %d was made on a recorded bundle. Nothing can be applied to it.", number)
	case !Accepted(*plan):
		return refuse("The API server refuses plan %d in its dry run. Nothing was changed.", number)
	}
	return planable(*inc)
}

// DryRunAccepted is what Write.DryRun holds when the API server has nothing against the write.
const DryRunAccepted = "accepted"

// DryRunNotAsked is what Write.DryRun holds where there is no API server to ask.
const DryRunNotAsked = "not asked"

// NotAsked reports whether a plan is only shown: there is no API server behind it.
func NotAsked(plan Plan) bool {
	return slices.ContainsFunc(plan.Writes, func(w Write) bool { return w.DryRun == DryRunNotAsked })
}

// Accepted reports whether the API server accepted the dry run of every write.
func Accepted(plan Plan) bool {
	return len(plan.Writes) > 0 && !slices.ContainsFunc(plan.Writes, func(w Write) bool { return w.DryRun != DryRunAccepted })
}

func (s *Service) applyAndVerify(ctx context.Context, inc Incident, number int, actor Actor) error {
	if err := s.write(ctx, inc, number, actor); err != nil {
		return err
	}
	if err := s.settle(ctx, inc, number); err != nil {
		s.Log.Warn("rollout did not end well", "incident", inc.ID, "plan", number, "err", err)
	}
	return s.Verify(ctx, inc.ID, actor)
}

// write sends the plan's writes one after another. Each is recorded before it
// is sent; none is sent twice. The first that does not succeed ends the plan.
func (s *Service) write(ctx context.Context, inc Incident, number int, actor Actor) error {
	plan := inc.Plan(number)
	if err := s.Cluster.Unchanged(ctx, inc.Target, plan.Writes); err != nil {
		return s.endPlan(ctx, inc.ID, number, actor, err, false)
	}
	for n := range plan.Writes {
		if err := s.markWrite(ctx, inc.ID, number, n, func(w *Write) { w.Status = Sending }); err != nil {
			return err
		}
		after, err := s.Cluster.Apply(ctx, inc.Target, plan.Writes[n], actor)
		marked := s.markWrite(context.WithoutCancel(ctx), inc.ID, number, n, func(w *Write) {
			w.Status, w.After = writeStatus(err), after
			if err != nil {
				w.Error = sentence(err)
			}
		})
		if err := errors.Join(err, marked); err != nil {
			return s.endPlan(context.WithoutCancel(ctx), inc.ID, number, actor, err, n > 0)
		}
	}
	return nil
}

func (s *Service) markWrite(ctx context.Context, id string, number, n int, mark func(*Write)) error {
	_, err := s.change(ctx, id, func(inc *Incident) error {
		mark(&inc.Plan(number).Writes[n])
		return nil
	})
	return err
}

// writeStatus tells what an answer of Cluster.Apply means.
func writeStatus(err error) WriteStatus {
	var drift *Drift
	var refusal *Refusal
	switch {
	case err == nil:
		return Done
	case errors.As(err, &drift) || errors.As(err, &refusal):
		return Refused
	}
	return Lost
}

// endPlan records why a plan ended before its last write.
func (s *Service) endPlan(ctx context.Context, id string, number int, actor Actor, cause error, some bool) error {
	_, err := s.change(ctx, id, func(inc *Incident) error {
		plan := inc.Plan(number)
		plan.EndedAt = s.Now()
		var drift *Drift
		switch {
		case errors.As(cause, &drift) && !some:
			plan.State, plan.Trouble = Drifted, "Nothing was changed: "+drift.Says+"."
		case writeStatus(cause) == Lost:
			plan.State = Uncertain
			plan.Trouble = "Nobody knows whether the last write arrived: " + sentence(cause) + ". Look at what the cluster shows before you do anything."
		case some:
			plan.State, plan.Trouble = Failed, "Stopped in the middle; what is done is ticked. "+sentence(cause)
		default:
			plan.State, plan.Trouble = Failed, "Nothing was changed: "+sentence(cause)
		}
		inc.State = Walking
		if some || plan.State == Uncertain {
			inc.State = NotFixed
		}
		s.note(inc, actor, "plan %d ended: %s", number, plan.Trouble)
		return nil
	})
	return errors.Join(cause, err)
}

// settle waits for the rollout and keeps its newest word on the plan.
func (s *Service) settle(ctx context.Context, inc Incident, number int) error {
	limited, cancel := context.WithTimeout(ctx, s.Limits.Settle)
	defer cancel()
	progress := func(says string) {
		_, err := s.change(ctx, inc.ID, func(inc *Incident) error {
			inc.Plan(number).Progress = says
			return nil
		})
		if err != nil {
			s.Log.Warn("progress not stored", "incident", inc.ID, "err", err)
		}
	}
	failure := s.Cluster.Settle(limited, inc.Target, progress)
	_, err := s.change(ctx, inc.ID, func(inc *Incident) error {
		plan := inc.Plan(number)
		plan.State, plan.EndedAt = Applied, s.Now()
		if failure != nil {
			plan.Trouble = sentence(failure)
		}
		if plan.Undoes > 0 {
			inc.Plan(plan.Undoes).State = Undone
		}
		s.note(inc, plan.Approved, "applied plan %d", number)
		return nil
	})
	return errors.Join(failure, err)
}

// UndoPlan puts back what a plan has written. It is refused when somebody has
// changed one of the objects since.
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
	prepared, err := s.Cluster.Prepare(ctx, inc.Target, changes)
	if err != nil {
		return &Refusal{Says: "The undo cannot be prepared: " + sentence(err) + " Nothing was changed.", Err: err}
	}
	if err := sinceThen(*inc.Plan(number), prepared); err != nil {
		return err
	}
	var undo int
	inc, err = s.change(ctx, id, func(inc *Incident) error {
		if _, err := undoOf(inc, number); err != nil {
			return err
		}
		plan := newPlan(inc, actor, prepared)
		plan.Scenario, plan.Action, plan.Undoes = inc.Plan(number).Scenario, fmt.Sprintf("undo plan %d", number), number
		plan.Changes, plan.Warnings, plan.MadeAt = changes, prepared.Warnings, s.Now()
		plan.Digest = Digest(inc.Target, plan)
		s.replacePlans(inc, plan.Number)
		inc.Plans = append(inc.Plans, plan)
		s.begin(inc, inc.Plan(plan.Number), actor)
		s.note(inc, actor, "undoes plan %d", number)
		undo = plan.Number
		return nil
	})
	if err != nil {
		return err
	}
	s.start(id, func(ctx context.Context) error {
		if err := s.write(ctx, inc, undo, actor); err != nil {
			return err
		}
		if err := s.settle(ctx, inc, undo); err != nil {
			s.Log.Warn("what was undone does not run", "incident", id, "plan", undo, "err", err)
		}
		return s.afterUndo(ctx, id, actor)
	})
	return nil
}

// undoOf gives the changes that put a plan back, last write first.
func undoOf(inc *Incident, number int) ([]runbook.Change, error) {
	plan := inc.Plan(number)
	switch {
	case plan == nil:
		return nil, refuse("%s has no plan %d.", inc.ID, number)
	case plan.State == Undone:
		return nil, refuse("Plan %d has been undone already.", number)
	case plan.State != Applied && plan.State != Failed:
		return nil, refuse("Plan %d is %s: there is nothing to undo.", number, plan.State)
	case inc.State == Applying:
		return nil, refuse("A plan of %s is being applied. Wait for its result.", inc.ID)
	}
	var changes []runbook.Change
	for i := range plan.Writes {
		if write := plan.Writes[i]; write.Status == Done {
			changes = append(changes, write.Undo...)
		}
	}
	if len(changes) == 0 {
		return nil, refuse("Plan %d cannot be undone by the bot.", number)
	}
	return changes, nil
}

// sinceThen refuses an undo when an object is not as the plan has left it.
func sinceThen(plan Plan, undo Prepared) error {
	for _, now := range undo.Writes {
		for _, then := range plan.Writes {
			if then.Status == Done && then.Verb == now.Verb && then.Object == now.Object && then.After != now.Base {
				return refuse("Nothing was changed: %s was changed by somebody after plan %d. Put it back by hand, or make a new plan.", now.Object.Name, plan.Number)
			}
		}
	}
	return nil
}

// afterUndo looks at the whole again: what was broken before is broken again.
func (s *Service) afterUndo(ctx context.Context, id string, actor Actor) error {
	_, err := s.change(ctx, id, func(inc *Incident) error {
		inc.State, inc.Verified = Walking, nil
		return nil
	})
	if err != nil {
		return err
	}
	return s.RunAll(ctx, id, actor)
}
