package slack

import (
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/slack-go/slack"
	"github.com/slack-go/slack/slackevents"
	"github.com/slack-go/slack/socketmode"

	"redis-session-bot/internal/commands"
	"redis-session-bot/internal/incident"
)

// workers is how many requests are worked on at the same time.
const workers = 16

// answerWithin bounds the work on one request; what takes longer goes on in
// the incident service.
const answerWithin = 30 * time.Second

// listen reads what Slack sends until ctx or the connection's life ends, and
// waits for the work on it. Everything but a filled-in modal is acknowledged
// first and worked on after.
func (a *App) listen(ctx context.Context, ended chan error) {
	slots := make(chan struct{}, workers)
	strange := map[string]bool{} // kinds that were logged
	var work sync.WaitGroup
	defer work.Wait()
	for {
		select {
		case <-ctx.Done():
			return
		case err := <-ended:
			ended <- err
			return
		case event := <-a.socket.Events:
			a.note(event)
			if bad, ok := event.Data.(*socketmode.ErrorBadMessage); ok {
				a.strange(ctx, bad, strange)
			}
			if event.Request == nil || !a.isRequest(event.Type) {
				continue
			}
			inTurn := func(do func()) {
				work.Go(func() {
					select {
					case slots <- struct{}{}:
						defer func() { <-slots }()
						do()
					case <-ctx.Done():
					}
				})
			}
			if payload, ok := event.Data.(slack.InteractionCallback); ok && payload.Type == slack.InteractionTypeViewSubmission {
				// Its acknowledgement says what is wrong with it.
				one, first := a.submissions.take(payload.TriggerID)
				if first {
					inTurn(func() { a.submitted(ctx, one, payload) })
				}
				work.Go(func() { a.acknowledgeSubmission(ctx, event.Request.EnvelopeID, one) })
				continue
			}
			a.acknowledge(ctx, event.Request.EnvelopeID)
			inTurn(func() { a.work(ctx, event) })
		}
	}
}

func (a *App) acknowledge(ctx context.Context, envelope string) {
	if err := a.socket.AckCtx(ctx, envelope, nil); err != nil {
		a.options.Log.Warn("acknowledge", "err", a.withoutTokens(err))
	}
}

// strange acknowledges an envelope that slack-go does not understand, so that
// Slack stops sending it, and logs each kind once.
func (a *App) strange(ctx context.Context, bad *socketmode.ErrorBadMessage, logged map[string]bool) {
	var envelope struct {
		ID   string `json:"envelope_id"`
		Type string `json:"type"`
	}
	if err := json.Unmarshal(bad.Message, &envelope); err != nil || envelope.ID == "" {
		return
	}
	a.acknowledge(ctx, envelope.ID)
	if kind := cut(envelope.Type, maxKind); !logged[kind] && len(logged) < maxKinds {
		logged[kind] = true
		a.options.Log.Warn("an envelope that is not understood", "type", kind, "err", a.withoutTokens(bad.Cause))
	}
}

const (
	maxKind  = 60
	maxKinds = 100
)

func (a *App) isRequest(kind socketmode.EventType) bool {
	switch kind {
	case socketmode.EventTypeHello, socketmode.EventTypeDisconnect:
		return false
	}
	return true
}

// note keeps the state of the connection.
func (a *App) note(event socketmode.Event) {
	switch event.Type {
	case socketmode.EventTypeConnected:
		a.setState(true, "")
		a.options.Log.Info("connected to Slack")
	case socketmode.EventTypeConnecting:
		a.setState(false, "connecting")
	case socketmode.EventTypeConnectionError:
		why := "no connection to Slack"
		if trouble, ok := event.Data.(*slack.ConnectionErrorEvent); ok {
			why = fmt.Sprintf("%s: %v", why, a.withoutTokens(trouble.ErrorObj))
		}
		a.setState(false, why)
		a.options.Log.Warn(why)
	case socketmode.EventTypeInvalidAuth, socketmode.EventTypeIncomingError:
		a.setState(false, fmt.Sprintf("Slack: %s", event.Type))
	case socketmode.EventTypeErrorWriteFailed:
		a.options.Log.Warn("an acknowledgement was not written; Slack will deliver the request again")
	}
}

// steady keeps a fault of the bot's own from ending the bot. It is deferred.
func (a *App) steady() {
	if trouble := recover(); trouble != nil {
		a.options.Log.Error("a request made the bot stumble", "trouble", fmt.Sprint(trouble))
	}
}

// work turns one envelope into a request and answers it.
func (a *App) work(ctx context.Context, event socketmode.Event) {
	defer a.steady()
	ctx, cancel := context.WithTimeout(ctx, answerWithin)
	defer cancel()
	switch payload := event.Data.(type) {
	case slack.SlashCommand:
		a.hear(byCommand)
		a.answer(ctx, request{id: payload.TriggerID, trigger: payload.TriggerID, user: payload.UserID, team: payload.TeamID, channel: payload.ChannelID,
			channelName: payload.ChannelName, command: strings.TrimPrefix(payload.Command, "/"), text: payload.Text, response: payload.ResponseURL})
	case slack.InteractionCallback:
		a.clicked(ctx, payload)
	case slackevents.EventsAPIEvent:
		if mention, ok := payload.InnerEvent.Data.(*slackevents.AppMentionEvent); ok && mention.BotID == "" {
			a.hear(byMention)
			a.answer(ctx, request{id: mention.Channel + mention.TimeStamp, user: mention.User, team: payload.TeamID,
				channel: mention.Channel, thread: mention.ThreadTimeStamp, text: afterMention(mention.Text, a.people.self(ctx))})
		}
	default:
		a.options.Log.Debug("an envelope of a kind that the bot does not use", "type", string(event.Type))
	}
}

