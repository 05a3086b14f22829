package commands

import (
	"fmt"
	"strconv"
	"strings"

	"redis-session-bot/internal/incident"
)

// The actions of buttons.
const (
	actNext     = "next"
	actAll      = "all"
	actStep     = "step"
	actSkip     = "skip"
	actStop     = "stop"
	actTakeOver = "take-over"
	actPlan     = "plan"
	actCauses   = "causes"
	actKubectl  = "kubectl"
	actApply    = "apply"
	actCancel   = "cancel"
	actUndo     = "undo"
	actClose    = "close"
	actGoOn     = "go-on"
	actDecide   = "decide"
	actEdit     = "edit"
	actHandOver = "hand-over"
	actReport   = "report"
	actDraft    = "draft"

	actEscalate    = "escalate"
	actHold        = "hold"
	actEndHold     = "end-hold"
	actAcknowledge = "acknowledge"
	actRespond     = "respond"
)

// value packs the IDs that a button carries.
func value(parts ...any) string {
	words := make([]string, len(parts))
	for i, part := range parts {
		words[i] = fmt.Sprint(part)
	}
	return strings.Join(words, " ")
}

// unpack splits a value; a part that is not there is "".
func unpack(value string) (first, second, third string) {
	words := append(strings.Fields(value), "", "", "")
	return words[0], words[1], words[2]
}

// number reads a plan's number; 0, which no plan has, for anything else.
func number(word string) int {
	n, err := strconv.Atoi(word)
	if err != nil {
		return 0
	}
	return n
}

func applyButton(inc incident.Incident, plan incident.Plan) Button {
	button := Button{ID: actApply, Value: value(inc.ID, plan.Number, plan.Digest), Label: "Apply …", Style: Primary}
	if plan.Loses() {
		button.Style = Danger // it opens a Form
		return button
	}
	text := fmt.Sprintf("Plan %d for %s: %s. %s", plan.Number, inc.Target, plan.Action, undoWord(plan))
	button.Confirm = &Confirm{Title: fmt.Sprintf("Apply plan %d?", plan.Number), Text: text, Yes: "Apply", No: "Not now"}
	return button
}

func undoButton(inc incident.Incident, plan incident.Plan) Button {
	return Button{ID: actUndo, Value: value(inc.ID, plan.Number), Label: "Undo",
		Confirm: &Confirm{Title: fmt.Sprintf("Undo plan %d?", plan.Number),
			Text: fmt.Sprintf("This puts the objects of %s back as they were before plan %d, and rolls the pods back to that.", inc.Target, plan.Number),
			Yes:  "Undo", No: "Leave it"}}
}

func planButton(inc incident.Incident, offer incident.Offer, style ButtonStyle) Button {
	if offer.Loses {
		style = Danger
	}
	return Button{ID: actPlan, Value: value(inc.ID, offer.Ref), Label: cutTo("Plan: "+offer.Action, 60), Style: style}
}

// undoWord says what can be put back.
func undoWord(plan incident.Plan) string {
	undoable := 0
	for _, write := range plan.Writes {
		if len(write.Undo) > 0 {
			undoable++
		}
	}
	switch undoable {
	case len(plan.Writes):
		return "It can be undone."
	case 0:
		return "It cannot be undone."
	}
	return "A part of it can be undone."
}

func cutTo(text string, n int) string {
	if runes := []rune(text); len(runes) > n {
		return string(runes[:n-1]) + "…"
	}
	return text
}
