package commands

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/agnivade/levenshtein"

	"redis-session-bot/internal/evidence"
	"redis-session-bot/internal/incident"
	"redis-session-bot/internal/runbook"
)

// Handler turns requests into calls on incidents.
type Handler struct {
	Incidents *incident.Service
	Stores    Stores            // nil: no store can be audited
	Preflight Preflight         // nil: what the bot needs cannot be checked
	Command   string            // name of the slash command, without the slash
	Targets   []evidence.Target // the first is the default
	Approvers []string          // who may apply a plan, as config names them
	Log       *slog.Logger
}

// verb is one word of the slash command.
type verb struct {
	name string
	help string
	run  func(ctx context.Context, r Request, rest string) (Reply, error)
}

func (h *Handler) verbs() []verb {
	return append([]verb{
		{"diagnose", "walk the runbook's diagnosis (`diagnose TARGET` for another target)", h.diagnose},
		{"escalate", "page people now; what they are told is asked first (`escalate INC-7` for another incident)", h.escalateWord},
		{"hold", "keep pages from going out by themselves: `hold 30m REASON`; `hold end` ends it", h.holdWord},
		{"respond", "invoke incident response, once for an incident", h.respondWord},
		{"status", "what is open, where it stands, and who waits for whom", h.status},
		{"timeline", "who did what, and when (`timeline INC-7` for another incident)", h.timeline},
		{"report", "post the report into the incident's thread (`report INC-7`, also of a closed one)", h.reportWord},
		{"history", "what was before, and what mended it (`history TARGET` for another target)", h.history},
		{"draft", "a text to edit and post: " + h.draftNames() + " (`draft handover INC-7`)", h.draftWord},
		{"help", "this text", h.help},
	}, append(h.storeVerbs(), h.checkVerbs()...)...)
}

// Handle answers one request. What a request sets going shows in the
// incident's own messages; it returns at once, but for a measure that has to
// read the evidence first.
func (h *Handler) Handle(ctx context.Context, r Request) Reply {
	run := h.word
	if r.Action != "" {
		run = h.press
	}
	reply, err := run(ctx, r)
	if err == nil {
		return reply
	}
	input, says := h.sentence(r, err)
	reply = whisper("%s", says)
	if r.Answers != nil {
		reply = Reply{Wrong: map[string]string{input: says}}
	}
	reply.Outcome = outcomeOf(err)
	return reply
}

func outcomeOf(err error) Outcome {
	var refusal *incident.Refusal
	var bad *runbook.BadInput
	if errors.As(err, &refusal) || errors.As(err, &bad) || errors.Is(err, incident.ErrNotFound) {
		return Refused
	}
	return Failed
}

// NameOf names what a request asks for: a verb, a measure or a button's action;
// "other" for what nobody knows here.
func (h *Handler) NameOf(r Request) string {
	if r.Action != "" {
		return r.Action // of a button that the bot made itself
	}
	first, _, _ := strings.Cut(strings.ToLower(strings.TrimSpace(r.Text)), " ")
	for _, verb := range h.verbs() {
		if verb.name == cmp.Or(first, "help") {
			return verb.name
		}
	}
	if fix, _, ok := h.measureOf(r.Text); ok {
		return fix.Ref
	}
	return "other"
}

// sentence is what the person reads of an error, and the input that it is
// about; "" for none in particular.
func (h *Handler) sentence(r Request, err error) (input, says string) {
	var refusal *incident.Refusal
	var bad *runbook.BadInput
	switch {
	case errors.As(err, &bad):
		return bad.Input, ordinary(bad.Says)
	case errors.As(err, &refusal):
		if refusal.Err != nil {
			h.Log.Warn("refused", "incident", r.Incident, "actor", r.Actor.ID, "action", r.Action, "value", r.Value, "err", err)
		}
		return "", refusal.Says
	case errors.Is(err, incident.ErrNotFound):
		return "", fmt.Sprintf("That incident is not known here: it is kept in another store, or was taken out. Type /%s diagnose to begin a new one.", h.Command)
	}
	h.Log.Error("request", "incident", r.Incident, "actor", r.Actor.ID, "action", r.Action, "value", r.Value, "text", r.Text, "err", err)
	return "", fmt.Sprintf("That did not work: %s. Nothing was changed. Try once more; the bot's log has the whole error.", err)
}

