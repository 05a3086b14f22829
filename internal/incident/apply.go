package incident

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// ApplyPlan is one person's consent to one plan digest. The store decides who
// was first; everybody else is refused with a sentence. The writes, the
// rollout and the verification go on in the background. The error is a
// *runbook.BadInput where what was typed for it does not fit.
func (s *Service) ApplyPlan(ctx context.Context, id string, actor Actor, consent Consent) error {
	if err := s.allow(ctx, actor, Approver); err != nil {
		return err
	}
	return s.beginAlone(ctx, id, actor, func(inc *Incident) (*Plan, error) {
		asks, err := s.applicable(inc, actor, consent.Number, consent.Digest)
		if err == nil {
			err = asks.given(inc.Target, consent)
		}
		if err != nil {
			return nil, err
		}
		plan := inc.Plan(consent.Number)
		s.note(inc, actor, "approved plan %d (%s)", plan.Number, plan.Digest)
		if asks.Alone {
			plan.Alone = strings.TrimSpace(consent.Reason)
			s.note(inc, actor, "broke the glass: applied plan %d without a second person. The reason given: %s", plan.Number, plan.Alone)
		}
		return plan, nil
	})
}

// beginAlone carries out the plan that choose consents to, in the background;
// nil for none. Of several who press at once one is heard, and nobody is while
// another incident changes the same target.
func (s *Service) beginAlone(ctx context.Context, id string, actor Actor, choose func(*Incident) (*Plan, error)) error {
	s.begun.Lock()
	defer s.begun.Unlock()
	if err := s.alone(ctx, id); err != nil {
		return err
	}
	number := 0
	var at time.Time
	inc, err := s.change(ctx, id, func(inc *Incident) error {
		number = 0 // the store may ask again
		plan, err := choose(inc)
		if plan == nil || err != nil {
			return err
		}
		s.begin(inc, plan, actor)
		number, at = plan.Number, plan.AppliedAt
		return nil
	})
	var doubt *unstored
	if errors.As(err, &doubt) && number > 0 {
		s.start(id, func(ctx context.Context) error { return s.takeBack(ctx, id, number, at, actor) })
	}
	if err != nil {
		return err
	}
	if number == 0 {
		s.replaceElsewhere(ctx, inc, len(inc.Plans)) // what was made instead of being applied
		return nil
	}
	s.start(id, func(ctx context.Context) error { return s.carryOut(ctx, inc, number, actor) })
	s.replaceElsewhere(ctx, inc, number)
	return nil
}

// takeBack ends a plan that may be stored as being applied, although whoever
// pressed was told that it is not: nobody carries it out.
func (s *Service) takeBack(ctx context.Context, id string, number int, at time.Time, actor Actor) error {
	err := s.insist(ctx, id, func() error { return s.markEnded(ctx, id, number, at, actor, errNotBegun) })
	if errors.Is(err, errTaken) {
		return nil // it was not stored
	}
	return err
}

var errNotBegun = &Refusal{Says: "the store did not answer when it was approved. Make a new plan."}

// alone refuses when another incident of the same target is being changed: two
// plans on one target at a time do not exist.
func (s *Service) alone(ctx context.Context, id string) error {
	inc, err := s.Store.Get(ctx, id)
	if err != nil {
		return fmt.Errorf("read %s: %w", id, err)
	}
	all, err := s.Store.Recent(ctx, time.Time{})
	if err != nil {
		return fmt.Errorf("list incidents: %w", err)
	}
	for _, other := range all {
		if other.ID != id && other.Target.Same(inc.Target) && (other.State == Applying || other.State == Verifying) {
			return refuse("A plan of %s is being applied to %s. Wait for its result. Nothing was changed.", other.ID, other.Target)
		}
	}
	return nil
}

// begin marks a plan as being applied by actor.
func (s *Service) begin(inc *Incident, plan *Plan, actor Actor) {
	inc.goOn()
	plan.State, plan.Approved, plan.AppliedAt, plan.Replica = Underway, actor, s.Now(), s.Replica
	inc.State, inc.FixedAt = Applying, time.Time{}
	s.beatsIn(inc)
}

// applicable decides whether a click on Apply counts, and says why not. It
// gives what has to be typed for it.
func (s *Service) applicable(inc *Incident, actor Actor, number int, digest string) (Asks, error) {
	plan := inc.Plan(number)
	if err := s.waiting(inc, plan, number, digest); err != nil {
		return Asks{}, err
	}
	asks, err := s.asks(*plan, actor)
	if err != nil {
		return Asks{}, err
	}
	return asks, planable(*inc)
}

// waiting refuses a click on Apply that no plan waits for.
func (s *Service) waiting(inc *Incident, plan *Plan, number int, digest string) error {
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
	return nil
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
