package incident

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"redis-session-bot/internal/evidence"
	"redis-session-bot/internal/runbook"
)

// MakePlan prepares a fix of the runbook against the live cluster, with what
// the actor has answered to its inputs. It changes nothing there. A
// plan that was proposed before for the same target is replaced. The error is
// *runbook.BadInput where the answers do not fit.
func (s *Service) MakePlan(ctx context.Context, id string, actor Actor, ref string, answers map[string]string) error {
	if err := s.allow(ctx, actor, Responder); err != nil {
		return err
	}
	inc, err := s.Store.Get(ctx, id)
	if err != nil {
		return fmt.Errorf("read %s: %w", id, err)
	}
	if err := planable(inc); err != nil {
		return err
	}
	fix, proposal, err := s.propose(ctx, inc, ref, answers)
	if err != nil {
		return err
	}
	s.begun.Lock()
	defer s.begun.Unlock()
	if err := s.alone(ctx, id); err != nil {
		return err
	}
	number := 0
	var at time.Time
	_, err = s.change(ctx, id, func(inc *Incident) error {
		number = 0 // the store may ask again
		if err := planable(*inc); err != nil {
			return err
		}
		plan := Plan{Number: len(inc.Plans) + 1, State: Preparing, Fix: ref, Action: fix.Action, Inputs: proposal.Inputs,
			Changes: proposal.Changes, Debt: fix.Debt, By: actor, MadeAt: s.Now(), Holds: Untold()}
		number, at = plan.Number, plan.MadeAt
		s.replacePlans(inc, fmt.Sprintf("plan %d", number))
		inc.Plans = append(inc.Plans, plan)
		return nil
	})
	var doubt *unstored
	if errors.As(err, &doubt) && number > 0 {
		s.start(id, func(ctx context.Context) error { return s.dropPreparing(ctx, id, number, at) })
	}
	if err != nil {
		return err
	}
	s.start(id, func(ctx context.Context) error { return s.preparePlan(ctx, inc, number, proposal) })
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

// Inputs gives what people may edit before a plan of that fix is made, with
// the values that the evidence proposes; none for a fix without.
func (s *Service) Inputs(ctx context.Context, id string, actor Actor, ref string) ([]runbook.Value, error) {
	if err := s.allow(ctx, actor, Responder); err != nil {
		return nil, err
	}
	inc, err := s.Store.Get(ctx, id)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", id, err)
	}
	_, proposal, err := s.propose(ctx, inc, ref, nil)
	var bad *runbook.BadInput
	if errors.As(err, &bad) {
		err = nil // the person is about to correct it
	}
	return proposal.Inputs, err
}

// propose fills a fix in from the incident's evidence.
func (s *Service) propose(ctx context.Context, inc Incident, ref string, answers map[string]string) (runbook.Fix, runbook.Proposal, error) {
	book := s.Runbooks[inc.Runbook]
	fix, ok := book.Fix(ref)
	if !ok {
		return fix, runbook.Proposal{}, refuse("There is no safe change for %q. The verdict says what to do by hand.", ref)
	}
	bundle, err := s.Store.Bundle(ctx, inc.ID)
	if err != nil {
		return fix, runbook.Proposal{}, fmt.Errorf("read the evidence of %s: %w", inc.ID, err)
	}
	proposal, err := book.Propose(ref, evidence.Read(bundle, inc.Target), answers)
	var bad *runbook.BadInput
	if err != nil && !errors.As(err, &bad) {
		err = &Refusal{Says: "The plan cannot be filled in: the evidence that it needs is not known. Run every step first.", Err: err}
	}
	return fix, proposal, err
}

// planable reports whether a plan may be made now.
func planable(inc Incident) error {
	switch inc.State {
	case Applying, Verifying:
		return refuse("A plan of %s is being applied. Wait for its result.", inc.ID)
	case Closed:
		return refuse("%s is closed. Type diagnose to begin a new one.", inc.ID)
	}
	return nil
}

// preparePlan asks the cluster and stores what the plan will write. A plan
// that could not be prepared is kept, so that people see why.
func (s *Service) preparePlan(ctx context.Context, inc Incident, number int, proposal runbook.Proposal) error {
	limited, cancel := context.WithTimeout(ctx, s.Limits.Prepare)
	defer cancel()
	prepared, failure := s.Cluster.Prepare(limited, Wanted{Target: inc.Target, Changes: proposal.Changes, Name: planName(inc.ID, number),
		Progress: func(says string) { s.tellPlan(ctx, inc.ID, number, says) }})
	err := s.insist(ctx, inc.ID, func() error { return s.endPreparing(ctx, inc.ID, number, proposal, prepared, failure) })
	var refusal *Refusal
	if errors.As(failure, &refusal) {
		failure = refusal.Err
	}
	return errors.Join(failure, err)
}

