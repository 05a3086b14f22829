package incident

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// carryOut writes a plan and looks at what came of it: the verification, or
// after an undo the whole diagnosis, since what was broken is broken again.
func (s *Service) carryOut(ctx context.Context, inc Incident, number int, actor Actor) error {
	if err := s.write(ctx, inc, number, actor); err != nil {
		return err
	}
	if inc.Plan(number).Undoes > 0 {
		return s.afterUndo(ctx, inc.ID, actor)
	}
	return s.Verify(ctx, inc.ID, actor)
}

// write sends the plan's writes one after another, and waits after each for
// what it sets going. Each is recorded before it is sent; none is sent twice.
// The first that does not succeed ends the plan.
func (s *Service) write(ctx context.Context, inc Incident, number int, actor Actor) error {
	plan := *inc.Plan(number)
	if err := s.Cluster.Unchanged(ctx, inc.Target, firstWrites(plan)); err != nil {
		return s.endPlan(ctx, inc.ID, number, plan.AppliedAt, actor, err)
	}
	for n := range plan.Writes {
		write := plan.Writes[n]
		if write.Status == Done && !unsettled(write) {
			continue
		}
		if write.Status != Done {
			write.Base = baseOf(plan, n)
			if err := s.send(ctx, inc, number, n, &write, actor); errors.Is(err, errTaken) {
				return err
			} else if err != nil {
				return s.endPlan(context.WithoutCancel(ctx), inc.ID, number, plan.AppliedAt, actor, err)
			}
			plan.Writes[n] = write
		}
		last := n == len(plan.Writes)-1 && write.Await == Rollout
		limit := s.Limits.Settle
		if last && plan.Undoes > 0 {
			limit = min(limit, s.Limits.Undone)
		}
		if err := s.settle(ctx, inc, number, n, write, limit); err != nil {
			if ctx.Err() != nil {
				return err // the plan stays underway, and whoever starts next finds it interrupted
			}
			if !last {
				return s.endPlan(context.WithoutCancel(ctx), inc.ID, number, plan.AppliedAt, actor, err)
			}
			s.Log.Warn("rollout did not end well", "incident", inc.ID, "plan", number, "err", err)
			return s.applied(ctx, inc.ID, number, plan.AppliedAt, sentence(err))
		}
	}
	return s.applied(ctx, inc.ID, number, plan.AppliedAt, "")
}

// firstWrites are the writes still to be sent that find their object as the
// plan was made against it: not those that follow one of the plan's own.
func firstWrites(plan Plan) []Write {
	var first []Write
	for n, write := range plan.Writes {
		if write.Status == Done {
			continue
		}
		write.Base = baseOf(plan, n)
		if write.Base != "" || write.Verb == Create || write.Verb == Command {
			first = append(first, write)
		}
	}
	return first
}

// baseOf is the fingerprint that a write must find: as the newest write of the
// plan to the same object has left it, or as the plan was made against it. ""
// while a write before it is still to be sent.
func baseOf(plan Plan, n int) string {
	for i := n - 1; i >= 0; i-- {
		before := plan.Writes[i]
		if before.Verb != Update || plan.Writes[n].Verb != Update || before.Object != plan.Writes[n].Object {
			continue
		}
		if before.Status != Done {
			return ""
		}
		return before.After
	}
	return plan.Writes[n].Base
}

// send sends one write, recorded before and after.
func (s *Service) send(ctx context.Context, inc Incident, number, n int, write *Write, actor Actor) error {
	at := inc.Plan(number).AppliedAt
	err := s.markWrite(ctx, inc.ID, number, at, n, func(plan *Plan, w *Write) error {
		if plan.State != Underway {
			return errTaken
		}
		w.Status, w.Error = Sending, ""
		return nil
	})
	switch {
	case errors.Is(err, errTaken):
		return err
	case err != nil:
		return &Refusal{Says: unsent, Err: err}
	}
	after, err := s.Cluster.Apply(ctx, inc.Target, *write, actor)
	write.Status, write.After = writeStatus(err), after
	marked := s.insist(context.WithoutCancel(ctx), inc.ID, func() error {
		return s.markWrite(context.WithoutCancel(ctx), inc.ID, number, at, n, func(_ *Plan, w *Write) error {
			w.Status, w.After = write.Status, after
			switch {
			case err != nil:
				w.Error = sentence(err)
			case w.Await != Nothing:
				w.Progress = awaiting // until settle knows better
			}
			return nil
		})
	})
	if err == nil {
		s.announce(ctx, inc, number, *write, actor)
	}
	return errors.Join(err, marked)
}

// unsent is why a write was not sent that the store did not take before.
const unsent = "The store did not take that a write is on its way, so it was not sent."

// errTaken ends what carries out a plan that somebody else has taken up, or has
// found and taken for interrupted.
var errTaken = &Refusal{Says: "the plan is not carried out here any more"}

// announce tells in the cluster who has changed an object. That nobody could be
// told there does not stop a plan: the timeline has it.
func (s *Service) announce(ctx context.Context, inc Incident, number int, write Write, actor Actor) {
	if s.Announce == nil {
		return
	}
	says := fmt.Sprintf("%s (%s) by plan %d of %s: %s", actor.Name, actor.ID, number, inc.ID, write.Title)
	if err := s.Announce(context.WithoutCancel(ctx), inc.Target, write.Object, says); err != nil {
		s.Log.Warn("not told in the cluster", "incident", inc.ID, "plan", number, "actor", actor.ID, "err", err)
	}
}

