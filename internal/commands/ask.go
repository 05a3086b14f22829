package commands

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"redis-session-bot/internal/incident"
	"redis-session-bot/internal/runbook"
)

// apply gives a plan the actor's consent. What has to be typed for it is asked
// first, whatever button the click came from.
func (h *Handler) apply(ctx context.Context, r Request, id string, number int, digest string) (Reply, error) {
	inc, asks, err := h.Incidents.Applicable(ctx, id, r.Actor, number, digest)
	if err != nil {
		return Reply{}, err
	}
	if r.Answers == nil && (asks.Typed || asks.Alone) {
		return Reply{Form: consentForm(inc, *inc.Plan(number), asks)}, nil
	}
	return Reply{}, h.Incidents.ApplyPlan(ctx, id, r.Actor, incident.Consent{Number: number, Digest: digest,
		Typed: r.Answers[incident.InputTyped], Reason: r.Answers[incident.InputReason]})
}

// consentForm asks for what has to be typed before a plan is applied.
func consentForm(inc incident.Incident, plan incident.Plan, asks incident.Asks) *Form {
	form := Form{ID: actApply, Value: value(inc.ID, plan.Number, plan.Digest), Title: fmt.Sprintf("Apply plan %d", plan.Number), Submit: "Apply"}
	if asks.Typed {
		form.Inputs = append(form.Inputs, Input{ID: incident.InputTyped, Label: "Type " + inc.Target.Workload + " to apply the plan"})
	}
	if asks.Alone {
		form.Inputs = append(form.Inputs, Input{ID: incident.InputReason, Label: "Why it cannot wait for a second person"})
		form.Parts = append(form.Parts, Paragraph{say("").emoji(emojiWarn).say(" A second person must apply this plan. You may break the glass now: it is applied alone, and your name and reason stand in the channel and in the timeline.")})
	}
	for _, loss := range losses(plan) {
		form.Parts = append(form.Parts, Paragraph{say("").emoji(emojiLoss).say(" ").strong("Data loss: " + stop(loss))})
	}
	form.Parts = append(form.Parts, Paragraph{say("Plan %d for %s: %s. %s", plan.Number, inc.Target, plan.Action, undoWord(plan))})
	if len(plan.Holds.Says) > 0 {
		form.Parts = append(form.Parts, Note{say("%s", strings.Join(plan.Holds.Says, "\n"))})
	}
	return &form
}

// losses says what a plan loses, the gravest first.
func losses(plan incident.Plan) []string {
	if !plan.Holds.Empties() {
		return plan.Cautions
	}
	says := "it comes back empty"
	if plan.Holds.Now > 0 {
		says = fmt.Sprintf("it comes back empty; the %s keys that it holds now are gone", thousands(plan.Holds.Now))
	}
	return append([]string{says}, plan.Cautions...)
}

// plan makes a plan. What the evidence cannot propose a value for is asked.
func (h *Handler) plan(ctx context.Context, r Request, id, ref string) (Reply, error) {
	if r.Answers != nil {
		return Reply{}, h.Incidents.MakePlan(ctx, id, r.Actor, ref, r.Answers)
	}
	return h.planWith(ctx, r, id, ref, nil)
}

// planWith makes a plan with some answers given already, or asks for the rest.
func (h *Handler) planWith(ctx context.Context, r Request, id, ref string, given map[string]string) (Reply, error) {
	values, err := h.Incidents.Inputs(ctx, id, r.Actor, ref)
	if err != nil {
		return Reply{}, err
	}
	missing := false
	answers := map[string]string{}
	for i := range values {
		if answer, ok := given[values[i].ID]; ok {
			values[i].Value = answer
		}
		answers[values[i].ID] = values[i].Value
		missing = missing || values[i].Value == ""
	}
	trouble := ""
	if !missing {
		err := h.Incidents.MakePlan(ctx, id, r.Actor, ref, answers)
		var bad *runbook.BadInput
		if !errors.As(err, &bad) || len(values) == 0 {
			return Reply{}, err
		}
		trouble = bad.Says
	}
	inc, err := h.read(ctx, r, id)
	if err != nil {
		return Reply{}, err
	}
	return Reply{Form: h.valuesForm(inc, actPlan, value(id, ref), ref, values, trouble)}, nil
}

// valuesForm asks for the inputs of a fix.
func (h *Handler) valuesForm(inc incident.Incident, action, ids, ref string, values []runbook.Value, trouble string) *Form {
	does := ref
	if fix, ok := h.Incidents.Runbooks[inc.Runbook].Fix(ref); ok {
		does = fix.Action
	}
	form := Form{ID: action, Value: ids, Title: "Values of the plan", Submit: "Make the plan",
		Parts: []Part{Paragraph{say("For %s: %s. Nothing is changed yet.", inc.Target, does)}}}
	if trouble != "" {
		form.Parts = append(form.Parts, Paragraph{say("").emoji(emojiWarn).say(" %s", ordinary(trouble))})
	}
	for _, v := range values {
		form.Inputs = append(form.Inputs, Input{ID: v.ID, Label: v.Label, Hint: v.Hint, Value: v.Value})
	}
	return &form
}

// edit makes a plan anew with other values; the new one replaces it.
func (h *Handler) edit(ctx context.Context, r Request, id string, number int, digest string) (Reply, error) {
	inc, err := h.read(ctx, r, id)
	if err != nil {
		return Reply{}, err
	}
	plan := inc.Plan(number)
	if plan == nil || plan.State != incident.Proposed || plan.Digest != digest {
		return Reply{}, &incident.Refusal{Says: fmt.Sprintf("Plan %d does not wait for an answer any more. Nothing was changed. Look at the newest plan.", number)}
	}
	if r.Answers == nil {
		return Reply{Form: h.valuesForm(inc, actEdit, r.Value, plan.Fix, plan.Inputs, "")}, nil
	}
	return Reply{}, h.Incidents.MakePlan(ctx, id, r.Actor, plan.Fix, r.Answers)
}
