package incident

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"redis-session-bot/internal/runbook"
)

// ending records what the cluster has said of a plan. It is called again until
// the store takes it.
type ending func(ctx context.Context, number int, prepared Prepared, failure error) error

// prepareAlone stores the plan that choose makes as one that is being prepared,
// and asks the cluster in the background. A plan that was proposed before for the
// same target is replaced.
func (s *Service) prepareAlone(ctx context.Context, id string, choose func(*Incident) (Plan, error), end ending) error {
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
		if err != nil {
			return err
		}
		plan.Number, plan.State, plan.MadeAt, plan.Holds, plan.Replica = len(inc.Plans)+1, Preparing, s.Now(), Untold(), s.Replica
		number, at = plan.Number, plan.MadeAt
		s.replacePlans(inc, fmt.Sprintf("plan %d", number))
		inc.Plans = append(inc.Plans, plan)
		s.beatsIn(inc)
		return nil
	})
	var doubt *unstored
	if errors.As(err, &doubt) && number > 0 {
		s.start(id, func(ctx context.Context) error { return s.dropPreparing(ctx, id, number, at) })
	}
	if err != nil {
		return err
	}
	s.start(id, func(ctx context.Context) error { return s.preparePlan(ctx, inc, number, end) })
	s.replaceElsewhere(ctx, inc, number)
	return nil
}

// dropPreparing ends a plan that may be stored as being prepared, although whoever
// asked was told that it is not: nobody prepares it.
func (s *Service) dropPreparing(ctx context.Context, id string, number int, at time.Time) error {
	err := s.insist(ctx, id, func() error {
		_, err := s.change(ctx, id, func(inc *Incident) error {
			plan := inc.Plan(number)
			if plan == nil || plan.State != Preparing || !plan.MadeAt.Equal(at) {
				return errNothing // it was not stored
			}
			plan.State, plan.EndedAt, plan.Trouble = Failed, s.Now(), "Nothing was changed: the store did not answer when it was asked for. Make a new plan."
			s.note(inc, plan.By, "plan %d could not be made: %s", number, plan.Trouble)
			return nil
		})
		return err
	})
	if errors.Is(err, errNothing) {
		return nil
	}
	return err
}

// preparePlan asks the cluster what a plan will write, and has the answer
// recorded.
func (s *Service) preparePlan(ctx context.Context, inc Incident, number int, end ending) error {
	limited, cancel := context.WithTimeout(ctx, s.Limits.Prepare)
	defer cancel()
	prepared, failure := s.Cluster.Prepare(limited, Wanted{Target: inc.Target, Changes: inc.Plan(number).Changes, Name: planName(inc.ID, number),
		Progress: func(says string) { s.tellPlan(ctx, inc.ID, number, says) }})
	err := s.insist(ctx, inc.ID, func() error { return end(ctx, number, prepared, failure) })
	var refusal *Refusal
	if errors.As(failure, &refusal) {
		failure = refusal.Err
	}
	return errors.Join(failure, err)
}

// endPreparing ends the preparing of a plan: well does it where the cluster had an
// answer. A plan that could not be prepared is kept, so that people see why. One
// that was replaced or cancelled while the cluster was asked stays as it is.
func (s *Service) endPreparing(ctx context.Context, id string, number int, failure error, well func(*Incident, *Plan)) error {
	_, err := s.change(ctx, id, func(inc *Incident) error {
		plan := inc.Plan(number)
		if plan.State != Preparing {
			return nil
		}
		if failure == nil {
			well(inc, plan)
			return nil
		}
		plan.Progress, plan.MadeAt = "", s.Now()
		plan.State, plan.EndedAt, plan.Trouble = Failed, s.Now(), "Nothing was changed: "+sentence(failure)
		var drift *Drift
		if errors.As(failure, &drift) {
			plan.State = Drifted
		}
		s.note(inc, plan.By, "plan %d could not be made: %s", number, plan.Trouble)
		return nil
	})
	return err
}

// propound makes a plan that was prepared one that waits for an answer.
func (s *Service) propound(inc *Incident, plan *Plan, prepared Prepared, proposal runbook.Proposal) {
	plan.fill(prepared, proposal)
	plan.Second = s.Second.needs(*plan)
	plan.Progress, plan.MadeAt = "", s.Now()
	plan.State, plan.Until = Proposed, s.Now().Add(s.Limits.PlanValid)
	plan.Digest = Digest(inc.Target, *plan)
	s.note(inc, plan.By, "made plan %d: %s", plan.Number, plan.Action)
}

// fill takes over what the cluster said.
func (p *Plan) fill(prepared Prepared, proposal runbook.Proposal) {
	p.Writes, p.Holds = prepared.Writes, prepared.Holds
	p.Warnings = append(append([]string(nil), proposal.Warnings...), prepared.Warnings...)
	p.Cautions = append(append([]string(nil), proposal.Cautions...), prepared.Cautions...)
}

// planName names a plan so that objects of the cluster can be named after it.
func planName(id string, number int) string {
	return fmt.Sprintf("%s-%d", strings.ToLower(id), number)
}

// tellPlan shows the newest word of a plan that is being prepared.
func (s *Service) tellPlan(ctx context.Context, id string, number int, says string) {
	_, err := s.change(ctx, id, func(inc *Incident) error {
		plan := inc.Plan(number)
		if plan.State != Preparing {
			return errNothing // cancelled, or replaced by another one
		}
		plan.Progress = says
		return nil
	})
	if err != nil && !errors.Is(err, errNothing) {
		s.Log.Warn("progress not stored", "incident", id, "err", err)
	}
}
