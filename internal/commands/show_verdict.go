package commands

import (
	"fmt"
	"slices"
	"strings"

	"redis-session-bot/internal/incident"
	"redis-session-bot/internal/report"
	"redis-session-bot/internal/runbook"
)

// verdictParts names the likely cause with its reasons, and the next ones.
func verdictParts(book *runbook.Runbook, inc incident.Incident) []Part {
	if !inc.Judged {
		return nil
	}
	parts := []Part{Rule{}}
	if len(inc.Verdict.Causes) == 0 && !walked(inc) {
		return append(parts, Paragraph{say("").strong("No cause yet").say("\nWhat was read so far names none. Run the other steps.")})
	}
	if len(inc.Verdict.Causes) == 0 {
		text := say("").strong("No cause found").say("\nThe evidence names none of the runbook's %d scenarios.", len(book.Scenarios))
		return append(parts, Paragraph{missing(text, inc.Verdict)})
	}
	cause := inc.Verdict.Causes[0]
	head := fmt.Sprintf("%s — %s", cause.Title, cause.Confidence)
	switch {
	case !open(inc) && !inc.FixedAt.IsZero():
		head = "It was: " + head
	case !walked(inc):
		head = "So far: " + head
	}
	text := say("").strong(head)
	for _, because := range cause.Because {
		text = text.say("\n • %s", cutTo(because, 300))
	}
	for _, against := range cause.Against {
		text = text.say("\n • against it: %s", cutTo(against, 300))
	}
	if others := otherCauses(inc.Verdict, 2); others != "" && inc.State != incident.Fixed {
		text = text.say("\nLess likely: %s", others)
	}
	if cause.Confidence != runbook.Certain {
		text = missing(text, inc.Verdict)
	}
	if inc.Alike != nil && open(inc) {
		text = text.say("\n%s", report.Alike(*inc.Alike))
	}
	parts = append(parts, Paragraph{text})
	scenario, ok := book.Scenario(cause.Scenario)
	if ok && len(cause.ByHand) > 0 && len(inc.OffersFor(cause.Scenario)) == 0 && open(inc) {
		parts = append(parts, Paragraph{byHand(scenario, cause)})
	}
	return parts
}

// open reports whether something is still to be done.
func open(inc incident.Incident) bool {
	return inc.State != incident.Fixed && inc.State != incident.Closed
}

// walked reports whether every step has ended or was left out.
func walked(inc incident.Incident) bool {
	return !slices.ContainsFunc(inc.Steps, func(s incident.Step) bool {
		return s.Status == incident.Pending || s.Status == incident.Running
	})
}

func otherCauses(verdict runbook.Verdict, most int) string {
	var names []string
	for i, cause := range verdict.Causes {
		if i > 0 && len(names) < most {
			names = append(names, fmt.Sprintf("%s (%s)", strings.ToLower(cause.Title), cause.Confidence))
		}
	}
	return strings.Join(names, ", ")
}

// missing says what is not known and might change the verdict.
func missing(text Text, verdict runbook.Verdict) Text {
	for i, unknown := range verdict.Unknown {
		if i == 3 {
			return text.say("\nand %d more", len(verdict.Unknown)-i)
		}
		text = text.say("\nNot known: %s", cutTo(unknown, 200))
	}
	return text
}

// byHand lists what a person does. What stands in backquotes is typed, and is
// shown as code.
func byHand(scenario runbook.Scenario, cause runbook.Cause) Text {
	head := "No change is safe enough for a button. By hand:"
	if scenario.WhenOK {
		head = "Nothing of the store is to be changed. By hand:"
	}
	text := say("").strong(head)
	for i, line := range cause.ByHand {
		text = text.say("\n%d. ", i+1)
		for n, part := range strings.Split(line, "`") {
			switch {
			case part == "":
			case n%2 == 1:
				text = text.mono(part)
			default:
				text = text.say("%s", part)
			}
		}
	}
	return text
}
