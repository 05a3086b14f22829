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
	s.begun.Lock()
	defer s.begun.Unlock()
	if err := s.alone(ctx, id); err != nil {
		return err
	}
	inc, err := s.change(ctx, id, func(inc *Incident) error {
		if err := s.applicable(inc, actor, number, digest); err != nil {
			return err
		}
		s.begin(inc, inc.Plan(number), actor)
		s.note(inc, actor, "approved plan %d (%s)", number, digest)
		return nil
	})
	if err != nil {
		return err
	}
	s.start(id, func(ctx context.Context) error { return s.carryOut(ctx, inc, number, actor) })
	return nil
}

// alone refuses when another incident of the same target is being changed: two
// plans on one target at a time do not exist.
func (s *Service) alone(ctx context.Context, id string) error {
	all, err := s.Store.List(ctx)
	if err != nil {
		return fmt.Errorf("list incidents: %w", err)
	}
	at := slices.IndexFunc(all, func(inc Incident) bool { return inc.ID == id })
	if at < 0 {
		return fmt.Errorf("read %s: %w", id, ErrNotFound)
	}
	for _, other := range all {
		if other.ID != id && other.Target.Same(all[at].Target) && (other.State == Applying || other.State == Verifying) {
			return refuse("A plan of %s is being applied to %s. Wait for its result. Nothing was changed.", other.ID, other.Target)
		}
	}
	return nil
}

// begin marks a plan as being applied by actor.
func (s *Service) begin(inc *Incident, plan *Plan, actor Actor) {
	plan.State, plan.Approved, plan.AppliedAt = Underway, actor, s.Now()
	inc.State = Applying
}

