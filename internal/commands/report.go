package commands

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"redis-session-bot/internal/evidence"
	"redis-session-bot/internal/incident"
	"redis-session-bot/internal/report"
)

// reportWord posts the report into the thread of an incident.
func (h *Handler) reportWord(ctx context.Context, r Request, rest string) (Reply, error) {
	inc, err := h.meant(ctx, r, rest)
	if err != nil {
		return Reply{}, err
	}
	if err := h.Incidents.AskReport(ctx, inc.ID, r.Actor, zoneName(r.Zone)); err != nil {
		return Reply{}, err
	}
	view := sayOnly(say("The report of ").strong(inc.ID).say(" comes in its thread, in ").channel(inc.Place.Channel).say("."))
	return Reply{Whisper: &view}, nil
}

// zoneName is how a zone is stored; "" for one that is not known.
func zoneName(zone *time.Location) string {
	if zone == nil {
		return ""
	}
	return zone.String()
}

// Report is the report of an incident for whoever asked.
func (h *Handler) Report(inc incident.Incident, asked incident.Asked) report.Report {
	r := report.Report{Incident: inc, Book: h.Incidents.Runbooks[inc.Runbook], For: asked.By, At: asked.At, Levels: h.Incidents.Escalation.Levels}
	if zone, err := time.LoadLocation(asked.Zone); err == nil { // "" is UTC
		r.Zone = zone
	}
	for _, number := range asked.Owed {
		if plan := inc.Plan(number); plan != nil {
			owed := incident.Owed{Incident: inc.ID, Plan: *plan}
			if end := incident.EndOf(plan.Fix); h.Incidents.Has(inc, end) {
				owed.End = fmt.Sprintf("/%s %s", h.Command, Verb(end, h.measures()))
			}
			r.Owed = append(r.Owed, owed)
		}
	}
	return r
}

// reportMessages are the reports that people have asked for, each with its file.
func (h *Handler) reportMessages(inc incident.Incident) []Message {
	var messages []Message
	for _, asked := range inc.Asked {
		name := inc.ID + "-report.md"
		if asked.Number > 1 {
			name = fmt.Sprintf("%s-report-%d.md", inc.ID, asked.Number)
		}
		text := say("").who(asked.By).say(" asked for the report at ").clock(asked.At).say(". It is a file in this thread.")
		messages = append(messages, Message{Key: fmt.Sprintf("report/%d", asked.Number), Thread: true, Edition: fmt.Sprint(asked.Number),
			View:  View{Summary: fmt.Sprintf("Report of %s, for %s", inc.ID, report.Name(asked.By)), Parts: []Part{Paragraph{text}}},
			Files: []File{{Name: name, Title: "Report of " + inc.ID, Text: h.Report(inc, asked).Markdown()}}})
	}
	return messages
}

// recently is how long ago an incident may have been closed that somebody means
// without naming it.
const recently = 30 * 24 * time.Hour

// meant finds the incident that somebody asks about, also a closed one: the
// named one, that of the thread, the one that is open, or the last one of the
// channel.
func (h *Handler) meant(ctx context.Context, r Request, name string) (incident.Incident, error) {
	if strings.HasPrefix(strings.ToUpper(name), "INC-") {
		return h.read(ctx, r, strings.ToUpper(name))
	}
	if name == "" && r.Incident != "" {
		return h.read(ctx, r, r.Incident)
	}
	inc, err := h.concerned(ctx, r, name)
	if err == nil || name != "" || outcomeOf(err) != Refused {
		return inc, err
	}
	all, failed := h.Incidents.Recent(ctx, h.Incidents.Now().Add(-recently))
	if failed != nil {
		return inc, failed
	}
	if slices.ContainsFunc(all, incident.Incident.Open) || h.Incidents.Roles.Allows(ctx, r.Actor, incident.Responder) != nil {
		return inc, err // it says which are open, or why not
	}
	for _, other := range slices.Backward(all) {
		if other.Place == r.Place && other.SameAs == "" {
			return other, nil
		}
	}
	return inc, &incident.Refusal{Says: fmt.Sprintf("Nothing is open, and nothing was here lately. Name the incident, such as INC-7; /%s history lists them.", h.Command)}
}

// Bounds of a timeline in a message: what is over stands in the report.
const (
	timelineLine = 300 // code points
	timelineAll  = 6000
	timelinePart = 2400
)

