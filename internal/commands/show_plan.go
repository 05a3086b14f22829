package commands

import (
	"fmt"
	"strings"

	"redis-session-bot/internal/incident"
)

// shownDiff is how many lines of one diff a card shows, and shownDiffs how
// many of all of them; the rest is in a file.
const (
	shownDiff  = 40
	shownDiffs = 100
)

// planMessages are the card of a plan, and the call for help where it was
// handed over.
func (h *Handler) planMessages(inc incident.Incident, plan incident.Plan) []Message {
	messages := []Message{h.planMessage(inc, plan)}
	if plan.HandedBy.ID != "" {
		messages = append(messages, h.handOverMessage(inc, plan))
	}
	return messages
}

func (h *Handler) planMessage(inc incident.Incident, plan incident.Plan) Message {
	view := View{Summary: fmt.Sprintf("Plan %d: %s, %s", plan.Number, plan.Action, planWord(plan)), Parts: []Part{Paragraph{planHead(plan)}}}
	add := func(text Text) { view.Parts = append(view.Parts, Paragraph{text}) }
	message := Message{Key: fmt.Sprintf("plan/%d", plan.Number), Thread: true}
	open := plan.State == incident.Proposed
	if open {
		for _, loss := range losses(plan) {
			add(say("").emoji(emojiLoss).say(" ").strong("Data loss: " + stop(loss)))
		}
	}
	view.Parts = append(view.Parts, writeParts(plan)...)
	if open {
		if text := holds(plan.Holds); len(text) > 0 {
			add(text)
		}
		for _, warning := range plan.Warnings {
			add(say("").emoji(emojiWarn).say(" %s", ordinary(warning)))
		}
	}
	if plan.State == incident.Preparing {
		add(preparingLine(plan))
	}
	if plan.Trouble != "" {
		add(say("").emoji(troubleEmoji(plan)).say(" %s", ordinary(plan.Trouble)))
	}
	if text := stoppedAt(plan); len(text) > 0 {
		add(text)
	}
	if plan.Debt != "" && (open || plan.State == incident.Applied) {
		add(say("").strong("To be put right afterwards: ").say("%s", stop(plan.Debt)))
	}
	if open {
		view.Parts = append(view.Parts, Note{h.consent(plan)})
	}
	if buttons := planButtons(inc, plan); len(buttons) > 0 {
		view.Parts = append(view.Parts, Buttons{buttons})
	}
	if text, long := fullDiff(plan); long {
		message.Edition = plan.Digest
		message.Files = []File{{Name: fmt.Sprintf("%s-plan-%d.diff", inc.ID, plan.Number), Title: fmt.Sprintf("Plan %d, full diff", plan.Number), Text: text}}
	}
	message.View = view
	return message
}

// preparingLine is the newest word of a plan that is being prepared.
func preparingLine(plan incident.Plan) Text {
	return say("").emoji(emojiRunning).say(" %s", orElse(plan.Progress, "asking the API server"))
}

// fullDiff is every write with its diff; long reports whether the card shows
// less than that.
func fullDiff(plan incident.Plan) (text string, long bool) {
	var full strings.Builder
	all := 0
	for i, write := range plan.Writes {
		lines := strings.Count(write.Diff, "\n")
		all += lines
		long = long || lines > shownDiff
		fmt.Fprintf(&full, "# %d  %s\n# by hand: %s\n%s\n", i+1, write.Title, write.Kubectl, write.Diff)
	}
	return full.String(), long || all > shownDiffs
}

func planHead(plan incident.Plan) Text {
	text := say("").strong(fmt.Sprintf("Plan %d · %s", plan.Number, plan.Action)).say(" · ")
	switch plan.State {
	case incident.Preparing:
		return text.say("being prepared for ").who(plan.By)
	case incident.Proposed:
		return text.say("prepared ").clock(plan.MadeAt).say(", valid until ").clock(plan.Until)
	case incident.Underway:
		return append(text.say("being applied, "), approval(plan)...)
	case incident.Applied:
		return append(text.say("applied ").clock(plan.EndedAt).say(", "), approval(plan)...)
	}
	return text.say("%s", planWord(plan))
}

// approval says who approved a plan, and why alone where the glass was broken.
func approval(plan incident.Plan) Text {
	text := say("approved by ").who(plan.Approved)
	if plan.Alone != "" {
		text = text.say(" alone: %s", cutTo(plan.Alone, 200))
	}
	return text
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
	case incident.Failed:
		if stopped(plan) {
			return "stopped in the middle"
		}
		return "not applied"
	}
	return string(plan.State)
}

// writeParts are the numbered lines with their diffs, while there is room.
func writeParts(plan incident.Plan) []Part {
	var parts []Part
	left := shownDiffs
	for i, write := range plan.Writes {
		parts = append(parts, Paragraph{writeLine(i+1, write, plan)})
		if plan.State != incident.Proposed && plan.State != incident.Drifted || write.Diff == "" {
			continue
		}
		lines := strings.Split(strings.TrimRight(write.Diff, "\n"), "\n")
		shown := min(len(lines), shownDiff, left)
		left -= shown
		if rest := len(lines) - shown; rest > 0 {
			lines = append(lines[:shown:shown], fmt.Sprintf("… %s in the file", plural(rest, "more line", "more lines")))
		}
		parts = append(parts, Code{Text: strings.Join(lines, "\n"), Diff: true})
	}
	return parts
}

// writeLine is one numbered line, with a tick once it is done.
func writeLine(n int, write incident.Write, plan incident.Plan) Text {
	text := say("%d  ", n)
	if mark := writeEmoji(write, plan); mark != "" {
		text = text.emoji(mark).say(" ")
	}
	text = text.say("%s", write.Title)
	if write.DryRun != incident.DryRunAccepted && write.DryRun != incident.DryRunNotAsked && plan.State == incident.Proposed {
		text = text.say("\n").emoji(emojiFail).say(" the API server refuses it: %s", cutTo(write.DryRun, 300))
	}
	for _, came := range write.Says {
		text = text.say("\n%s", cutTo(came, 300))
	}
	if write.Progress != "" && plan.State == incident.Underway {
		text = text.say("\n%s", cutTo(strings.TrimSpace(write.Progress), 300))
	}
	if write.NoUndo != "" && plan.State == incident.Proposed {
		text = text.say("\nCannot be undone: %s", write.NoUndo)
	}
	return text
}

// writeEmoji ticks a write as it is done; "" before anything is begun.
func writeEmoji(write incident.Write, plan incident.Plan) string {
	switch write.Status {
	case incident.Done:
		if write.Progress != "" && plan.State == incident.Underway {
			return emojiRunning // sent; what it sets going is waited for
		}
		return emojiOK
	case incident.Sending:
		return emojiRunning
	case incident.Refused, incident.Broken:
		return emojiFail
	case incident.Lost:
		return emojiUnknown
	}
	switch plan.State {
	case incident.Underway, incident.Failed, incident.Uncertain:
		return emojiPending
	}
	return ""
}

// stopped reports whether a plan ended between its first write and its last.
func stopped(plan incident.Plan) bool {
	for _, write := range plan.Writes {
		switch write.Status {
		case incident.Done, incident.Broken, incident.Lost:
			return plan.State == incident.Failed || plan.State == incident.Uncertain
		}
	}
	return false
}

// stoppedAt says of a plan that stopped in the middle exactly what is done and
// what is not.
func stoppedAt(plan incident.Plan) Text {
	if !stopped(plan) {
		return nil
	}
	var done, broken, unknown, left []string
	for i, write := range plan.Writes {
		n := fmt.Sprint(i + 1)
		switch write.Status {
		case incident.Done:
			done = append(done, n)
		case incident.Broken:
			broken = append(broken, n)
		case incident.Lost, incident.Sending:
			unknown = append(unknown, n)
		default:
			left = append(left, n)
		}
	}
	var words []string
	for _, part := range []struct {
		word    string
		numbers []string
	}{{"Done", done}, {"Written, and it did not work", broken}, {"Nobody knows", unknown}, {"Not done", left}} {
		if len(part.numbers) > 0 {
			words = append(words, part.word+": "+listed(part.numbers)+".")
		}
	}
	return say("%s", strings.Join(words, " "))
}

// listed is 1, 2 and 3.
func listed(words []string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:len(words)-1], ", ") + " and " + words[len(words)-1]
}

// holds says what the store serves now and will serve afterwards.
func holds(h incident.Holds) Text {
	if len(h.Says) == 0 && h.Now < 0 && h.After < 0 {
		return nil
	}
	text := say("").strong("What it will hold").say(": %s", keys(h))
	for _, line := range h.Says {
		text = text.say("\n • %s", line)
	}
	return text
}

// keys is the number before, and after.
func keys(h incident.Holds) string {
	if h.Now < 0 && h.After < 0 {
		return "not known how many keys."
	}
	now, after := "not known how many keys now", "not known how many afterwards"
	if h.Now >= 0 {
		now = thousands(h.Now) + " keys now"
	}
	if h.After >= 0 {
		after = thousands(h.After) + " afterwards"
	}
	return now + ", " + after + "."
}

func orElse(text, otherwise string) string {
	if text == "" {
		return otherwise
	}
	return text
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
	text := h.mayApply(say("%s %s ", dry, undoWord(plan)))
	if plan.Second {
		text = text.say(" A second person must: not ").who(plan.By).say(", who asked for it.")
		if h.Incidents.BreakGlass.Open(h.Incidents.Now()) {
			text = text.say(" Now one may break the glass: press Apply and say why.")
		}
		return text
	}
	return text.say(" Made by ").who(plan.By)
}

// mayApply names who may apply a plan.
func (h *Handler) mayApply(text Text) Text {
	for i, who := range h.Approvers {
		if i > 0 {
			text = text.say(" or ")
		}
		if isPerson(who) {
			text = append(text, Span{Kind: Person, Text: who})
			continue
		}
		text = text.say("%s", who)
	}
	if len(h.Approvers) == 0 {
		text = text.say("Nobody is configured who")
	}
	return text.say(" may apply it.")
}

// isPerson reports whether a name in the configuration is a user's ID.
func isPerson(who string) bool {
	return (strings.HasPrefix(who, "U") || strings.HasPrefix(who, "W")) && !strings.ContainsFunc(who, func(r rune) bool {
		return (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '_'
	})
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

// handOverMessage asks the approvers to take a plan that stopped in the middle.
func (h *Handler) handOverMessage(inc incident.Incident, plan incident.Plan) Message {
	text := say("")
	for _, who := range h.Approvers {
		kind := Group
		if isPerson(who) {
			kind = Person
		}
		text = append(text, Span{Kind: kind, Text: who}).say(" ")
	}
	text = text.who(plan.HandedBy).say(" hands over plan %d of %s: %s, for %s. It has %s.", plan.Number, inc.ID, plan.Action, inc.Target, planHanded(plan))
	if at := stoppedAt(plan); len(at) > 0 {
		text = text.say("\n%s", at)
	}
	if plan.Trouble != "" {
		text = text.say("\n%s", ordinary(plan.Trouble))
	}
	view := View{Summary: fmt.Sprintf("Plan %d of %s is handed over", plan.Number, inc.ID), Parts: []Part{Paragraph{text}}}
	if inc.Open() {
		view.Parts = append(view.Parts, Note{say("Take over, then go on or undo on the plan's card above.")},
			Buttons{[]Button{{ID: actTakeOver, Value: value(inc.ID), Label: "Take over", Style: Primary}}})
	}
	return Message{Key: fmt.Sprintf("handover/%d", plan.Number), Thread: true, View: view}
}

func planHanded(plan incident.Plan) string {
	if plan.State == incident.Uncertain {
		return "been interrupted"
	}
	if stopped(plan) {
		return "stopped in the middle"
	}
	return "been " + string(plan.State)
}
