package commands

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"redis-session-bot/internal/incident"
	"redis-session-bot/internal/runbook"
)

// alertLines is one line for each name of an alert, the one that opens
// incidents first, and what came of its quiet.
func alertLines(book *runbook.Runbook, inc incident.Incident) Text {
	var text Text
	for _, name := range alertNames(book, inc) {
		if len(text) > 0 {
			text = text.say("\n")
		}
		text = append(text, alertLine(inc, name)...)
	}
	if quiet := quietLine(inc); len(quiet) > 0 {
		text = append(text.say("\n"), quiet...)
	}
	return text
}

// alertNames are those that an incident knows, in the order of the runbook.
func alertNames(book *runbook.Runbook, inc incident.Incident) []string {
	var names []string
	for _, name := range append([]string{book.Alert}, book.Related...) {
		if len(inc.AlertsNamed(name)) > 0 {
			names = append(names, name)
		}
	}
	return names
}

// alertLine says since when an alert fires or is resolved, and how many of the
// same name there are.
func alertLine(inc incident.Incident, name string) Text {
	all := inc.AlertsNamed(name)
	firing := slices.DeleteFunc(slices.Clone(all), func(a incident.Alert) bool { return !a.Firing() })
	if len(firing) == 0 {
		last := slices.MaxFunc(all, func(a, b incident.Alert) int { return a.EndsAt.Compare(b.EndsAt) })
		return say("").emoji(emojiOK).say(" ").strong(name).say(" resolved at ").clock(last.EndsAt)
	}
	text := say("").emoji(emojiFail).say(" ").strong(name).say(" fires since ").clock(firing[0].StartsAt)
	if len(all) > 1 {
		text = text.say(", %s of %s", thousands(int64(len(firing))), thousands(int64(len(all))))
	}
	if says := firing[0].Says; says != "" {
		text = text.say(": %s", cutTo(oneLine(says), 160))
	}
	return text
}

// quietLine says what the alert's end is worth.
func quietLine(inc incident.Incident) Text {
	switch {
	case inc.Quiet.At.IsZero():
		return nil
	case inc.Quiet.Says != "":
		return say("").emoji(emojiWarn).say(" %s", ordinary(cutTo(inc.Quiet.String(), 300)))
	case inc.Quiet.Looked:
		return say("").emoji(emojiOK).say(" %s", inc.Quiet)
	case inc.Open():
		return say("").emoji(emojiRunning).say(" The alert is quiet. That alone says little: looking whether the store is well.")
	}
	return nil
}

// shownAlerts is how many alerts of one name the thread shows.
const shownAlerts = 5

// alertsMessage is every alert with its labels, in the thread.
func (h *Handler) alertsMessage(inc incident.Incident) Message {
	view := View{Summary: "Alerts of " + inc.ID, Parts: []Part{Paragraph{say("").strong("Alerts")}}}
	for _, name := range alertNames(h.Incidents.Runbooks[inc.Runbook], inc) {
		all := inc.AlertsNamed(name)
		view.Parts = append(view.Parts, Paragraph{alertLine(inc, name)})
		var lines []string
		for i, alert := range all {
			if i == shownAlerts {
				lines = append(lines, fmt.Sprintf("… and %d more", len(all)-i))
				break
			}
			if len(alert.Labels) > 0 {
				lines = append(lines, labels(alert))
			}
		}
		if len(lines) > 0 {
			view.Parts = append(view.Parts, Code{Text: strings.Join(lines, "\n")})
		}
	}
	return Message{Key: "alerts", Thread: true, View: view}
}

// labels writes an alert's labels as Prometheus does.
func labels(alert incident.Alert) string {
	var words []string
	for _, name := range slices.Sorted(maps.Keys(alert.Labels)) {
		words = append(words, fmt.Sprintf("%s=%q", name, cutTo(alert.Labels[name], 80)))
	}
	return "{" + strings.Join(words, ", ") + "}"
}

// oneLine takes the line breaks out of a text.
func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }
