package commands

import (
	"fmt"
	"slices"

	"redis-session-bot/internal/incident"
)

// nextPage is the page that goes out by itself next.
func (h *Handler) nextPage(inc incident.Incident) (incident.Due, bool) {
	return h.Incidents.Escalation.NextPage(inc, h.Incidents.Runbooks[inc.Runbook])
}

// levelOf is who is called by what is due.
func (h *Handler) levelOf(due incident.Due) string { return h.level(due.Level) }

func (h *Handler) level(n int) string {
	levels := h.Incidents.Escalation.Levels
	if n < 1 || n > len(levels) {
		return "the people on call"
	}
	return levels[n-1].String()
}

// heldBy is the hold that the next page waits for; nil for none.
func heldBy(inc incident.Incident) *incident.Hold {
	holds := inc.Escalation.Holds
	if len(holds) == 0 {
		return nil
	}
	last := &holds[len(holds)-1]
	over := func(page incident.Call) bool { return !page.At.Before(last.Until) }
	if !last.EndedAt.IsZero() || slices.ContainsFunc(inc.Escalation.Pages(), over) {
		return nil
	}
	return last
}

// clockLine says when the next page goes out by itself, or why none does; ""
// where there is no clock.
func (h *Handler) clockLine(text Text, inc incident.Incident) Text {
	if !open(inc) || inc.Place.Channel == "" {
		return text
	}
	next, ok := h.nextPage(inc)
	switch {
	case ok && next.Why == incident.ReasonRepeat:
		return text.say(" · pages %s again at ", h.levelOf(next)).clock(next.At).say(" unless somebody acknowledges or holds it")
	case ok && next.Call > 0:
		return text // said above
	case ok && heldBy(inc) != nil:
		return text.say(" · pages %s by itself at ", h.levelOf(next)).clock(next.At).say(", when the hold is over")
	case ok:
		return text.say(" · pages %s by itself at ", h.levelOf(next)).clock(next.At).say(" unless you hold it")
	case len(h.Incidents.Escalation.Levels) == 0:
		return text.say(" · nobody is paged by itself: no pager is configured")
	case h.Incidents.Runbooks[inc.Runbook].EscalateAfter == 0:
		return text.say(" · nobody is paged by itself: the runbook names no escalateAfter")
	case len(inc.Escalation.Pages()) == 0:
		return text.say(" · nobody is paged by itself: all looks well")
	}
	return text.say(" · no further page goes out by itself")
}

// callLines say who was called, and who keeps others from being called.
func (h *Handler) callLines(inc incident.Incident) Text {
	var text Text
	line := func(more Text) {
		if len(text) > 0 && len(more) > 0 {
			text = text.say("\n")
		}
		text = append(text, more...)
	}
	if pages := inc.Escalation.Pages(); len(pages) > 0 {
		line(h.pageLine(inc, pages[len(pages)-1]))
	}
	if response := inc.Escalation.Response(); response != nil {
		line(h.responseLine(*response))
	}
	if hold := heldBy(inc); hold != nil && open(inc) {
		line(say("Pages are held until ").clock(hold.Until).say(" by ").who(hold.By).say(": %s", stop(hold.Reason)))
	}
	return text
}

// pageLine is one page and what came of it.
func (h *Handler) pageLine(inc incident.Incident, page incident.Call) Text {
	who := h.level(page.Level)
	switch page.State {
	case incident.CallSending:
		return say("").emoji(emojiRunning).say(" Paging %s …", who)
	case incident.CallFailed:
		return h.failedLine(page, "Nobody took the page to "+who)
	}
	text := say("").emoji(emojiOK).say(" Paged %s at ", who).clock(page.SentAt).say(" by %s", page.Pager)
	switch {
	case !page.AckAt.IsZero():
		return text.say(", acknowledged by ").who(page.Acked).say(" at ").clock(page.AckAt).say(".")
	case open(inc):
		return text.say(", not acknowledged yet.")
	}
	return text.say(".")
}

func (h *Handler) responseLine(call incident.Call) Text {
	who := h.Incidents.Escalation.Response.String()
	switch call.State {
	case incident.CallSending:
		return say("").emoji(emojiRunning).say(" Invoking incident response (%s) …", who)
	case incident.CallFailed:
		return h.failedLine(call, fmt.Sprintf("Incident response (%s) could not be invoked", who))
	}
	text := say("").emoji(emojiOK).say(" Incident response (%s) was invoked at ", who).clock(call.SentAt)
	if call.By.ID == "" {
		return text.say(" by itself, by %s.", call.Pager)
	}
	return text.say(" by ").who(call.By).say(", by %s.", call.Pager)
}

func (h *Handler) failedLine(call incident.Call, says string) Text {
	return say("").emoji(emojiFail).say(" %s: %s. Tried again at ", says, cutTo(call.Error, 300)).clock(call.Retry()).say(".")
}