// applicable decides whether a click on Apply counts, and says why not.
func (s *Service) applicable(inc *Incident, actor Actor, number int, digest string) error {
	plan := inc.Plan(number)
	switch {
	case plan == nil:
		return refuse("%s has no plan %d. Nothing was changed.", inc.ID, number)
	case plan.State == Preparing:
		return refuse("Plan %d is still being prepared. Nothing was changed.", number)
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
	if err := secondPerson(*plan, actor); err != nil {
		return err
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
		return s.endPlan(ctx, inc.ID, number, actor, err)
	}
	for n := range plan.Writes {
		write := plan.Writes[n]
		if write.Status == Done && !unsettled(write) {
			continue
		}
		if write.Status != Done {
			write.Base = baseOf(plan, n)
			if err := s.send(ctx, inc, number, n, &write, actor); err != nil {
				return s.endPlan(context.WithoutCancel(ctx), inc.ID, number, actor, err)
			}
			plan.Writes[n] = write
		}
		if err := s.settle(ctx, inc, number, n, write); err != nil {
			if n < len(plan.Writes)-1 || write.Await != Rollout {
				return s.endPlan(context.WithoutCancel(ctx), inc.ID, number, actor, err)
			}
			s.Log.Warn("rollout did not end well", "incident", inc.ID, "plan", number, "err", err)
			return s.applied(ctx, inc.ID, number, sentence(err))
		}
	}
	return s.applied(ctx, inc.ID, number, "")
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
	if err := s.markWrite(ctx, inc.ID, number, n, func(w *Write) { w.Status, w.Error = Sending, "" }); err != nil {
		return err
	}
	after, err := s.Cluster.Apply(ctx, inc.Target, *write, actor)
	write.Status, write.After = writeStatus(err), after
	marked := s.markWrite(context.WithoutCancel(ctx), inc.ID, number, n, func(w *Write) {
		w.Status, w.After = write.Status, after
		switch {
		case err != nil:
			w.Error = sentence(err)
		case w.Await != Nothing:
			w.Progress = awaiting // until settle knows better
		}
	})
	return errors.Join(err, marked)
}

// awaiting is the word of a write that is there, as long as nothing is known of
// what it sets going.
const awaiting = "written; waiting for what it sets going"

// unsettled reports whether a write was sent and its end was never seen: the
// bot was restarted while it waited. What comes after it must wait, too.
func unsettled(write Write) bool {
	return write.Status == Done && write.Await != Nothing && write.Progress != ""
}

// settle waits for what a write sets going and keeps its newest word.
func (s *Service) settle(ctx context.Context, inc Incident, number, n int, write Write) error {
	if write.Await == Nothing {
		return nil
	}
	limited, cancel := context.WithTimeout(ctx, s.Limits.Settle)
	defer cancel()
	progress := func(says string) {
		if err := s.markWrite(ctx, inc.ID, number, n, func(w *Write) { w.Progress = says }); err != nil {
			s.Log.Warn("progress not stored", "incident", inc.ID, "err", err)
		}
	}
	says, failure := s.Cluster.Settle(limited, inc.Target, write, progress)
	err := s.markWrite(context.WithoutCancel(ctx), inc.ID, number, n, func(w *Write) {
		w.Progress, w.Says = "", says
		if failure != nil {
			w.Status, w.Error = Broken, sentence(failure)
		}
	})
	return errors.Join(failure, err)
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

// applied records that every write was sent; trouble is what its rollout came to.
func (s *Service) applied(ctx context.Context, id string, number int, trouble string) error {
	_, err := s.change(ctx, id, func(inc *Incident) error {
		plan := inc.Plan(number)
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
func (s *Service) endPlan(ctx context.Context, id string, number int, actor Actor, cause error) error {
	_, err := s.change(ctx, id, func(inc *Incident) error {
		plan := inc.Plan(number)
		plan.EndedAt = s.Now()
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
	return errors.Join(cause, err)
}

// GoOn takes a plan up again where it stopped. What was sent is not sent again;
// a write that nobody knows of is decided first, by Look.
func (s *Service) GoOn(ctx context.Context, id string, actor Actor, number int, digest string) error {
	if err := s.allow(ctx, actor, Approver); err != nil {
		return err
	}
	s.begun.Lock()
	defer s.begun.Unlock()
	if err := s.alone(ctx, id); err != nil {
		return err
	}
	inc, err := s.change(ctx, id, func(inc *Incident) error {
		plan := inc.Plan(number)
		switch {
		case plan == nil || plan.Digest != digest || !CanGoOn(*plan):
			return refuse("Plan %d cannot be taken up again. Nothing was changed. Make a new plan.", number)
		case s.Now().After(plan.EndedAt.Add(s.Limits.PlanValid)):
			return refuse("Plan %d stopped more than %s ago. Nothing was changed. Make a new plan.", number, s.Limits.PlanValid)
		}
		if err := secondPerson(*plan, actor); err != nil {
			return err
		}
		if err := planable(*inc); err != nil {
			return err
		}
		s.begin(inc, plan, actor)
		plan.Trouble = ""
		s.note(inc, actor, "went on with plan %d (%s)", number, digest)
		return nil
	})
	if err != nil {
		return err
	}
	s.start(id, func(ctx context.Context) error { return s.carryOut(ctx, inc, number, actor) })
	return nil
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
		return &Refusal{Says: "The undo cannot be prepared: " + sentence(err) + " Nothing was changed.", Err: err}
	}
	if err := sinceThen(*inc.Plan(number), prepared); err != nil {
		return err
	}
	var undo int
	s.begun.Lock()
	defer s.begun.Unlock()
	if err := s.alone(ctx, id); err != nil {
		return err
	}
	inc, err = s.change(ctx, id, func(inc *Incident) error {
		if _, err := undoOf(inc, number); err != nil {
			return err
		}
		plan := Plan{Number: len(inc.Plans) + 1, State: Proposed, By: actor, Fix: inc.Plan(number).Fix, Undoes: number,
			Action: fmt.Sprintf("undo plan %d", number), Changes: changes, MadeAt: s.Now()}
		plan.fill(prepared, runbook.Proposal{})
		plan.Second = s.Second.needs(plan)
		plan.Digest, plan.Until = Digest(inc.Target, plan), s.Now().Add(s.Limits.PlanValid)
		s.replacePlans(inc, plan.Number)
		inc.Plans = append(inc.Plans, plan)
		undo = plan.Number
		if plan.Loses() || plan.Second {
			s.note(inc, actor, "made plan %d: %s", plan.Number, plan.Action)
			return nil
		}
		s.begin(inc, inc.Plan(plan.Number), actor)
		s.note(inc, actor, "undoes plan %d", number)
		return nil
	})
	if err != nil || inc.Plan(undo).State == Proposed {
		return err
	}
	s.start(id, func(ctx context.Context) error { return s.carryOut(ctx, inc, undo, actor) })
	return nil
}

// undoOf gives the changes that put a plan back.
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
	_, err := s.change(ctx, id, func(inc *Incident) error {
		inc.State, inc.Verified = Walking, nil
		return nil
	})
	if err != nil {
		return err
	}
	return s.RunAll(ctx, id, actor)
}
