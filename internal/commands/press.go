package commands

import (
	"context"
	"strings"

	"redis-session-bot/internal/incident"
)

// press runs what a button stands for. A button that is not known, or that
// names an incident of another time, is refused politely.
func (h *Handler) press(ctx context.Context, r Request) (Reply, error) {
	id, second, third := unpack(r.Value)
	s := h.Incidents
	switch r.Action {
	case actNext:
		return Reply{}, s.RunNext(ctx, id, r.Actor)
	case actAll:
		return Reply{}, s.RunAll(ctx, id, r.Actor)
	case actStep:
		return Reply{}, s.RunStep(ctx, id, r.Actor, second)
	case actSkip:
		return Reply{}, s.Skip(ctx, id, r.Actor, second)
	case actStop:
		return Reply{}, s.Stop(ctx, id, r.Actor)
	case actTakeOver:
		return Reply{}, s.TakeOver(ctx, id, r.Actor)
	case actPlan:
		return h.plan(ctx, r, id, second)
	case actEdit:
		return h.edit(ctx, r, id, number(second), third)
	case actApply:
		return h.apply(ctx, r, id, number(second), third)
	case actCancel:
		return Reply{}, s.CancelPlan(ctx, id, r.Actor, number(second))
	case actUndo:
		return Reply{}, s.UndoPlan(ctx, id, r.Actor, number(second))
	case actGoOn:
		return Reply{}, s.GoOn(ctx, id, r.Actor, number(second), third)
	case actDecide:
		return Reply{}, s.Decide(ctx, id, r.Actor, number(second))
	case actHandOver:
		return Reply{}, s.HandOver(ctx, id, r.Actor, number(second))
	case actEscalate:
		return h.escalate(ctx, r, id, number(second))
	case actHold:
		return h.hold(ctx, r, id)
	case actEndHold:
		return Reply{}, s.EndHold(ctx, id, r.Actor)
	case actAcknowledge:
		return Reply{}, s.Acknowledge(ctx, id, r.Actor)
	case actRespond:
		return h.respond(ctx, r, id)
	case actReport:
		return Reply{}, s.AskReport(ctx, id, r.Actor, zoneName(r.Zone))
	case actDraft:
		return h.draft(ctx, r, id, second)
	case actClose:
		return Reply{}, s.Close(ctx, id, r.Actor)
	case actCauses:
		return h.causes(ctx, r, id)
	case actKubectl:
		return h.kubectl(ctx, r, id, second)
	}
	return whisper("This button is of an older version of the bot. Nothing was changed. Type /%s status to see where things stand.", h.Command), nil
}

// causes shows every scenario that has something for it, with the plan of each.
func (h *Handler) causes(ctx context.Context, r Request, id string) (Reply, error) {
	inc, err := h.read(ctx, r, id)
	if err != nil {
		return Reply{}, err
	}
	view := View{Summary: "Causes of " + inc.ID, Parts: []Part{Heading{"Causes that the evidence speaks for"}}}
	for _, cause := range inc.Verdict.Causes {
		text := say("").strong(cause.Title).say(" — %s", cause.Confidence)
		for _, because := range cause.Because {
			text = text.say("\n • %s", cutTo(because, 300))
		}
		for _, against := range cause.Against {
			text = text.say("\n • against it: %s", cutTo(against, 300))
		}
		view.Parts = append(view.Parts, Paragraph{text})
		var buttons []Button
		for _, offer := range inc.OffersFor(cause.Scenario) {
			buttons = append(buttons, planButton(inc, offer, Quiet))
		}
		if len(buttons) > 0 {
			view.Parts = append(view.Parts, Buttons{buttons})
		}
	}
	return Reply{Whisper: &view}, nil
}

// kubectl shows what a person would type instead of a step.
func (h *Handler) kubectl(ctx context.Context, r Request, id, step string) (Reply, error) {
	inc, err := h.read(ctx, r, id)
	if err != nil {
		return Reply{}, err
	}
	one := inc.Step(step)
	if one == nil || len(one.Kubectl) == 0 {
		return whisper("There is no kubectl command for this step yet: run it first."), nil
	}
	view := View{Summary: "kubectl for " + one.Title, Parts: []Part{
		Paragraph{say("By hand, %s is:", one.Title)},
		Code{Text: strings.Join(one.Kubectl, "\n")},
	}}
	return Reply{Whisper: &view}, nil
}

// read gets an incident for somebody who may see it.
func (h *Handler) read(ctx context.Context, r Request, id string) (incident.Incident, error) {
	if err := h.Incidents.Roles.Allows(ctx, r.Actor, incident.Responder); err != nil {
		return incident.Incident{}, err
	}
	return h.Incidents.Get(ctx, id)
}