// awaiting is the word of a write that is there, as long as nothing is known of
// what it sets going.
const awaiting = "written; waiting for what it sets going"

// unsettled reports whether a write was sent and its end was never seen: the
// bot was restarted while it waited. What comes after it must wait, too.
func unsettled(write Write) bool {
	return write.Status == Done && write.Await != Nothing && write.Progress != ""
}

// settle waits for what a write sets going, no longer than limit, and keeps its
// newest word. What it comes to after the bot was told to stop is nobody's: the
// write stays unsettled.
func (s *Service) settle(ctx context.Context, inc Incident, number, n int, write Write, limit time.Duration) error {
	if write.Await == Nothing {
		return nil
	}
	limited, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	at := inc.Plan(number).AppliedAt
	progress := func(says string) {
		err := s.markWrite(ctx, inc.ID, number, at, n, func(_ *Plan, w *Write) error { w.Progress = says; return nil })
		if err != nil {
			s.Log.Warn("progress not stored", "incident", inc.ID, "err", err)
		}
	}
	says, failure := s.Cluster.Settle(limited, inc.Target, write, progress)
	if failure != nil && ctx.Err() != nil {
		return failure // the bot is being stopped: nobody saw the end
	}
	err := s.insist(context.WithoutCancel(ctx), inc.ID, func() error {
		return s.markWrite(context.WithoutCancel(ctx), inc.ID, number, at, n, func(_ *Plan, w *Write) error {
			w.Progress, w.Says = "", says
			if failure != nil {
				w.Status, w.Error = Broken, sentence(failure)
			}
			return nil
		})
	})
	return errors.Join(failure, err)
}

// markWrite records something of a write of the plan that was begun at that time.
func (s *Service) markWrite(ctx context.Context, id string, number int, at time.Time, n int, mark func(*Plan, *Write) error) error {
	_, err := s.change(ctx, id, func(inc *Incident) error {
		plan, err := begun(inc, number, at)
		if err != nil {
			return err
		}
		return mark(plan, &plan.Writes[n])
	})
	return err
}

// begun is the plan that was begun at that time; errTaken where it was begun again
// since, or never.
func begun(inc *Incident, number int, at time.Time) (*Plan, error) {
	plan := inc.Plan(number)
	if plan == nil || !plan.AppliedAt.Equal(at) {
		return nil, errTaken
	}
	return plan, nil
}

// endable is begun for what ends the plan: nobody has decided about it meanwhile.
func endable(inc *Incident, number int, at time.Time) (*Plan, error) {
	plan, err := begun(inc, number, at)
	if err == nil && plan.State != Underway && plan.State != Uncertain {
		return nil, errTaken
	}
	return plan, err
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

// applied records that every write was sent; trouble is what its rollout came to.
func (s *Service) applied(ctx context.Context, id string, number int, at time.Time, trouble string) error {
	return s.insist(ctx, id, func() error { return s.markApplied(ctx, id, number, at, trouble) })
}

func (s *Service) markApplied(ctx context.Context, id string, number int, at time.Time, trouble string) error {
	_, err := s.change(ctx, id, func(inc *Incident) error {
		plan, err := endable(inc, number, at)
		if err != nil {
			return err
		}
		plan.State, plan.EndedAt, plan.Trouble = Applied, s.Now(), trouble
		if plan.Undoes > 0 {
			inc.Plan(plan.Undoes).State = Undone
		}
		s.note(inc, plan.Approved, "applied plan %d", number)
		return nil
	})
	return err
}

// endPlan records why a plan ended before its last write.
func (s *Service) endPlan(ctx context.Context, id string, number int, at time.Time, actor Actor, cause error) error {
	err := s.insist(ctx, id, func() error { return s.markEnded(ctx, id, number, at, actor, cause) })
	return errors.Join(cause, err)
}

func (s *Service) markEnded(ctx context.Context, id string, number int, at time.Time, actor Actor, cause error) error {
	_, err := s.change(ctx, id, func(inc *Incident) error {
		plan, err := endable(inc, number, at)
		if err != nil {
			return err
		}
		plan.EndedAt = s.Now()
		for n := range plan.Writes {
			if w := &plan.Writes[n]; w.Status == Sending {
				w.Status = Lost
				if sentence(cause) == unsent {
					w.Status = Planned
				}
			}
		}
		var drift *Drift
		some := slices.ContainsFunc(plan.Writes, func(w Write) bool { return w.Status == Done || w.Status == Broken })
		lost := slices.ContainsFunc(plan.Writes, func(w Write) bool { return w.Status == Lost })
		switch {
		case errors.As(cause, &drift) && !some:
			plan.State, plan.Trouble = Drifted, "Nothing was changed: "+drift.Says+"."
		case lost:
			plan.State = Uncertain
			plan.Trouble = "Nobody knows whether the last write arrived: " + sentence(cause) + ". Look at what the cluster shows before you do anything."
		case some:
			plan.State, plan.Trouble = Failed, sentence(cause)
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
	return err
}
