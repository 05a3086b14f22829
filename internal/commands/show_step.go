package commands

import (
	"fmt"
	"strings"

	"redis-session-bot/internal/checks"
	"redis-session-bot/internal/incident"
)

// shownFindings is how many findings a step shows; the rest is in its file.
const shownFindings = 6

// longOutput is the size in bytes above which raw output becomes a file.
const longOutput = 800

func stepMessage(inc incident.Incident, step incident.Step) Message {
	head := say("").emoji(statusEmoji(step.Status)).say(" ").strong(step.Title).say("  %s", cutTo(step.Summary, 200))
	view := View{Summary: fmt.Sprintf("%s: %s", step.Title, step.Summary), Parts: []Part{Paragraph{head}}}
	if step.LookFor != "" {
		view.Parts = append(view.Parts, Note{say("Looked for: %s", step.LookFor)})
	}
	for i, finding := range step.Findings {
		if i == shownFindings {
			view.Parts = append(view.Parts, Note{say("… and %d more in the file.", len(step.Findings)-i)})
			break
		}
		view.Parts = append(view.Parts, findingParts(finding)...)
	}
	buttons := []Button{
		{ID: actStep, Value: value(inc.ID, step.ID), Label: "Run again"},
		{ID: actKubectl, Value: value(inc.ID, step.ID), Label: "kubectl"},
	}
	if inc.State == incident.Closed {
		buttons = buttons[1:]
	}
	view.Parts = append(view.Parts, Note{say("%s · run by ", took(step)).who(step.By)}, Buttons{buttons})
	message := Message{Key: "step/" + step.ID, Thread: true, View: view, Edition: fmt.Sprint(step.Runs)}
	if len(step.Raw) >= longOutput {
		message.Files = []File{{Name: fmt.Sprintf("%s-%s-%d.txt", inc.ID, step.ID, step.Runs), Title: step.Title, Text: step.Raw}}
	}
	return message
}

func took(step incident.Step) string { return fmt.Sprintf("%.1f s", step.Took.Seconds()) }

func findingParts(finding checks.Finding) []Part {
	text := say("").emoji(statusEmoji(finding.Severity)).say(" ").mono(finding.Object).say("  %s", ordinary(finding.Summary))
	parts := []Part{Paragraph{text}}
	if len(finding.Proof) > 0 {
		parts = append(parts, Code{Text: strings.Join(finding.Proof, "\n")})
	}
	return parts
}
