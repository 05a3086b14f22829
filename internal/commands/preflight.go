package commands

import (
	"context"
	"fmt"
	"strings"

	"redis-session-bot/internal/incident"
	"redis-session-bot/internal/preflight"
)

// Preflight asks whether everything is there that the bot needs. It tells how far
// it is where that takes a while.
type Preflight func(ctx context.Context, tell func(preflight.Progress)) preflight.Report

// checkVerbs are those of a bot that can be checked.
func (h *Handler) checkVerbs() []verb {
	if h.Preflight == nil {
		return nil
	}
	return []verb{{"check", "whether everything is there that I need: scopes, permissions, store, pagers", h.check}}
}

// check posts what is wrong, with its mend. Somebody who waits sees for whom.
func (h *Handler) check(ctx context.Context, r Request, _ string) (Reply, error) {
	if err := h.Incidents.Roles.Allows(ctx, r.Actor, incident.Responder); err != nil {
		return Reply{}, err
	}
	report := h.Preflight(ctx, func(p preflight.Progress) {
		if r.Meanwhile != nil {
			r.Meanwhile(Asking(p))
		}
	})
	view := ShortChecked(report)
	view.Parts = append(view.Parts, Note{say("Asked for ").who(r.Actor).say(" at ").clock(report.At).say(". Nothing was changed, and nobody was paged.")})
	return Reply{Post: &Message{View: view}}, nil
}

// Asking says how far the questions are.
func Asking(p preflight.Progress) View {
	return sayOnly(say("").emoji(emojiRunning).say(" Checking: %d of %d answered; waiting for %s.", p.Answered, p.All, few(p.Waiting, 3)))
}

// few names the first of many.
func few(names []string, most int) string {
	if len(names) <= most {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
}

// Checked is a report as one View: a line for each finding.
func Checked(report preflight.Report) View { return checked(report, false) }

// ShortChecked is a report as one View that fits into a message: what is right
// is counted.
func ShortChecked(report preflight.Report) View { return checked(report, true) }

func checked(report preflight.Report, short bool) View {
	head := headOf(report)
	view := View{Summary: "Check · " + head.String(), Parts: []Part{Heading{"Check"}, Paragraph{head}}}
	for _, group := range groupsOf(report.Findings) {
		view.Parts = append(view.Parts, Paragraph{group.text(short)})
	}
	return view
}

// headOf is the report in one line.
func headOf(report preflight.Report) Text {
	head := say("").strong(fmt.Sprintf("%d of %d are right.", report.Count(preflight.OK), len(report.Findings)))
	if n := report.Count(preflight.Wrong); n > 0 {
		head = head.say(" %d to mend.", n)
	}
	if n := report.Unasked(); n > 0 {
		head = head.say(" %d not known, which is not the same as right.", n)
	}
	if n := report.Count(preflight.Unknown) - report.Unasked(); n > 0 {
		head = head.say(" %d cannot be told from here, or the bot does without.", n)
	}
	return head
}

// shownWrong is how many of one thing a message shows that are not right.
const shownWrong = 7

// findings are those about one thing.
type findings struct {
	about string
	all   []preflight.Finding
}

func groupsOf(all []preflight.Finding) (groups []findings) {
	at := map[string]int{}
	for _, one := range all {
		i, known := at[one.About]
		if !known {
			i = len(groups)
			at[one.About], groups = i, append(groups, findings{about: one.About})
		}
		groups[i].all = append(groups[i].all, one)
	}
	return groups
}

// text is a line for each; short counts those that are right.
func (f findings) text(short bool) Text {
	text := say("").strong(upper(f.about))
	right, shown, more := 0, 0, 0
	for _, one := range f.all {
		switch {
		case short && one.Status == preflight.OK:
			right++
			continue
		case short && shown == shownWrong:
			more++
			continue
		}
		shown++
		text = text.say("\n").emoji(findingEmoji(one.Status)).say(" %s", lineOf(one))
		if one.Mend != "" {
			text = text.say("\n   → %s", one.Mend)
		}
	}
	if more > 0 {
		text = text.say("\n%d more; bot check in a terminal shows them all", more)
	}
	switch {
	case right == len(f.all):
		text = text.say("\n").emoji(emojiOK).say(" all %d", right)
	case right > 0:
		text = text.say("\n").emoji(emojiOK).say(" the other %d", right)
	}
	return text
}

// lineOf says what a finding is of, once.
func lineOf(f preflight.Finding) string {
	says := strings.TrimSuffix(f.Says, ".")
	if strings.HasPrefix(says, f.What) {
		return says
	}
	return f.What + ": " + says
}

// upper makes the first letter a capital.
func upper(text string) string {
	return strings.ToUpper(text[:min(1, len(text))]) + text[min(1, len(text)):]
}

func findingEmoji(status preflight.Status) string {
	switch status {
	case preflight.OK:
		return emojiOK
	case preflight.Wrong:
		return emojiFail
	}
	return emojiUnknown
}
