package slack

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/slack-go/slack"

	"redis-session-bot/internal/commands"
)

// Limits of modals, in code points.
const (
	maxModalTitle = 24
	maxLabel      = 2_000
	maxHint       = 2_000
	maxInitial    = 3_000
	maxWrong      = 500 // Slack names no limit; this is as much as anybody reads
)

// inputAction is the action of every input; its block tells which it is.
const inputAction = "answer"

// metadata is what a modal carries so that its submission is answered where
// its button was pressed.
type metadata struct {
	Channel string `json:"channel"`
	Name    string `json:"name"`
	Thread  string `json:"thread,omitempty"`
	Value   string `json:"value"`
}

// Modal draws a Form. private comes back with its submission.
func Modal(form commands.Form, private string) slack.ModalViewRequest {
	blocks, _ := Blocks(commands.View{Summary: form.Title, Parts: form.Parts})
	for _, input := range form.Inputs {
		element := slack.NewPlainTextInputBlockElement(nil, inputAction)
		element.InitialValue = cut(clean(input.Value), maxInitial)
		element.Multiline = input.Long
		hint := plainText(input.Hint, "", maxHint)
		if hint.Text == "" {
			hint = nil
		}
		blocks = append(blocks, slack.NewInputBlock(input.ID, plainText(input.Label, input.ID, maxLabel), hint, element))
	}
	view := slack.ModalViewRequest{Type: slack.VTModal, CallbackID: form.ID, PrivateMetadata: private, Blocks: slack.Blocks{BlockSet: blocks},
		Title: plainText(form.Title, "Question", maxModalTitle), Close: plainText("Not now", "", maxModalTitle)}
	if len(form.Inputs) > 0 {
		view.Submit = plainText(form.Submit, "Send", maxModalTitle)
	}
	return view
}

// plainText is a text object without marks; otherwise stands for an empty one.
func plainText(text, otherwise string, limit int) *slack.TextBlockObject {
	said := orElse(strings.TrimSpace(clean(text)), otherwise)
	return slack.NewTextBlockObject(slack.PlainTextType, cut(said, limit), false, false)
}

// ask opens a modal. Slack takes the request's trigger for three seconds; when
// they are over, or where there never was one, a button asks for a new one.
func (a *App) ask(ctx context.Context, r request, form commands.Form) {
	private, err := json.Marshal(metadata{Channel: r.channel, Name: r.channelName, Thread: r.thread, Value: form.Value})
	if err == nil && r.trigger != "" {
		_, err = a.api.OpenViewContext(ctx, r.trigger, Modal(form, string(private)))
	}
	if err == nil && r.trigger != "" {
		return
	}
	if err != nil {
		a.options.Log.Warn("open a modal", "actor", r.user, "err", a.withoutTokens(err))
	}
	says := fmt.Sprintf("%s: there is something to fill in first. Nothing was changed.", form.Title)
	a.whisper(ctx, r, commands.View{Summary: says, Parts: []commands.Part{commands.Paragraph{Text: commands.Text{{Text: says}}},
		commands.Buttons{Buttons: []commands.Button{{ID: form.ID, Value: form.Value, Label: "Fill in …", Style: commands.Primary}}}}})
}

// submission is one filled-in modal. Slack waits three seconds for what is
// wrong with it, and may deliver it twice: both get the same answer.
type submission struct {
	state atomic.Int32
	done  chan struct{}
	wrong map[string]string // by block; set before done is closed
}

// A submission is open until its answer is known, or too late for the modal.
const (
	submissionOpen int32 = iota
	submissionAnswered
	submissionLate
)

// submissions are those of late, by the trigger of each.
type submissions struct {
	mu    sync.Mutex
	known map[string]*submission
	order []string
}

// take gives the submission of that ID; first reports whether it is new.
func (s *submissions) take(id string) (one *submission, first bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if one := s.known[id]; one != nil {
		return one, false
	}
	if len(s.order) >= submissionsKept {
		delete(s.known, s.order[0])
		s.order = s.order[1:]
	}
	one = &submission{done: make(chan struct{})}
	s.known[id], s.order = one, append(s.order, id)
	return one, true
}

const submissionsKept = 500

// answerModalWithin leaves the acknowledgement the time to travel.
const answerModalWithin = 2 * time.Second

// acknowledgeSubmission answers with what is wrong, which keeps the modal
// open, or with nothing, which closes it.
func (a *App) acknowledgeSubmission(ctx context.Context, envelope string, one *submission) {
	timer := time.NewTimer(answerModalWithin)
	defer timer.Stop()
	select {
	case <-one.done:
	case <-ctx.Done():
	case <-timer.C:
		one.state.CompareAndSwap(submissionOpen, submissionLate)
	}
	var payload any
	if one.state.Load() == submissionAnswered {
		<-one.done
		if len(one.wrong) > 0 {
			payload = slack.NewErrorsViewSubmissionResponse(one.wrong)
		}
	}
	if err := a.socket.AckCtx(ctx, envelope, payload); err != nil {
		a.options.Log.Warn("acknowledge", "err", a.withoutTokens(err))
	}
}

// submitted works on a filled-in modal. What is wrong is said in the modal, or
// to the person alone when the modal has gone already.
func (a *App) submitted(ctx context.Context, one *submission, payload slack.InteractionCallback) {
	defer close(one.done)
	defer one.state.CompareAndSwap(submissionOpen, submissionAnswered) // before done is closed, also after a panic
	defer a.steady()
	ctx, cancel := context.WithTimeout(ctx, answerWithin)
	defer cancel()
	var from metadata
	if err := json.Unmarshal([]byte(payload.View.PrivateMetadata), &from); err != nil {
		a.options.Log.Warn("a modal that is not of this bot", "callback", cut(payload.View.CallbackID, maxKind))
		return
	}
	r := request{user: payload.User.ID, team: payload.User.TeamID, channel: from.Channel, channelName: from.Name, thread: from.Thread,
		action: payload.View.CallbackID, value: from.Value, answers: answersOf(payload.View)}
	post := &answerPost{app: a, r: r}
	reply := a.reply(ctx, r, post)
	one.wrong = wrongBlocks(payload.View, reply.Wrong)
	if one.state.CompareAndSwap(submissionOpen, submissionAnswered) {
		reply.Wrong = nil
	}
	a.deliver(ctx, post, reply)
}

// answersOf reads what was filled in, by input.
func answersOf(view slack.View) map[string]string {
	answers := map[string]string{}
	if view.State == nil {
		return answers
	}
	for block, actions := range view.State.Values {
		if answer, ok := actions[inputAction]; ok {
			answers[block] = answer.Value
		}
	}
	return answers
}

// wrongBlocks puts each sentence to the input that it is about, and what is
// about none to the first one: Slack shows nothing else.
func wrongBlocks(view slack.View, wrong map[string]string) map[string]string {
	first := ""
	inputs := map[string]bool{}
	for _, block := range view.Blocks.BlockSet {
		if input, ok := block.(*slack.InputBlock); ok {
			inputs[input.BlockID] = true
			first = orElse(first, input.BlockID)
		}
	}
	blocks := map[string]string{}
	for input, says := range wrong {
		if !inputs[input] {
			input = first
		}
		if input != "" {
			blocks[input] = cut(clean(says), maxWrong)
		}
	}
	return blocks
}
