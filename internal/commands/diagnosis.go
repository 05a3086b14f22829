package commands

import "redis-session-bot/internal/incident"

// Diagnosis is a walk that was not stored, as one View: the verdict, then
// every step with its findings.
func (h *Handler) Diagnosis(inc incident.Incident) View {
	book := h.Incidents.Runbooks[inc.Runbook]
	title := book.Title + " · " + inc.Target.String()
	view := View{Summary: title + " · " + stateWord(inc), Parts: []Part{Heading{title}, Paragraph{stepLines(inc)}}}
	view.Parts = append(view.Parts, verdictParts(book, inc)...)
	for _, step := range inc.Steps {
		view.Parts = append(view.Parts, Rule{}, Heading{step.Title})
		for _, finding := range step.Findings {
			view.Parts = append(view.Parts, findingParts(finding)...)
		}
		for _, command := range step.Kubectl {
			view.Parts = append(view.Parts, Note{say("by hand: %s", command)})
		}
	}
	return view
}
