package commands

import (
	"fmt"

	"redis-session-bot/internal/incident"
)

// planButtons end a plan's card where the next step is.
func planButtons(inc incident.Incident, plan incident.Plan) []Button {
	cancel := Button{ID: actCancel, Value: value(inc.ID, plan.Number), Label: "Cancel"}
	again := Button{ID: actPlan, Value: value(inc.ID, plan.Fix), Label: "Plan again", Style: Primary}
	if plan.Undoes > 0 {
		again = undoButton(inc, incident.Plan{Number: plan.Undoes})
	}
	switch plan.State {
	case incident.Proposed:
		var buttons []Button
		switch {
		case incident.NotAsked(plan):
		case incident.Accepted(plan):
			buttons = append(buttons, applyButton(inc, plan))
		default:
			buttons = append(buttons, again)
		}
		if len(plan.Inputs) > 0 {
			buttons = append(buttons, Button{ID: actEdit, Value: value(inc.ID, plan.Number, plan.Digest), Label: "Edit values …"})
		}
		return append(buttons, cancel)
	case incident.Preparing:
		return []Button{cancel}
	case incident.Uncertain:
		decide := Button{ID: actDecide, Value: value(inc.ID, plan.Number), Label: "See what arrived", Style: Primary}
		return append([]Button{decide}, handOver(inc, plan)...)
	case incident.Drifted, incident.Failed:
		if plan.Number == len(inc.Plans) && inc.State != incident.Closed {
			return stoppedButtons(inc, plan, again)
		}
	}
	return nil
}

// stoppedButtons offer the ways on of a plan that was not applied to its end.
func stoppedButtons(inc incident.Incident, plan incident.Plan, again Button) []Button {
	var buttons []Button
	if incident.CanGoOn(plan) {
		buttons = append(buttons, Button{ID: actGoOn, Value: value(inc.ID, plan.Number, plan.Digest), Label: "Go on", Style: Primary,
			Confirm: &Confirm{Title: fmt.Sprintf("Go on with plan %d?", plan.Number), Text: "What is ticked is not done again. The rest is held against the cluster once more before it is sent.", Yes: "Go on", No: "Not now"}})
	}
	if len(incident.UndoOf(plan)) > 0 {
		undo := undoButton(inc, plan)
		undo.Label = "Undo what was done"
		buttons = append(buttons, undo)
	}
	if len(buttons) > 0 {
		again.Style = Quiet
	}
	return append(append(buttons, again), handOver(inc, plan)...)
}

// handOver is the button that asks the approvers; none where nothing is half
// done, or they are asked already.
func handOver(inc incident.Incident, plan incident.Plan) []Button {
	if !stopped(plan) || plan.HandedBy.ID != "" {
		return nil
	}
	return []Button{{ID: actHandOver, Value: value(inc.ID, plan.Number), Label: "Hand over"}}
}
