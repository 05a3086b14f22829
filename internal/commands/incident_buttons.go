package commands

import (
	"slices"

	"redis-session-bot/internal/incident"
	"redis-session-bot/internal/runbook"
)

// incidentButtons end the message where the next step is.
func (h *Handler) incidentButtons(book *runbook.Runbook, inc incident.Incident) []Button {
	var buttons []Button
	add := func(id, label string, style ButtonStyle, parts ...any) {
		buttons = append(buttons, Button{ID: id, Value: value(append([]any{inc.ID}, parts...)...), Label: label, Style: style})
	}
	switch inc.State {
	case incident.Closed:
		add(actReport, "Report", Quiet)
		return buttons
	case incident.Applying, incident.Verifying:
		return h.clockButtons(inc)
	}
	if inc.State == incident.Fixed {
		if plan := undoable(inc); plan != nil {
			buttons = append(buttons, undoButton(inc, *plan))
		}
		add(actReport, "Report", Quiet)
		add(actClose, "Close", Primary)
		return buttons
	}
	pending := slices.IndexFunc(inc.Steps, func(s incident.Step) bool { return s.Status == incident.Pending })
	planOffered := false
	if len(inc.Verdict.Causes) > 0 && (walked(inc) || inc.Verdict.Causes[0].Confidence == runbook.Certain) {
		style := Primary
		for _, offer := range inc.OffersFor(inc.Verdict.Causes[0].Scenario) {
			if !waiting(inc) {
				buttons = append(buttons, planButton(inc, offer, style))
				planOffered, style = true, Quiet
			}
		}
	}
	if pending >= 0 {
		style := Primary
		if planOffered {
			style = Quiet
		}
		add(actNext, "Run "+inc.Steps[pending].Title, style)
		add(actAll, "Run all", Quiet)
		add(actSkip, "Skip "+inc.Steps[pending].Title, Quiet, inc.Steps[pending].ID)
	} else if walked(inc) {
		add(actAll, "Run all again", Quiet)
	}
	if inc.State == incident.NotFixed {
		if plan := undoable(inc); plan != nil {
			buttons = append(buttons, undoButton(inc, *plan))
		}
	}
	if len(inc.Verdict.Causes) > 1 {
		add(actCauses, "Other causes", Quiet)
	}
	buttons = append(append(buttons, h.callButtons(inc)...), h.clockButtons(inc)...)
	add(actTakeOver, "Take over", Quiet)
	if inc.State == incident.Walking && !walked(inc) {
		add(actStop, "Stop", Quiet)
	} else {
		add(actClose, "Close", Quiet)
	}
	return buttons
}

// waiting reports whether a plan waits for an answer already.
func waiting(inc incident.Incident) bool {
	plan := newest(inc)
	return plan != nil && plan.State == incident.Proposed
}

// undoable is the newest plan that can be put back, nil for none.
func undoable(inc incident.Incident) *incident.Plan {
	for i := len(inc.Plans) - 1; i >= 0; i-- {
		plan := &inc.Plans[i]
		if plan.Undoes > 0 || plan.State != incident.Applied && plan.State != incident.Failed {
			continue
		}
		if slices.ContainsFunc(plan.Writes, func(w incident.Write) bool { return w.Status == incident.Done && len(w.Undo) > 0 }) {
			return plan
		}
	}
	return nil
}
