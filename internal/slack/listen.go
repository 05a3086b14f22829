package slack

import (
	"context"
	"fmt"
	"strings"
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

// listen reads what Slack sends until ctx or the connection's life ends.
// Everything is acknowledged first and worked on after.
func (a *App) listen(ctx context.Context, ended chan error) {
	slots := make(chan struct{}, workers)
	for {
		select {
		case <-ctx.Done():
			return
		case err := <-ended:
			ended <- err
			return
		case event := <-a.socket.Events:
			a.note(event)
			if event.Request == nil || !a.isRequest(event.Type) {
				continue
			}
			if err := a.socket.AckCtx(ctx, event.Request.EnvelopeID, nil); err != nil {
				a.options.Log.Warn("acknowledge", "err", a.withoutTokens(err))
			}
			go func() {
				slots <- struct{}{}
				defer func() { <-slots }()
				a.work(ctx, event)
			}()
		}
	}
}

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
	case socketmode.EventTypeConnectionError, socketmode.EventTypeInvalidAuth, socketmode.EventTypeIncomingError:
		a.setState(false, fmt.Sprintf("Slack: %s", event.Type))
	case socketmode.EventTypeErrorWriteFailed:
		a.options.Log.Warn("an acknowledgement was not written; Slack will deliver the request again")
	}
}

// work turns one envelope into a request and answers it.
func (a *App) work(ctx context.Context, event socketmode.Event) {
	defer func() {
		if trouble := recover(); trouble != nil {
			a.options.Log.Error("a request made the bot stumble", "trouble", fmt.Sprint(trouble))
		}
	}()
	ctx, cancel := context.WithTimeout(ctx, answerWithin)
	defer cancel()
	switch payload := event.Data.(type) {
	case slack.SlashCommand:
		a.answer(ctx, request{id: payload.TriggerID, user: payload.UserID, team: payload.TeamID, channel: payload.ChannelID,
			channelName: payload.ChannelName, text: payload.Text, response: payload.ResponseURL})
	case slack.InteractionCallback:
		a.clicked(ctx, payload)
	case slackevents.EventsAPIEvent:
		if mention, ok := payload.InnerEvent.Data.(*slackevents.AppMentionEvent); ok && mention.BotID == "" {
			_, text, _ := strings.Cut(mention.Text, ">")
			a.answer(ctx, request{id: mention.Channel + mention.TimeStamp, user: mention.User, team: payload.TeamID,
				channel: mention.Channel, thread: mention.ThreadTimeStamp, text: text})
		}
	default:
		a.options.Log.Info("an envelope of a kind that the bot does not use", "type", string(event.Type))
	}
}

// clicked answers each pressed button of a payload.
func (a *App) clicked(ctx context.Context, payload slack.InteractionCallback) {
	if payload.Type != slack.InteractionTypeBlockActions {
		return
	}
	thread := payload.Container.ThreadTs
	if thread == "" {
		thread = payload.Message.ThreadTimestamp
	}
	for _, action := range payload.ActionCallback.BlockActions {
		a.answer(ctx, request{id: payload.User.ID + action.ActionTs + action.ActionID, user: payload.User.ID, team: payload.User.TeamID,
			channel: payload.Channel.ID, channelName: payload.Channel.Name, thread: thread, action: action.ActionID, value: action.Value,
			response: payload.ResponseURL})
	}
}

// request is what somebody asked for, in Slack's terms.
type request struct {
	id, user, team, channel, channelName, thread string
	text, action, value                          string
	response                                     string // URL for an answer to that person alone
}

// answer lets the handler answer, once, in a channel where it may.
func (a *App) answer(ctx context.Context, r request) {
	if !a.seen.first(r.id) {
		return
	}
	if says := a.channels.refusal(ctx, r.channel, r.channelName); says != "" {
		a.whisper(ctx, r, commands.View{Summary: says, Parts: []commands.Part{commands.Paragraph{Text: commands.Text{{Text: says}}}}})
		return
	}
	actor := incident.Actor{ID: r.user, Name: a.people.name(ctx, r.user), Team: orElse(r.team, a.people.team())}
	reply := a.Handler.Handle(ctx, commands.Request{Actor: actor, Place: incident.Place{Channel: r.channel}, Thread: r.thread,
		Text: strings.TrimSpace(r.text), Action: r.action, Value: r.value, Dedup: r.id})
	if reply.Whisper != nil {
		a.whisper(ctx, r, *reply.Whisper)
	}
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
