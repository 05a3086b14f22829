package commands

import (
	"fmt"
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
	if len(inc.Alerts) > 0 {
		messages = append(messages, h.alertsMessage(inc))
	}
	for _, step := range inc.Steps {
		if step.Runs > 0 && step.Status != incident.Running {
			messages = append(messages, stepMessage(inc, step))
		}
	}
	messages = append(messages, h.pictureMessages(inc)...)
	for _, plan := range inc.Plans {
		messages = append(messages, h.planMessages(inc, plan)...)
	}
	messages = append(messages, h.escalationMessages(inc)...)
	messages = append(messages, letterMessages(inc)...)
	return append(messages, h.reportMessages(inc)...)
}

func (h *Handler) incidentView(inc incident.Incident) View {
	book := h.Incidents.Runbooks[inc.Runbook]
	title := fmt.Sprintf("%s · %s · %s", book.Title, inc.Target, inc.ID)
	view := View{Summary: title + " · " + stateWord(inc), Parts: []Part{
		Heading{title},
		Paragraph{impactLine(book, inc)},
	}}
	if text := alertLines(book, inc); len(text) > 0 {
		view.Parts = append(view.Parts, Paragraph{text})
	}
	result := resultParts(inc)
	if !open(inc) && !inc.FixedAt.IsZero() {
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
	if text := h.callLines(inc); len(text) > 0 {
		view.Parts = append(view.Parts, Paragraph{text})
	}
	view.Parts = append(view.Parts, Note{h.clockLine(walkedBy(inc), inc)})
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
		return append(text.say(": %s, ", plan.Action), approval(*plan)...).say(".")
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
	if !open(inc) {
		return text.say(", %s now", stateWord(inc))
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

// resultParts tells how the newest plan went.
func resultParts(inc incident.Incident) []Part {
	switch inc.State {
	case incident.Applying:
		return []Part{Rule{}, Paragraph{progress(inc)}}
	case incident.Verifying:
		return []Part{Rule{}, Paragraph{outcomes(say("").emoji(emojiRunning).say(" ").strong("Verifying"), inc)}}
	case incident.Closed:
		if inc.FixedAt.IsZero() {
			return nil
		}
		fallthrough
	case incident.Fixed:
		word := "Fixed"
		if len(inc.Plans) == 0 {
			word = "Well"
		}
		text := say("").emoji(emojiOK).say(" ").strong(word).say(" at ").clock(inc.FixedAt).say(", %s after the start. Verified:", minutes(inc.FixedAt.Sub(inc.Since)))
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
	text := say("").emoji(emojiRunning).say(" ").strong(fmt.Sprintf("Applying plan %d", plan.Number)).say(", ")
	text = append(text, approval(*plan)...)
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
