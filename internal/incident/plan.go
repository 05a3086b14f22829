package incident

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"

	"redis-session-bot/internal/evidence"
	"redis-session-bot/internal/runbook"
)

// MakePlan prepares the fix of a scenario against the live cluster. It writes
// nothing there. A plan that was proposed before is replaced.
func (s *Service) MakePlan(ctx context.Context, id string, actor Actor, scenarioID string) error {
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
	book := s.Runbooks[inc.Runbook]
	scenario, ok := book.Scenario(scenarioID)
	if !ok || len(scenario.Fix) == 0 {
		return refuse("There is no safe change for %q. The verdict says what to do by hand.", scenarioID)
	}
	bundle, err := s.Store.Bundle(ctx, id)
	if err != nil {
		return fmt.Errorf("read the evidence of %s: %w", id, err)
	}
	changes, err := book.Propose(scenarioID, evidence.Read(bundle, inc.Target))
	if err != nil {
		return &Refusal{Says: "The plan cannot be filled in: the evidence that it needs is not known. Run every step first.", Err: err}
	}
	s.start(id, func(ctx context.Context) error {
		return s.preparePlan(ctx, inc, actor, scenario, changes)
	})
	return nil
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

// preparePlan asks the cluster and stores the plan.
func (s *Service) preparePlan(ctx context.Context, inc Incident, actor Actor, scenario runbook.Scenario, changes []runbook.Change) error {
	limited, cancel := context.WithTimeout(ctx, 2*s.Limits.Step)
	defer cancel()
	prepared, err := s.Cluster.Prepare(limited, inc.Target, changes)
	if err != nil {
		return s.planTrouble(ctx, inc.ID, actor, scenario, err)
	}
	_, err = s.change(ctx, inc.ID, func(inc *Incident) error {
		if err := planable(*inc); err != nil {
			return err
		}
		plan := newPlan(inc, actor, prepared)
		plan.Scenario, plan.Action, plan.Changes = scenario.ID, scenario.Action, changes
		plan.Warnings = append(append([]string(nil), scenario.Warnings...), prepared.Warnings...)
		plan.Cautions = append(append([]string(nil), scenario.Cautions...), prepared.Cautions...)
		plan.MadeAt, plan.Until = s.Now(), s.Now().Add(s.Limits.PlanValid)
		plan.Digest = Digest(inc.Target, plan)
		s.replacePlans(inc, plan.Number)
		inc.Plans = append(inc.Plans, plan)
		s.note(inc, actor, "made plan %d: %s", plan.Number, plan.Action)
		return nil
	})
	return err
}

// planTrouble keeps a plan that could not be prepared, so that people see why.
func (s *Service) planTrouble(ctx context.Context, id string, actor Actor, scenario runbook.Scenario, failure error) error {
	_, err := s.change(ctx, id, func(inc *Incident) error {
		plan := newPlan(inc, actor, Prepared{})
		plan.Scenario, plan.Action, plan.State = scenario.ID, scenario.Action, Failed
		plan.MadeAt, plan.EndedAt, plan.Trouble = s.Now(), s.Now(), sentence(failure)
		s.replacePlans(inc, plan.Number)
		inc.Plans = append(inc.Plans, plan)
		s.note(inc, actor, "plan %d could not be made: %s", plan.Number, plan.Trouble)
		return nil
	})
	return errors.Join(failure, err)
}

func newPlan(inc *Incident, actor Actor, prepared Prepared) Plan {
	return Plan{Number: len(inc.Plans) + 1, State: Proposed, Writes: prepared.Writes, By: actor}
}

// replacePlans cancels what was proposed before: there are no two plans on one target.
func (s *Service) replacePlans(inc *Incident, by int) {
	for i := range inc.Plans {
		if inc.Plans[i].State == Proposed {
			inc.Plans[i].State, inc.Plans[i].EndedAt = Cancelled, s.Now()
			inc.Plans[i].Trouble = fmt.Sprintf("Replaced by plan %d.", by)
		}
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

// Digest is what an approval is given to: the target and everything that a
// plan will write. It is hex of SHA-256, shortened to 16 digits.
func Digest(target evidence.Target, plan Plan) string {
	type write struct {
		Verb    string
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
		if plan == nil || plan.State != Proposed {
			return refuse("Plan %d is not waiting for an answer.", number)
		}
		plan.State, plan.EndedAt, plan.Trouble = Cancelled, s.Now(), "Cancelled by "+actor.Name+"."
		s.note(inc, actor, "cancelled plan %d", number)
		return nil
	})
	return err
}
