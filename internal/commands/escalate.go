package commands

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"redis-session-bot/internal/incident"
	"redis-session-bot/internal/runbook"
)

// inputText is the input of a Form that holds what people are told.
const inputText = incident.InputText

// escalateWord asks what is told before anybody is paged.
func (h *Handler) escalateWord(ctx context.Context, r Request, rest string) (Reply, error) {
	inc, err := h.concerned(ctx, r, rest)
	if err != nil {
		return Reply{}, err
	}
	return h.escalate(ctx, r, inc.ID, inc.Pages())
}

// escalate pages people with the text that a person has seen. seen is how many
// pages there were then.
func (h *Handler) escalate(ctx context.Context, r Request, id string, seen int) (Reply, error) {
	if r.Answers != nil {
		return Reply{}, h.Incidents.Page(ctx, id, r.Actor, seen, r.Answers[inputText])
	}
	inc, err := h.read(ctx, r, id)
	if err != nil {
		return Reply{}, err
	}
	level, err := h.Incidents.NextLevel(inc)
	if err != nil {
		return Reply{}, err
	}
	return Reply{Form: h.tellForm(inc, actEscalate, value(id, inc.Pages()), "Page "+level.String(), "Page now",
		fmt.Sprintf("%s is paged at once, by %s.", level, strings.Join(level.Pagers, ", else ")))}, nil
}

// respondWord asks what is told before incident response is invoked.
func (h *Handler) respondWord(ctx context.Context, r Request, rest string) (Reply, error) {
	inc, err := h.concerned(ctx, r, rest)
	if err != nil {
		return Reply{}, err
	}
	return h.respond(ctx, r, inc.ID)
}

// respond invokes the organisation's incident response.
func (h *Handler) respond(ctx context.Context, r Request, id string) (Reply, error) {
	if r.Answers != nil {
		return Reply{}, h.Incidents.Respond(ctx, id, r.Actor, r.Answers[inputText])
	}
	inc, err := h.read(ctx, r, id)
	if err != nil {
		return Reply{}, err
	}
	if err := h.Incidents.Respondable(inc); err != nil {
		return Reply{}, err
	}
	response := h.Incidents.Escalation.Response
	return Reply{Form: h.tellForm(inc, actRespond, value(id), "Incident response", "Invoke it",
		fmt.Sprintf("This calls %s, by %s. It is invoked once for an incident, and ended by people.", response, strings.Join(response.Pagers, ", else ")))}, nil
}

// tellForm asks for the text that goes out, prefilled from the incident.
func (h *Handler) tellForm(inc incident.Incident, action, ids, title, submit, does string) *Form {
	return &Form{ID: action, Value: ids, Title: title, Submit: submit, Parts: []Part{Paragraph{say("%s", does)}},
		Inputs: []Input{{ID: inputText, Label: "What they are told", Hint: "The first line is the headline.", Value: h.Incidents.Brief(inc).Text, Long: true}}}
}

// holdWord is hold DURATION REASON, or hold end; what is missing is asked.
func (h *Handler) holdWord(ctx context.Context, r Request, rest string) (Reply, error) {
	words := strings.Fields(rest)
	named := ""
	if len(words) > 0 && strings.HasPrefix(strings.ToUpper(words[0]), "INC-") {
		named, words = words[0], words[1:]
	}
	inc, err := h.concerned(ctx, r, named)
	if err != nil {
		return Reply{}, err
	}
	if len(words) == 1 && strings.EqualFold(words[0], "end") {
		if err := h.Incidents.EndHold(ctx, inc.ID, r.Actor); err != nil {
			return Reply{}, err
		}
		return whisper("The hold of %s is ended. A page that is due goes out now.", inc.ID), nil
	}
	span := ""
	if len(words) > 0 {
		if _, err := time.ParseDuration(words[0]); err == nil {
			span, words = words[0], words[1:]
		}
	}
	reason := strings.Join(words, " ")
	if span == "" || reason == "" {
		return h.holdForm(inc, span, reason)
	}
	return h.holdFor(ctx, r, inc.ID, span, reason)
}

