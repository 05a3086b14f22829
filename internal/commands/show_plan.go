package commands

import (
	"fmt"
	"strings"

	"redis-session-bot/internal/incident"
)

// shownDiff is how many lines of one diff a card shows; the rest is in a file.
const shownDiff = 40

func (h *Handler) planMessage(inc incident.Incident, plan incident.Plan) Message {
	view := View{Summary: fmt.Sprintf("Plan %d: %s, %s", plan.Number, plan.Action, planWord(plan)), Parts: []Part{Paragraph{planHead(plan)}}}
	message := Message{Key: fmt.Sprintf("plan/%d", plan.Number), Thread: true}
	var full strings.Builder
	long := false
	for i, write := range plan.Writes {
		view.Parts = append(view.Parts, Paragraph{writeLine(i+1, write, plan)})
		if plan.State == incident.Proposed || plan.State == incident.Drifted {
			view.Parts = append(view.Parts, diffParts(write)...)
		}
		long = long || strings.Count(write.Diff, "\n") > shownDiff
		fmt.Fprintf(&full, "# %d  %s\n# by hand: %s\n%s\n", i+1, write.Title, write.Kubectl, write.Diff)
	}
	for _, caution := range plan.Cautions {
		view.Parts = append(view.Parts, Paragraph{say("").emoji("rotating_light").say(" ").strong("Data loss: ").say("%s", caution)})
	}
	for _, warning := range plan.Warnings {
		view.Parts = append(view.Parts, Paragraph{say("").emoji(emojiWarn).say(" %s", ordinary(warning))})
	}
	if plan.Trouble != "" {
		view.Parts = append(view.Parts, Paragraph{say("").emoji(troubleEmoji(plan)).say(" %s", ordinary(plan.Trouble))})
	}
	if plan.State == incident.Proposed {
		if text := holds(plan.Holds); len(text) > 0 {
			view.Parts = append(view.Parts, Paragraph{text})
		}
		view.Parts = append(view.Parts, Note{h.consent(plan)})
	}
	if plan.State == incident.Preparing {
		view.Parts = append(view.Parts, Paragraph{say("").emoji(emojiRunning).say(" %s", orElse(plan.Progress, "asking the API server"))})
	}
	if buttons := planButtons(inc, plan); len(buttons) > 0 {
		view.Parts = append(view.Parts, Buttons{buttons})
	}
	if long {
		message.Edition = plan.Digest
		message.Files = []File{{Name: fmt.Sprintf("%s-plan-%d.diff", inc.ID, plan.Number), Title: fmt.Sprintf("Plan %d, full diff", plan.Number), Text: full.String()}}
	}
	message.View = view
	return message
}

func planHead(plan incident.Plan) Text {
	text := say("").strong(fmt.Sprintf("Plan %d · %s", plan.Number, plan.Action)).say(" · ")
	switch plan.State {
	case incident.Preparing:
		return text.say("being prepared for ").who(plan.By)
	case incident.Proposed:
		return text.say("prepared ").clock(plan.MadeAt).say(", valid until ").clock(plan.Until)
	case incident.Underway:
		return text.say("being applied, approved by ").who(plan.Approved)
	case incident.Applied:
		return text.say("applied ").clock(plan.EndedAt).say(", approved by ").who(plan.Approved)
	}
	return text.say("%s", planWord(plan))
}

func planWord(plan incident.Plan) string {
	switch plan.State {
	case incident.Preparing:
		return "is being prepared"
	case incident.Proposed:
		return "waits for an answer"
	case incident.Underway:
		return "is being applied"
	case incident.Drifted:
		return "not applied: the cluster has changed"
	case incident.Uncertain:
		return "interrupted"
	}
	return string(plan.State)
}

// writeLine is one numbered line, with a tick once it is done.
func writeLine(n int, write incident.Write, plan incident.Plan) Text {
	text := say("%d  ", n)
	switch write.Status {
	case incident.Done:
		text = text.emoji(emojiOK).say(" ")
	case incident.Sending:
		text = text.emoji(emojiRunning).say(" ")
	case incident.Refused, incident.Broken:
		text = text.emoji(emojiFail).say(" ")
	case incident.Lost:
		text = text.emoji(emojiUnknown).say(" ")
	}
	text = text.say("%s", write.Title)
	if write.DryRun != incident.DryRunAccepted && write.DryRun != incident.DryRunNotAsked && plan.State == incident.Proposed {
		text = text.say("\n").emoji(emojiFail).say(" the API server refuses it: %s", cutTo(write.DryRun, 300))
	}
	for _, came := range write.Says {
		text = text.say("\n%s", came)
	}
	if write.Progress != "" {
		text = text.say("\n%s", write.Progress)
	}
	if write.NoUndo != "" && plan.State == incident.Proposed {
		text = text.say("\nCannot be undone: %s", write.NoUndo)
	}
	return text
}

