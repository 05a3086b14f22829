package commands

import (
	"redis-session-bot/internal/incident"
)

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

// Verification is what held of the runbook's verification, as one View.
func (h *Handler) Verification(inc incident.Incident) View {
	title := h.Incidents.Runbooks[inc.Runbook].Title + " · " + inc.Target.String()
	head := say("").emoji(emojiFail).say(" ").strong("Not all of it holds.")
	if inc.State == incident.Fixed {
		head = say("").emoji(emojiOK).say(" ").strong("Verified.")
	}
	return View{Summary: title, Parts: []Part{Heading{title}, Paragraph{outcomes(head, inc)}}}
}

// Progress is what the newest plan has done so far, line by line; a line that
// has changed is another one.
func (h *Handler) Progress(inc incident.Incident) []Text {
	plan := newest(inc)
	if plan == nil {
		return nil
	}
	var lines []Text
	if plan.State == incident.Preparing && plan.Progress != "" {
		lines = append(lines, preparingLine(*plan))
	}
	for i, write := range plan.Writes {
		if write.Status != incident.Planned {
			lines = append(lines, writeLine(i+1, write, *plan))
		}
	}
	if inc.State == incident.Verifying {
		lines = append(lines, say("").emoji(emojiRunning).say(" ").strong("Verifying"))
	}
	return lines
}
