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
	return s.prepareAlone(ctx, id, func(inc *Incident) (Plan, error) {
		return Plan{Fix: ref, Action: fix.Action, Inputs: proposal.Inputs, Changes: proposal.Changes, Debt: fix.Debt, By: actor}, planable(*inc)
	}, func(ctx context.Context, number int, prepared Prepared, failure error) error {
		return s.endPreparing(ctx, id, number, failure, func(inc *Incident, plan *Plan) { s.propound(inc, plan, prepared, proposal) })
	})
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