// holds says what the store serves now and will serve afterwards.
func holds(h incident.Holds) Text {
	if len(h.Says) == 0 {
		return nil
	}
	text := say("").strong("What it will hold: ")
	if h.Empties() {
		text = say("").emoji("rotating_light").say(" ").strong("It comes back empty. ")
	}
	for i, line := range h.Says {
		if i > 0 {
			text = text.say("\n")
		}
		text = text.say("%s", line)
	}
	return text
}

func orElse(text, otherwise string) string {
	if text == "" {
		return otherwise
	}
	return text
}

func diffParts(write incident.Write) []Part {
	if write.Diff == "" {
		return nil
	}
	lines := strings.Split(strings.TrimRight(write.Diff, "\n"), "\n")
	if len(lines) > shownDiff {
		lines = append(lines[:shownDiff], fmt.Sprintf("… %d more lines in the file", len(lines)-shownDiff))
	}
	return []Part{Code{Text: strings.Join(lines, "\n"), Diff: true}}
}

// consent says what the API server answered and who may apply the plan.
func (h *Handler) consent(plan incident.Plan) Text {
	if incident.NotAsked(plan) {
		return say("Shown on a recorded bundle: no API server was asked, and nothing can be applied. Made by ").who(plan.By)
	}
	dry := "The API server refuses a part of it in a dry run."
	if incident.Accepted(plan) {
		dry = "Server-side dry run: accepted."
	}
	text := say("%s %s ", dry, undoWord(plan))
	for i, who := range h.Approvers {
		if i > 0 {
			text = text.say(" or ")
		}
		if strings.HasPrefix(who, "U") || strings.HasPrefix(who, "W") {
			text = append(text, Span{Kind: Person, Text: who})
			continue
		}
		text = text.say("%s", who)
	}
	if len(h.Approvers) == 0 {
		text = text.say("Nobody is configured who")
	}
	return text.say(" may apply it. Made by ").who(plan.By)
}

func troubleEmoji(plan incident.Plan) string {
	switch plan.State {
	case incident.Uncertain:
		return emojiUnknown
	case incident.Failed:
		return emojiFail
	}
	return emojiWarn
}

func planButtons(inc incident.Incident, plan incident.Plan) []Button {
	again := Button{ID: actPlan, Value: value(inc.ID, plan.Fix), Label: "Plan again", Style: Primary}
	switch plan.State {
	case incident.Proposed:
		buttons := []Button{{ID: actCancel, Value: value(inc.ID, plan.Number), Label: "Cancel"}}
		if incident.NotAsked(plan) {
			return buttons
		}
		if incident.Accepted(plan) {
			return append([]Button{applyButton(inc, plan)}, buttons...)
		}
		return append(buttons, again)
	case incident.Preparing:
		return []Button{{ID: actCancel, Value: value(inc.ID, plan.Number), Label: "Cancel"}}
	case incident.Uncertain:
		return []Button{{ID: actDecide, Value: value(inc.ID, plan.Number), Label: "See what arrived", Style: Primary}}
	case incident.Drifted, incident.Failed:
		if plan.Number != len(inc.Plans) || inc.State == incident.Closed {
			return nil
		}
		if incident.CanGoOn(plan) {
			goOn := Button{ID: actGoOn, Value: value(inc.ID, plan.Number, plan.Digest), Label: "Go on", Style: Primary,
				Confirm: &Confirm{Title: fmt.Sprintf("Go on with plan %d?", plan.Number), Text: "What is ticked is not done again. The rest is held against the cluster once more before it is sent.", Yes: "Go on", No: "Not now"}}
			again.Style = Quiet
			return []Button{goOn, undoButton(inc, plan), again}
		}
		if len(incident.UndoOf(plan)) > 0 {
			again.Style = Quiet
			return []Button{undoButton(inc, plan), again}
		}
		return []Button{again}
	}
	return nil
}
