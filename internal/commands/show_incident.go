package commands

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"redis-session-bot/internal/checks"
	"redis-session-bot/internal/incident"
	"redis-session-bot/internal/runbook"
)

// Messages are the incident as it should be seen: its own message first, then
// its thread in order. The same incident always gives the same messages.
func (h *Handler) Messages(inc incident.Incident) []Message {
	messages := []Message{{Key: "incident", View: h.incidentView(inc)}}
	for _, step := range inc.Steps {
		if step.Runs > 0 && step.Status != incident.Running {
			messages = append(messages, stepMessage(inc, step))
		}
	}
	for _, plan := range inc.Plans {
		messages = append(messages, h.planMessages(inc, plan)...)
	}
	return messages
}

func (h *Handler) incidentView(inc incident.Incident) View {
	book := h.Incidents.Runbooks[inc.Runbook]
	title := fmt.Sprintf("%s · %s · %s", book.Title, inc.Target, inc.ID)
	view := View{Summary: title + " · " + stateWord(inc), Parts: []Part{
		Heading{title},
		Paragraph{impactLine(book, inc)},
	}}
	result := resultParts(inc)
	if inc.State == incident.Fixed {
		// What was found is over; each step keeps it in the thread.
		view.Parts = append(view.Parts, result...)
		view.Parts = append(view.Parts, verdictParts(book, inc)...)
	} else {
		view.Parts = append(view.Parts, Paragraph{stepLines(inc)})
		view.Parts = append(view.Parts, verdictParts(book, inc)...)
		view.Parts = append(view.Parts, result...)
	}
	if text := h.planLine(inc); len(text) > 0 {
		view.Parts = append(view.Parts, Paragraph{text})
	}
	view.Parts = append(view.Parts, Note{walkedBy(inc)})
	if buttons := h.incidentButtons(book, inc); len(buttons) > 0 {
		view.Parts = append(view.Parts, Buttons{buttons})
	}
	return view
}

// planLine says that a plan waits in the thread and for whom, or who approved
// the newest one.
func (h *Handler) planLine(inc incident.Incident) Text {
	plan := newest(inc)
	if plan == nil || inc.State == incident.Closed {
		return nil
	}
	text := say("").strong(fmt.Sprintf("Plan %d", plan.Number))
	switch plan.State {
	case incident.Preparing:
		return text.say(" is being prepared in the thread: %s.", plan.Action)
	case incident.Proposed:
		text = text.say(" waits in the thread: %s. ", plan.Action)
		if incident.NotAsked(*plan) {
			return text.say("It is only shown.")
		}
		if !incident.Accepted(*plan) {
			return text.say("The API server refuses a part of it.")
		}
		return h.mayApply(text)
	case incident.Applied:
		return text.say(": %s. Approved by ", plan.Action).who(plan.Approved)
	case incident.Failed, incident.Drifted, incident.Uncertain:
		if inc.State == incident.NotFixed {
			return nil // said above
		}
		return text.say(": %s. The thread says how it ended, and the way on.", planWord(*plan))
	}
	return nil // what is being applied is shown with its progress
}

// impactLine is what the users notice; nothing any more once it is fixed.
func impactLine(book *runbook.Runbook, inc incident.Incident) Text {
	text := say("since ").clock(inc.Since)
	if inc.State == incident.Fixed {
		return text.say(", fixed now")
	}
	return text.say("\n%s", book.Impact)
}

func stateWord(inc incident.Incident) string {
	switch inc.State {
	case incident.Fixed:
		return "fixed"
	case incident.NotFixed:
		return "not fixed"
	case incident.Applying:
		return "a plan is being applied"
	case incident.Verifying:
		return "being verified"
	case incident.Closed:
		return "closed"
	case incident.Stopped:
		return "stopped"
	}
	if len(inc.Verdict.Causes) > 0 {
		return fmt.Sprintf("%s, %s", strings.ToLower(inc.Verdict.Causes[0].Title), inc.Verdict.Causes[0].Confidence)
	}
	return "being diagnosed"
}

// stepLines is one line a step: state, title, what was found.
func stepLines(inc incident.Incident) Text {
	var text Text
	for i, step := range inc.Steps {
		if i > 0 {
			text = text.say("\n")
		}
		text = text.emoji(statusEmoji(step.Status)).say(" ").strong(step.Title).say("  %s", stepWord(step))
	}
	return text
}

func stepWord(step incident.Step) string {
	switch step.Status {
	case incident.Pending:
		return "not run yet"
	case incident.Running:
		return "reading …"
	case checks.Unknown:
		return "unknown: " + cutTo(step.Summary, 140)
	}
	return cutTo(step.Summary, 160)
}

func statusEmoji(status incident.Status) string {
	switch status {
	case checks.OK:
		return emojiOK
	case checks.Warn:
		return emojiWarn
	case checks.Fail:
		return emojiFail
	case checks.Unknown:
		return emojiUnknown
	case incident.Running:
		return emojiRunning
	case incident.Skipped:
		return emojiSkipped
	}
	return emojiPending
}

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
	case inc.State == incident.Fixed:
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
	parts = append(parts, Paragraph{text})
	scenario, ok := book.Scenario(cause.Scenario)
	if ok && !scenario.WhenOK && len(cause.ByHand) > 0 && len(inc.OffersFor(cause.Scenario)) == 0 && open(inc) {
		parts = append(parts, Paragraph{byHand(cause)})
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

func byHand(cause runbook.Cause) Text {
	text := say("").strong("No change is safe enough for a button. By hand:")
	for i, line := range cause.ByHand {
		text = text.say("\n%d. %s", i+1, line)
	}
	return text
}

// resultParts tells how the newest plan went.
func resultParts(inc incident.Incident) []Part {
	switch inc.State {
	case incident.Applying:
		return []Part{Rule{}, Paragraph{progress(inc)}}
	case incident.Verifying:
		return []Part{Rule{}, Paragraph{outcomes(say("").emoji(emojiRunning).say(" ").strong("Verifying"), inc)}}
	case incident.Fixed:
		text := say("").emoji(emojiOK).say(" ").strong("Fixed").say(" at ").clock(lastEntry(inc)).say(", %s after the start. Verified:", minutes(lastEntry(inc).Sub(inc.Since)))
		return []Part{Rule{}, Paragraph{outcomes(text, inc)}}
	case incident.NotFixed:
		return []Part{Rule{}, Paragraph{outcomes(notFixed(newest(inc)), inc)}}
	}
	return nil
}

// notFixed says how the newest plan ended.
func notFixed(plan *incident.Plan) Text {
	switch {
	case plan == nil:
		return say("").emoji(emojiFail).say(" ").strong("Not fixed.")
	case plan.State == incident.Uncertain || stopped(*plan):
		text := say("").emoji(troubleEmoji(*plan)).say(" ").strong(fmt.Sprintf("Plan %d: %s.", plan.Number, planWord(*plan)))
		text = append(text.say(" "), stoppedAt(*plan)...)
		return text.say(" %s\nThe way on is on its card in the thread.", ordinary(plan.Trouble))
	}
	text := say("").emoji(emojiFail).say(" ").strong("Applied, but not fixed.")
	if plan.Trouble != "" {
		text = text.say(" %s", ordinary(plan.Trouble))
	}
	return text
}

func progress(inc incident.Incident) Text {
	plan := newest(inc)
	if plan == nil {
		return nil
	}
	text := say("").emoji(emojiRunning).say(" ").strong(fmt.Sprintf("Applying plan %d", plan.Number)).say(", approved by ").who(plan.Approved)
	for i, write := range plan.Writes {
		switch {
		case write.Progress != "":
			return text.say("\n%d of %d: %s. %s", i+1, len(plan.Writes), write.Title, ordinary(write.Progress))
		case write.Status == incident.Sending:
			return text.say("\n%d of %d: %s", i+1, len(plan.Writes), write.Title)
		}
	}
	return text
}

func outcomes(text Text, inc incident.Incident) Text {
	for _, outcome := range inc.Verified {
		mark := emojiFail
		if outcome.OK {
			mark = emojiOK
		} else if inc.State == incident.Verifying {
			mark = emojiRunning
		}
		text = text.say("\n").emoji(mark).say(" %s", cutTo(outcome.Says, 200))
	}
	return text
}

func newest(inc incident.Incident) *incident.Plan {
	if len(inc.Plans) == 0 {
		return nil
	}
	return &inc.Plans[len(inc.Plans)-1]
}

func lastEntry(inc incident.Incident) time.Time {
	if len(inc.Timeline) == 0 {
		return inc.Since
	}
	return inc.Timeline[len(inc.Timeline)-1].At
}

func minutes(d time.Duration) string {
	if d < 2*time.Minute {
		return fmt.Sprintf("%d s", int(d.Seconds()))
	}
	return fmt.Sprintf("%d min", int(d.Minutes()))
}

func walkedBy(inc incident.Incident) Text {
	text := say("Walked by ").who(inc.Walker)
	switch inc.State {
	case incident.Stopped:
		text = text.say(" · stopped")
	case incident.Closed:
		text = text.say(" · closed")
	}
	return text
}

// incidentButtons end the message where the next step is.
func (h *Handler) incidentButtons(book *runbook.Runbook, inc incident.Incident) []Button {
	var buttons []Button
	add := func(id, label string, style ButtonStyle, parts ...any) {
		buttons = append(buttons, Button{ID: id, Value: value(append([]any{inc.ID}, parts...)...), Label: label, Style: style})
	}
	if inc.State == incident.Closed || inc.State == incident.Applying || inc.State == incident.Verifying {
		return nil
	}
	if inc.State == incident.Fixed {
		if plan := undoable(inc); plan != nil {
			buttons = append(buttons, undoButton(inc, *plan))
		}
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