// timeline shows the newest lines of a timeline, the newest last.
func (h *Handler) timeline(ctx context.Context, r Request, rest string) (Reply, error) {
	inc, err := h.meant(ctx, r, rest)
	if err != nil {
		return Reply{}, err
	}
	view := View{Summary: "Timeline of " + inc.ID, Parts: []Part{Heading{"Timeline of " + inc.ID}}}
	lines := h.Report(inc, incident.Asked{Zone: zoneName(r.Zone)}).Lines()
	first, left := len(lines), timelineAll
	for first > 0 {
		line := cutTo(lines[first-1], timelineLine)
		if left -= drawn(line); left < 0 {
			break
		}
		first--
	}
	if first > 0 {
		view.Parts = append(view.Parts, Note{say("… and %s before that: /%s report %s has all of it.", plural(first, "line", "lines"), h.Command, inc.ID)})
	}
	part := ""
	for _, line := range lines[first:] {
		line = cutTo(line, timelineLine)
		if part != "" && drawn(part)+drawn(line) > timelinePart {
			view.Parts = append(view.Parts, Paragraph{say("%s", part)})
			part = ""
		}
		if part != "" {
			part += "\n"
		}
		part += line
	}
	view.Parts = append(view.Parts, Paragraph{say("%s", part)}, Note{say("Times: %s.", orElse(zoneName(r.Zone), "UTC"))})
	return Reply{Whisper: &view}, nil
}

// drawn is about how much room a text takes in a message of a chat, where
// some characters are written as several.
func drawn(text string) int {
	size := 1
	for _, r := range text {
		switch r {
		case '<', '>', '&':
			size += 6
		case '"', '\\', '\n':
			size += 2
		default:
			size++
		}
	}
	return size
}

// shownPast is how many incidents of before a message shows.
const shownPast = 20

// history shows the incidents of a target that are over, newest first.
func (h *Handler) history(ctx context.Context, r Request, rest string) (Reply, error) {
	if err := h.Incidents.Roles.Allows(ctx, r.Actor, incident.Responder); err != nil {
		return Reply{}, err
	}
	target, err := h.target(rest)
	if err != nil {
		return Reply{}, err
	}
	if rest == "" && r.Incident != "" {
		if inc, err := h.Incidents.Get(ctx, r.Incident); err == nil {
			target = inc.Target
		}
	}
	all, err := h.Incidents.List(ctx)
	if err != nil {
		return Reply{}, err
	}
	view := h.History(all, target, r.Zone, shownPast)
	view.Parts = append(view.Parts, Note{say("/%s report INC-7 posts all of one.", h.Command)})
	return Reply{Whisper: &view}, nil
}

// History lists what the incidents of a target came to that are over, newest
// first; at most so many, 0 for all.
func (h *Handler) History(all []incident.Incident, target evidence.Target, zone *time.Location, most int) View {
	pasts := incident.Pasts(all, h.Incidents.Runbooks, func(inc incident.Incident) bool { return inc.Runbook == h.Command && inc.Target.Same(target) })
	title := "History of " + target.String()
	view := View{Summary: title, Parts: []Part{Heading{title}}}
	if len(pasts) == 0 {
		view.Parts = append(view.Parts, Paragraph{say("Nothing that is over is kept for this target.")})
		return view
	}
	for n, past := range pasts {
		if most > 0 && n == most {
			view.Parts = append(view.Parts, Note{say("… and %d before that.", len(pasts)-n)})
			break
		}
		view.Parts = append(view.Parts, Paragraph{pastLine(past, zone)})
	}
	return view
}

// pastLine is one incident: when, how long, what it was, what mended it.
func pastLine(past incident.Past, zone *time.Location) Text {
	if zone == nil {
		zone = time.UTC
	}
	text := say("").strong(past.Incident).say("  %s, %s. ", past.Since.In(zone).Format("2 Jan 2006 15:04 MST"), report.Span(past.End().Sub(past.Since)))
	if past.Cause.Scenario == "" {
		text = text.say("No cause was found. ")
	} else {
		text = text.say("%s. ", past.Cause)
	}
	plan := fmt.Sprintf("“%s” (plan %d, approved by %s)", past.Action, past.Plan, report.Name(past.Approved))
	switch {
	case past.Undone:
		return text.say("%s was applied and undone.", plan)
	case past.Failed:
		return text.say("%s was not applied to its end.", plan)
	case past.Plan == 0 && past.Fixed.IsZero():
		return text.say("Closed without a verified fix.")
	case past.Plan == 0:
		return text.say("Well again without a plan.")
	case past.Fixed.IsZero():
		return text.say("%s did not fix it.", plan)
	}
	return text.say("Fixed by %s.", plan)
}

// planStatus says of the newest plan who waits for whom.
func (h *Handler) planStatus(inc incident.Incident) Text {
	plan := newest(inc)
	switch {
	case plan == nil:
		return nil
	case inc.State == incident.Applying:
		return progress(inc)
	case plan.HandedBy.ID != "" && (plan.State == incident.Failed || plan.State == incident.Uncertain):
		return say("").strong(fmt.Sprintf("Plan %d", plan.Number)).say(" %s: %s. ", planWord(*plan), plan.Action).who(plan.HandedBy).say(" has handed it over to the approvers.")
	case inc.State == incident.NotFixed && plan.State != incident.Proposed:
		return say("").strong(fmt.Sprintf("Plan %d", plan.Number)).say(": %s, %s.", plan.Action, planWord(*plan))
	}
	return h.planLine(inc)
}