// endPreparing records what the cluster has said of a plan.
func (s *Service) endPreparing(ctx context.Context, id string, number int, proposal runbook.Proposal, prepared Prepared, failure error) error {
	_, err := s.change(ctx, id, func(inc *Incident) error {
		plan := inc.Plan(number)
		if plan.State != Preparing {
			return nil // replaced by another one while the cluster was asked
		}
		plan.Progress, plan.MadeAt = "", s.Now()
		if failure != nil {
			plan.State, plan.EndedAt, plan.Trouble = Failed, s.Now(), "Nothing was changed: "+sentence(failure)
			s.note(inc, plan.By, "plan %d could not be made: %s", number, plan.Trouble)
			return nil
		}
		plan.fill(prepared, proposal)
		plan.Second = s.Second.needs(*plan)
		plan.State, plan.Until = Proposed, s.Now().Add(s.Limits.PlanValid)
		plan.Digest = Digest(inc.Target, *plan)
		s.note(inc, plan.By, "made plan %d: %s", number, plan.Action)
		return nil
	})
	return err
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
		inc.Plan(number).Progress = says
		return nil
	})
	if err != nil {
		s.Log.Warn("progress not stored", "incident", id, "err", err)
	}
}

// replacePlans cancels what was proposed before: there are no two plans on one target.
func (s *Service) replacePlans(inc *Incident, by string) {
	for i := range inc.Plans {
		if waits(inc.Plans[i]) {
			inc.Plans[i].State, inc.Plans[i].EndedAt = Cancelled, s.Now()
			inc.Plans[i].Trouble = fmt.Sprintf("Replaced by %s.", by)
		}
	}
}

// waits reports whether a plan may still be applied.
func waits(plan Plan) bool { return plan.State == Proposed || plan.State == Preparing }

// replaceElsewhere cancels what other incidents propose for the same target.
// One that stays is refused when it is applied: the cluster has drifted.
func (s *Service) replaceElsewhere(ctx context.Context, by Incident, number int) {
	all, err := s.Store.Recent(ctx, time.Time{})
	for _, other := range all {
		if other.ID == by.ID || !other.Target.Same(by.Target) || !slices.ContainsFunc(other.Plans, waits) {
			continue
		}
		_, failure := s.change(ctx, other.ID, func(inc *Incident) error {
			s.replacePlans(inc, fmt.Sprintf("plan %d of %s", number, by.ID))
			return nil
		})
		err = errors.Join(err, failure)
	}
	if err != nil {
		s.Log.Warn("plans of other incidents not replaced", "incident", by.ID, "plan", number, "err", err)
	}
}

// sentence is what people read of an error: the sentence of a Refusal or a
// Drift, or the chain.
func sentence(err error) string {
	var refusal *Refusal
	if errors.As(err, &refusal) {
		return refusal.Says
	}
	return err.Error()
}

// whole is a sentence with its full stop, so that another one can follow.
func whole(says string) string { return strings.TrimRight(says, ". ") + "." }

// Digest is what an approval is given to: the target and everything that a
// plan will write. It is hex of SHA-256, shortened to 16 digits.
func Digest(target evidence.Target, plan Plan) string {
	type write struct {
		Verb    Verb
		Object  Object
		Changes []runbook.Change
		Base    string
		Want    string
	}
	content := struct {
		Target evidence.Target
		Number int
		Writes []write
	}{Target: target, Number: plan.Number}
	for _, w := range plan.Writes {
		content.Writes = append(content.Writes, write{w.Verb, w.Object, w.Changes, w.Base, w.Want})
	}
	data, err := json.Marshal(content)
	if err != nil {
		// Only a change whose Args are not JSON gets here; no digest matches then.
		return ""
	}
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:8])
}

// CancelPlan refuses a plan for good; that is an approver's to do, too.
func (s *Service) CancelPlan(ctx context.Context, id string, actor Actor, number int) error {
	if err := s.allow(ctx, actor, Approver); err != nil {
		return err
	}
	_, err := s.change(ctx, id, func(inc *Incident) error {
		plan := inc.Plan(number)
		if plan == nil || plan.State != Proposed && plan.State != Preparing {
			return refuse("Plan %d is not waiting for an answer.", number)
		}
		plan.State, plan.EndedAt, plan.Trouble = Cancelled, s.Now(), "Cancelled by "+actor.Name+"."
		s.note(inc, actor, "cancelled plan %d", number)
		return nil
	})
	return err
}