// afterMention is what somebody says to the bot: what stands after its name,
// or before it when nothing does, as it was typed.
func afterMention(text, self string) string {
	name := regexp.MustCompile(`<@` + regexp.QuoteMeta(self) + `(\|[^>]*)?>`)
	if self == "" {
		name = regexp.MustCompile(`<@[^>]*>`)
	}
	if at := name.FindStringIndex(text); at != nil {
		before, after := text[:at[0]], text[at[1]:]
		text = orElse(strings.TrimSpace(after), before)
	}
	return strings.NewReplacer("&lt;", "<", "&gt;", ">", "&amp;", "&").Replace(strings.TrimSpace(text))
}

// clicked answers each pressed button of a payload.
func (a *App) clicked(ctx context.Context, payload slack.InteractionCallback) {
	if payload.Type != slack.InteractionTypeBlockActions {
		return
	}
	a.hear(byButton)
	thread := payload.Container.ThreadTs
	if thread == "" {
		thread = payload.Message.ThreadTimestamp
	}
	for _, action := range payload.ActionCallback.BlockActions {
		a.answer(ctx, request{id: payload.User.ID + action.ActionTs + action.ActionID, user: payload.User.ID, team: payload.User.TeamID,
			channel: payload.Channel.ID, channelName: payload.Channel.Name, thread: thread,
			action: actionOf(action.ActionID), value: action.Value,
			response: payload.ResponseURL, trigger: payload.TriggerID})
	}
}

// request is what somebody asked for, in Slack's terms.
type request struct {
	id, user, team, channel, channelName string
	thread                               string // where it came from
	command, text, action, value         string
	answers                              map[string]string // of a modal, by input
	response                             string            // URL for an answer to that person alone
	trigger                              string            // lets one modal be opened, within three seconds
}

// answer answers a request, once.
func (a *App) answer(ctx context.Context, r request) {
	if !a.seen.first(r.id) {
		return
	}
	post := &answerPost{app: a, r: r}
	a.deliver(ctx, post, a.reply(ctx, r, post))
}

// reply lets the handler answer, in a channel where it may.
func (a *App) reply(ctx context.Context, r request, post *answerPost) commands.Reply {
	if says := a.channels.refusal(ctx, r.channel, r.channelName); says != "" {
		refused := plainView(says)
		return commands.Reply{Whisper: &refused}
	}
	actor := incident.Actor{ID: r.user, Name: a.people.name(ctx, r.user), Team: r.team}
	if own, err := a.people.bot(ctx); actor.Team == "" && err == nil {
		actor.Team = own.team
	}
	return a.Handler.Handle(ctx, commands.Request{Actor: actor, Zone: a.people.zone(ctx, r.user), Place: incident.Place{Channel: r.channel}, Thread: r.thread,
		Command: r.command, Text: strings.TrimSpace(r.text), Action: r.action, Value: r.value, Answers: r.answers, Incident: a.incidentAt(ctx, r), Dedup: r.id,
		Meanwhile: func(view commands.View) { post.meanwhile(ctx, view) }})
}

// deliver brings the person what the handler answers.
func (a *App) deliver(ctx context.Context, post *answerPost, reply commands.Reply) {
	r := post.r
	if reply.Form != nil {
		a.ask(ctx, r, *reply.Form)
	}
	if reply.Post != nil {
		a.publish(ctx, post, *reply.Post)
	}
	if reply.Whisper != nil {
		a.whisper(ctx, r, *reply.Whisper)
	}
	for _, says := range reply.Wrong {
		a.whisper(ctx, r, plainView(says))
	}
}

// threadsFor is how long somebody may still ask in the thread of a closed incident.
const threadsFor = 30 * 24 * time.Hour

// incidentAt is the incident that is shown where words were typed; "" for none,
// or when it cannot be known. A button names its own.
func (a *App) incidentAt(ctx context.Context, r request) string {
	if r.action != "" || r.thread == "" {
		return ""
	}
	all, err := a.Incidents.Recent(ctx, a.options.Now().Add(-threadsFor))
	if err != nil {
		return ""
	}
	for _, inc := range all {
		for _, ref := range inc.Shown {
			if at := parseShown(ref); at.channel == r.channel && at.ts != "" && at.ts == r.thread {
				return inc.ID
			}
		}
	}
	return ""
}

// whisper answers one person alone: where the bot is in the channel as an
// ephemeral message, elsewhere by the request's own address.
func (a *App) whisper(ctx context.Context, r request, view commands.View) {
	blocks, text := Blocks(view)
	options := []slack.MsgOption{slack.MsgOptionText(text, false), slack.MsgOptionBlocks(blocks...)}
	posted := options
	if r.thread != "" {
		posted = append(posted, slack.MsgOptionTS(r.thread))
	}
	_, err := a.api.PostEphemeralContext(ctx, r.channel, r.user, posted...)
	if err != nil && r.response != "" {
		_, _, _, err = a.api.SendMessageContext(ctx, r.channel, append(options, slack.MsgOptionResponseURL(r.response, slack.ResponseTypeEphemeral))...)
	}
	if err != nil {
		a.options.Log.Warn("whisper", "actor", r.user, "err", a.withoutTokens(err))
	}
}

func orElse(a, b string) string {
	if a != "" {
		return a
	}
	return b
}