// word runs what somebody typed.
func (h *Handler) word(ctx context.Context, r Request) (Reply, error) {
	if r.Command != "" && r.Command != h.Command {
		return whisper("I answer to /%s, not to /%s.", h.Command, cutTo(r.Command, 40)), nil
	}
	first, rest, _ := strings.Cut(strings.TrimSpace(r.Text), " ")
	first = strings.ToLower(first)
	if first == "" {
		first = "help"
	}
	var names []string
	for _, verb := range h.verbs() {
		if verb.name == first {
			return verb.run(ctx, r, strings.TrimSpace(rest))
		}
		names = append(names, verb.name)
	}
	if fix, words, ok := h.measureOf(r.Text); ok {
		return h.measure(ctx, r, fix, words)
	}
	for _, fix := range h.measures() {
		names = append(names, Verb(fix.Ref, h.measures()))
	}
	return whisper("I do not know %q. Did you mean /%s %s? Type /%s help for all of it.", cutTo(first, 40), h.Command, nearest(first, names), h.Command), nil
}

// nearest gives the known word that is the fewest letters away.
func nearest(word string, known []string) string {
	best, distance := "", 1<<30
	for _, candidate := range known {
		if d := levenshtein.ComputeDistance(word, candidate); d < distance {
			best, distance = candidate, d
		}
	}
	return best
}

func (h *Handler) diagnose(ctx context.Context, r Request, rest string) (Reply, error) {
	target, err := h.target(rest)
	if err != nil {
		return Reply{}, err
	}
	inc, existed, err := h.Incidents.Open(ctx, r.Actor, h.Command, target, r.Place)
	if err != nil {
		return Reply{}, err
	}
	if existed && inc.Place != r.Place {
		view := sayOnly(Text{}.strong(inc.ID).say(" is open for %s already, in ", target).channel(inc.Place.Channel).say(". It is walked there."))
		return Reply{Whisper: &view}, nil
	}
	if existed {
		return whisper("%s is open for %s already: %s. Go on in its message.", inc.ID, target, stateWord(inc)), nil
	}
	return Reply{}, h.Incidents.RunNext(ctx, inc.ID, r.Actor)
}

// channel names a channel of the chat.
func (t Text) channel(id string) Text { return append(t, Span{Kind: Channel, Text: id}) }

// target finds a target by its name; the first one for no name.
func (h *Handler) target(name string) (evidence.Target, error) {
	if name == "" {
		return h.Targets[0], nil
	}
	var names []string
	for _, target := range h.Targets {
		if strings.EqualFold(target.Name, name) || strings.EqualFold(target.String(), name) {
			return target, nil
		}
		names = append(names, target.Name)
	}
	return evidence.Target{}, &incident.Refusal{Says: fmt.Sprintf("There is no target %q. Did you mean %s? Known: %s.", cutTo(name, 60), nearest(name, names), strings.Join(names, ", "))}
}

func (h *Handler) status(ctx context.Context, r Request, _ string) (Reply, error) {
	if err := h.Incidents.Roles.Allows(ctx, r.Actor, incident.Responder); err != nil {
		return Reply{}, err
	}
	all, err := h.Incidents.Recent(ctx, time.Time{})
	if err != nil {
		return Reply{}, err
	}
	var text Text
	for _, inc := range all {
		if !inc.Open() {
			continue
		}
		if len(text) > 0 {
			text = text.say("\n")
		}
		text = text.strong(inc.ID).say("  %s  %s, since ", inc.Target, stateWord(inc)).clock(inc.Since).say(", walked by ").who(inc.Walker)
		if inc.Place != r.Place {
			text = text.say(", in ").channel(inc.Place.Channel)
		}
		for _, more := range []Text{h.planStatus(inc), h.callLines(inc)} {
			if len(more) > 0 {
				text = append(text.say("\n"), more...)
			}
		}
	}
	if len(text) == 0 {
		text = say("Nothing is open. /%s diagnose begins a diagnosis.", h.Command)
	}
	text, undo := h.debts(text, all)
	view := sayOnly(text)
	if len(undo) > 0 {
		view.Parts = append(view.Parts, Buttons{undo})
	}
	return Reply{Whisper: &view}, nil
}

func (h *Handler) help(context.Context, Request, string) (Reply, error) {
	text := say("").strong("/" + h.Command)
	for _, verb := range h.verbs() {
		text = text.say("\n").mono("/"+h.Command+" "+verb.name).say("  %s", strings.ReplaceAll(verb.help, "`", ""))
	}
	for _, fix := range h.measures() {
		text = text.say("\n").mono("/"+h.Command+" "+usage(fix, h.measures())).say("  %s; shows a plan first", fix.Action)
	}
	text = text.say("\nIn a thread, mention me instead: @bot diagnose. I change nothing before somebody who may presses Apply.")
	var names []string
	for _, target := range h.Targets {
		names = append(names, target.Name)
	}
	text = text.say("\nTargets: %s.", strings.Join(names, ", "))
	view := sayOnly(text)
	return Reply{Whisper: &view}, nil
}
