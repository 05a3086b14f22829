package commands

import (
	"context"
	"fmt"
	"strings"

	"redis-session-bot/internal/incident"
	"redis-session-bot/internal/report"
)

// draftHandover is the draft that is the engine's own.
const draftHandover = "handover"

// drafts are what people may ask a draft of: the runbook's, and the handover.
func (h *Handler) drafts() []string {
	var names []string
	if book := h.Incidents.Runbooks[h.Command]; book != nil {
		for _, letter := range book.Letters {
			names = append(names, letter.ID)
		}
	}
	return append(names, draftHandover)
}

func (h *Handler) draftNames() string { return strings.Join(h.drafts(), ", ") }

// draftWord is draft NAME [INC-7].
func (h *Handler) draftWord(ctx context.Context, r Request, rest string) (Reply, error) {
	name, named, _ := strings.Cut(rest, " ")
	if name == "" {
		return whisper("Which draft? There is %s.", h.draftNames()), nil
	}
	inc, err := h.meant(ctx, r, strings.TrimSpace(named))
	if err != nil {
		return Reply{}, err
	}
	return h.draft(ctx, r, inc.ID, strings.ToLower(name))
}

// draft asks a person to edit a draft, and posts what they make of it.
func (h *Handler) draft(ctx context.Context, r Request, id, name string) (Reply, error) {
	inc, err := h.read(ctx, r, id)
	if err != nil {
		return Reply{}, err
	}
	title, text, err := h.drafted(ctx, r, inc, name)
	if err != nil {
		return Reply{}, err
	}
	if r.Answers != nil {
		return Reply{}, h.Incidents.Post(ctx, id, r.Actor, name, title, r.Answers[inputText])
	}
	return Reply{Form: &Form{ID: actDraft, Value: value(id, name), Title: title, Submit: "Post",
		Parts:  []Part{Paragraph{say("It is posted into the thread of %s in your name, to be copied on. Nothing is sent anywhere else. Check every line.", inc.ID)}},
		Inputs: []Input{{ID: inputText, Label: title, Hint: "What is not known is left out.", Value: cutTo(text, 3000), Long: true}}}}, nil
}

// drafted is the title and the text of a draft, as the incident stands.
func (h *Handler) drafted(ctx context.Context, r Request, inc incident.Incident, name string) (title, text string, err error) {
	if name == draftHandover {
		owed, err := h.Incidents.Owed(ctx, inc.ID)
		return "Handover", h.Report(inc, incident.Asked{Zone: zoneName(r.Zone), Owed: owed}).Handover(), err
	}
	letter, ok := h.Incidents.Runbooks[inc.Runbook].Letter(name)
	if !ok {
		return "", "", &incident.Refusal{Says: fmt.Sprintf("There is no draft %q. Did you mean %s? There is %s.", cutTo(name, 40), nearest(name, h.drafts()), h.draftNames())}
	}
	text, err = h.Incidents.Fill(ctx, inc, letter)
	return letter.Title, text, err
}

// letterMessages are what people have posted of the drafts.
func letterMessages(inc incident.Incident) []Message {
	var messages []Message
	for _, letter := range inc.Letters {
		text := say("").who(letter.By).say(", ").strong(lowered(letter.Title)).say(":")
		view := View{Summary: fmt.Sprintf("%s, %s: %s", report.Name(letter.By), lowered(letter.Title), cutTo(oneLine(letter.Text), 200)), Parts: []Part{Paragraph{text}}}
		runes := []rune(letter.Text)
		for len(runes) > 0 {
			n := min(len(runes), letterPart)
			view.Parts = append(view.Parts, Paragraph{say("%s", string(runes[:n]))})
			runes = runes[n:]
		}
		messages = append(messages, Message{Key: fmt.Sprintf("letter/%d", letter.Number), Thread: true, View: view})
	}
	return messages
}

// letterPart is how much of a text one paragraph holds, in code points.
const letterPart = 2500

// lowered begins a title in the middle of a sentence.
func lowered(title string) string {
	runes := []rune(title)
	if len(runes) > 1 && strings.ToLower(string(runes[1])) == string(runes[1]) {
		return strings.ToLower(string(runes[:1])) + string(runes[1:])
	}
	return title
}