// whyPaged is why a page has gone out.
func (h *Handler) whyPaged(inc incident.Incident, page incident.Call) Text {
	switch page.Why {
	case incident.ReasonAsked:
		return say("Asked for by ").who(page.By).say(".")
	case incident.ReasonRepeat:
		return say("Nobody has acknowledged the page before.")
	case incident.ReasonHoldOver:
		return say("The hold is over, and there is no verified fix.")
	}
	return say("There is no verified fix %s after the start.", minutes(page.At.Sub(inc.Since)))
}

// escalationMessages are what the clock has said, and who was called, in the thread.
func (h *Handler) escalationMessages(inc incident.Incident) []Message {
	var messages []Message
	next, waits := h.nextPage(inc)
	for n, reminder := range inc.Escalation.Reminders {
		text := say("").emoji(emojiWarn).say(" ")
		if inc.Walker.Team != "" {
			text = text.who(inc.Walker).say(": ")
		}
		text = text.say("there is no verified fix %s after the start. ", minutes(reminder.At.Sub(inc.Since))).strong(h.level(reminder.Level)).say(" is paged by itself at ").clock(reminder.Due).say(" unless somebody holds it.")
		view := View{Summary: fmt.Sprintf("%s is paged by itself at %s", h.level(reminder.Level), reminder.Due.UTC().Format("15:04 UTC")), Parts: []Part{Paragraph{text}}}
		if waits && next.At.Equal(reminder.Due) {
			view.Parts = append(view.Parts, Buttons{[]Button{h.holdButton(inc), h.escalateButton(inc)}})
		}
		messages = append(messages, Message{Key: fmt.Sprintf("reminder/%d", n+1), Thread: true, View: view})
	}
	for _, call := range inc.Escalation.Calls {
		switch call.Act {
		case incident.Trigger:
			messages = append(messages, h.pageMessage(inc, call))
		case incident.Respond:
			text := h.responseLine(call)
			messages = append(messages, Message{Key: "response", Thread: true, View: sayOnly(text)})
		}
	}
	return messages
}

func (h *Handler) pageMessage(inc incident.Incident, page incident.Call) Message {
	text := h.pageLine(inc, page)
	view := View{Summary: text.String()}
	text = append(text.say("\n"), h.whyPaged(inc, page)...)
	for _, call := range inc.Escalation.Calls {
		if call.Act == incident.Resolve && call.Key == page.Key {
			text = append(text.say("\n"), resolvedLine(call)...)
		}
	}
	view.Parts = []Part{Paragraph{text}}
	if acknowledgeable(inc, page) {
		view.Parts = append(view.Parts, Buttons{[]Button{acknowledgeButton(inc)}})
	}
	return Message{Key: fmt.Sprintf("page/%d", page.Number), Thread: true, View: view}
}

// resolvedLine tells that a receiver was told of the end, or what to do where
// it was not.
func resolvedLine(call incident.Call) Text {
	switch call.State {
	case incident.CallSent:
		return say("").emoji(emojiOK).say(" %s was told at ", call.Pager).clock(call.SentAt).say(" that it is over.")
	case incident.CallFailed:
		return say("").emoji(emojiFail).say(" It could not be told that it is over: %s. Close it there.", cutTo(call.Error, 300))
	}
	return nil
}

// acknowledgeable reports whether somebody may still say that they are on it.
func acknowledgeable(inc incident.Incident, page incident.Call) bool {
	return open(inc) && page.Act == incident.Trigger && page.Round == inc.Escalation.Round && page.State == incident.CallSent && page.AckAt.IsZero()
}

func acknowledgeButton(inc incident.Incident) Button {
	return Button{ID: actAcknowledge, Value: value(inc.ID), Label: "Acknowledge", Style: Primary}
}

func (h *Handler) escalateButton(inc incident.Incident) Button {
	return Button{ID: actEscalate, Value: value(inc.ID, inc.Pages()), Label: "Escalate"}
}

func (h *Handler) holdButton(inc incident.Incident) Button {
	return Button{ID: actHold, Value: value(inc.ID), Label: "Hold …"}
}

// clockButtons are what a person may say to the clock.
func (h *Handler) clockButtons(inc incident.Incident) []Button {
	if !open(inc) || len(h.Incidents.Escalation.Levels) == 0 {
		return nil
	}
	var buttons []Button
	if pages := inc.Escalation.Pages(); len(pages) > 0 && acknowledgeable(inc, pages[len(pages)-1]) {
		buttons = append(buttons, acknowledgeButton(inc))
	}
	if _, waits := h.nextPage(inc); waits && heldBy(inc) != nil {
		buttons = append(buttons, Button{ID: actEndHold, Value: value(inc.ID), Label: "End the hold"})
	} else if waits {
		buttons = append(buttons, h.holdButton(inc))
	}
	return buttons
}

// callButtons call for help: on a verdict, and where a plan has not helped.
func (h *Handler) callButtons(inc incident.Incident) []Button {
	var buttons []Button
	if !inc.Judged && inc.State != incident.NotFixed {
		return nil
	}
	if len(h.Incidents.Escalation.Levels) > 0 {
		buttons = append(buttons, h.escalateButton(inc))
	}
	if h.Incidents.Respondable(inc) == nil {
		buttons = append(buttons, Button{ID: actRespond, Value: value(inc.ID), Label: "Incident response …"})
	}
	return buttons
}
