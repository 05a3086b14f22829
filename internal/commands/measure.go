package commands

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"redis-session-bot/internal/incident"
	"redis-session-bot/internal/runbook"
)

// measures are what the document lists under Measures: each is a verb.
func (h *Handler) measures() []runbook.Fix {
	book := h.Incidents.Runbooks[h.Command]
	if book == nil {
		return nil
	}
	return book.Measures
}

// Verb is what people type for a measure: its reference, and "fallback end"
// for fallback-end where fallback is a measure, too.
func Verb(ref string, measures []runbook.Fix) string {
	for _, fix := range measures {
		if ref == incident.EndOf(fix.Ref) {
			return fix.Ref + " end"
		}
	}
	return ref
}

// usage is the verb with what may be typed after it.
func usage(fix runbook.Fix, measures []runbook.Fix) string {
	words := Verb(fix.Ref, measures)
	if len(fix.Inputs) > 0 {
		words += " [" + strings.ToUpper(fix.Inputs[0].ID) + "]"
	}
	return words
}

// measureOf finds the measure that somebody typed, with the words after it.
// The longest name wins.
func (h *Handler) measureOf(text string) (fix runbook.Fix, words []string, ok bool) {
	return MeasureOf(strings.Fields(text), h.measures())
}

// MeasureOf finds the measure that the first of some words name, and gives
// the others. The longest name wins.
func MeasureOf(words []string, measures []runbook.Fix) (fix runbook.Fix, rest []string, ok bool) {
	for n := len(words); n > 0; n-- {
		ref := strings.ToLower(strings.Join(words[:n], "-"))
		at := slices.IndexFunc(measures, func(fix runbook.Fix) bool { return fix.Ref == ref })
		if at >= 0 {
			return measures[at], words[n:], true
		}
	}
	return runbook.Fix{}, nil, false
}

// measure makes a plan of a measure, in the incident that is open for the
// target or in a new one. Of the words behind it, the last may name a target;
// the others fill the first input.
func (h *Handler) measure(ctx context.Context, r Request, fix runbook.Fix, words []string) (Reply, error) {
	target := h.Targets[0]
	if n := len(words); n > 0 {
		if named, err := h.target(words[n-1]); err == nil {
			target, words = named, words[:n-1]
		}
	}
	given := map[string]string{}
	switch {
	case len(words) > 0 && len(fix.Inputs) > 0:
		given[fix.Inputs[0].ID] = strings.Join(words, " ")
	case len(words) > 0:
		_, err := h.target(strings.Join(words, " "))
		return Reply{}, err
	}
	inc, existed, err := h.Incidents.OpenFor(ctx, r.Actor, h.Command, target, r.Place, fix.Ref)
	if err != nil {
		return Reply{}, err
	}
	if err := h.Incidents.ReadFirst(ctx, inc.ID, r.Actor); err != nil {
		return Reply{}, err
	}
	reply, err := h.planWith(ctx, r, inc.ID, fix.Ref, given)
	if err == nil && reply.Form == nil && existed {
		view := sayOnly(say("The plan is in the thread of ").strong(inc.ID).say(", in ").channel(inc.Place.Channel).say("."))
		reply.Whisper = &view
	}
	return reply, err
}

// debts adds what was applied and is still to be put right, with a button for
// each that no measure ends.
func (h *Handler) debts(text Text, all []incident.Incident) (Text, []Button) {
	var undo []Button
	for _, debt := range incident.Debts(all, h.Incidents.Has) {
		text = text.say("\n").emoji(emojiWarn).say(" ").strong("To be put right: ").say("%s (plan %d of %s, applied ", strings.TrimRight(debt.Plan.Debt, "."), debt.Plan.Number, debt.Incident).
			clock(debt.Plan.EndedAt).say(", approved by ").who(debt.Plan.Approved).say("). The way back: ")
		if debt.End != "" {
			text = text.mono("/" + h.Command + " " + Verb(debt.End, h.measures()))
			continue
		}
		text = text.say("undo plan %d", debt.Plan.Number)
		for _, inc := range all {
			if inc.ID == debt.Incident {
				button := undoButton(inc, debt.Plan)
				button.Label = fmt.Sprintf("Undo plan %d of %s", debt.Plan.Number, inc.ID)
				undo = append(undo, button)
			}
		}
	}
	return text, undo
}

// UsageHint is what a chat shows beside a runbook's command while it is typed.
func UsageHint(book *runbook.Runbook) string {
	words := []string{"diagnose [target]", "status", "report", "check"}
	if book.Audit != "" {
		words = append(words, "audit")
	}
	for _, fix := range book.Measures {
		words = append(words, Verb(fix.Ref, book.Measures))
	}
	return strings.Join(append(words, "help"), " | ")
}