// hold keeps pages from going out by themselves.
func (h *Handler) hold(ctx context.Context, r Request, id string) (Reply, error) {
	if r.Answers != nil {
		return h.holdFor(ctx, r, id, r.Answers[incident.InputFor], r.Answers[incident.InputReason])
	}
	inc, err := h.read(ctx, r, id)
	if err != nil {
		return Reply{}, err
	}
	return h.holdForm(inc, "", "")
}

func (h *Handler) holdFor(ctx context.Context, r Request, id, text, reason string) (Reply, error) {
	span, err := time.ParseDuration(strings.TrimSpace(text))
	if err != nil {
		return Reply{}, &runbook.BadInput{Input: incident.InputFor, Says: fmt.Sprintf("%q is not a time; write it like 30m or 1h", cutTo(text, 40))}
	}
	return Reply{}, h.Incidents.Hold(ctx, id, r.Actor, span, reason)
}

func (h *Handler) holdForm(inc incident.Incident, span, reason string) (Reply, error) {
	if span == "" {
		span = shortSpan(h.Incidents.Runbooks[inc.Runbook].EscalateAfter)
	}
	form := Form{ID: actHold, Value: value(inc.ID), Title: "Hold the pages", Submit: "Hold",
		Inputs: []Input{{ID: incident.InputFor, Label: "For how long", Hint: "such as 30m or 1h", Value: span},
			{ID: incident.InputReason, Label: "Why nobody has to be paged", Hint: "It stands in the channel and in the timeline.", Value: reason}}}
	if next, ok := h.nextPage(inc); ok {
		form.Parts = []Part{Paragraph{say("Until then nobody is paged by itself. Without a hold %s is paged at ", h.levelOf(next)).clock(next.At).say(".")}}
	}
	return Reply{Form: &form}, nil
}

// shortSpan is 30m, and not 30m0s.
func shortSpan(d time.Duration) string {
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}

// concerned finds the open incident that somebody means: the named one, that of
// the thread, the only one of the channel, or the only one.
func (h *Handler) concerned(ctx context.Context, r Request, name string) (incident.Incident, error) {
	if err := h.Incidents.Roles.Allows(ctx, r.Actor, incident.Responder); err != nil {
		return incident.Incident{}, err
	}
	all, err := h.Incidents.Recent(ctx, time.Time{})
	if err != nil {
		return incident.Incident{}, err
	}
	open := slices.DeleteFunc(all, func(inc incident.Incident) bool { return !inc.Open() })
	if len(open) == 0 {
		return incident.Incident{}, &incident.Refusal{Says: fmt.Sprintf("Nothing is open. /%s diagnose begins a diagnosis.", h.Command)}
	}
	fits := []func(inc incident.Incident) bool{
		func(inc incident.Incident) bool { return inc.ID == r.Incident },
		func(inc incident.Incident) bool { return inc.Place == r.Place },
		func(incident.Incident) bool { return true },
	}
	if name != "" {
		fits = []func(inc incident.Incident) bool{
			func(inc incident.Incident) bool { return strings.EqualFold(inc.ID, name) },
			func(inc incident.Incident) bool {
				return strings.EqualFold(inc.Target.Name, name) || strings.EqualFold(inc.Target.String(), name)
			},
		}
	}
	for _, fit := range fits {
		if one := slices.DeleteFunc(slices.Clone(open), func(inc incident.Incident) bool { return !fit(inc) }); len(one) == 1 {
			return one[0], nil
		}
	}
	var names []string
	for _, inc := range open {
		names = append(names, fmt.Sprintf("%s (%s)", inc.ID, inc.Target))
	}
	if name != "" {
		return incident.Incident{}, &incident.Refusal{Says: fmt.Sprintf("No open incident is %q. Open: %s.", cutTo(name, 60), strings.Join(names, ", "))}
	}
	return incident.Incident{}, &incident.Refusal{Says: fmt.Sprintf("Several are open: %s. Name the one that you mean.", strings.Join(names, ", "))}
}
