package slack

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"time"

	"github.com/slack-go/slack"
	"golang.org/x/time/rate"

	"redis-session-bot/internal/commands"
	"redis-session-bot/internal/incident"
)

// altMost is how many code points Slack takes of what a picture shows, in words.
const altMost = 1000

// metadataType marks the bot's own messages, so that they can be found again.
const metadataType = "redis_session_incident"

// post posts a message. Where an earlier try may have arrived all the same it
// looks first: a message is never posted twice because an answer was lost.
func (p *projector) post(ctx context.Context, inc incident.Incident, key, root string, blocks []slack.Block, text string) (string, error) {
	if p.doubted(inc.ID, key) {
		ts, err := p.find(ctx, inc, key, root)
		switch {
		case err != nil && !final(err):
			return "", fmt.Errorf("look whether it was posted: %w", err)
		case err != nil: // the bot may not look there, now or later
			p.app.options.Log.Warn("look whether a message was posted", "incident", inc.ID, "message", key, "err", p.app.withoutTokens(err))
		case ts != "":
			// What it shows is not known: it is made equal.
			p.settle(inc.ID, key)
			return ts, p.edit(ctx, shown{channel: inc.Place.Channel, ts: ts}, blocks, text)
		}
	}
	if err := p.postLimit(inc.Place.Channel).Wait(ctx); err != nil {
		return "", err
	}
	options := append(content(blocks, text), slack.MsgOptionMetadata(slack.SlackMetadata{EventType: metadataType, EventPayload: mark(inc, key)}))
	if root != "" {
		options = append(options, slack.MsgOptionTS(root))
	}
	_, ts, err := p.app.api.PostMessageContext(ctx, inc.Place.Channel, options...)
	if undrawable(err) && len(blocks) > 0 {
		p.app.options.Log.Error("Slack refuses the blocks of a message; its text is shown", "incident", inc.ID, "message", key, "err", p.app.withoutTokens(err))
		return p.post(ctx, inc, key, root, nil, text)
	}
	if err != nil && ambiguous(err) {
		p.doubt(inc.ID, key)
		return "", err
	}
	p.settle(inc.ID, key)
	return ts, err
}

// mark is what a message says of itself. The start tells incidents apart that
// had the same ID in another life of the bot.
func mark(inc incident.Incident, key string) map[string]any {
	return map[string]any{"incident": inc.ID, "key": key, "since": inc.Since.UTC().Format(time.RFC3339Nano)}
}

// inherit notes that another process has shown the incident before, and may
// have ended between posting a message and remembering it.
func (p *projector) inherit(id string) { p.doubt(id, "") }

// trust ends that: every message of the incident is known now.
func (p *projector) trust(id string) { p.settle(id, "") }

func (p *projector) doubt(id, key string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.doubts[id+" "+key] = true
}

func (p *projector) settle(id, key string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.doubts, id+" "+key)
}

func (p *projector) doubted(id, key string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.doubts[id+" "] || p.doubts[id+" "+key]
}

// ambiguous reports whether an error leaves open if the message arrived:
// anything but an answer of Slack's that says no.
func ambiguous(err error) bool {
	var limited *slack.RateLimitedError
	return !final(err) && !errors.As(err, &limited)
}

// final reports whether Slack has answered no, and would again.
func final(err error) bool {
	var answer slack.SlackErrorResponse
	if !errors.As(err, &answer) {
		return false
	}
	switch answer.Err {
	case "internal_error", "fatal_error", "service_unavailable", "request_timeout", "ratelimited", "rate_limited", "team_added_to_org":
		return false
	}
	return true
}

// find looks for a message by its metadata; "" when it is not there.
func (p *projector) find(ctx context.Context, inc incident.Incident, key, root string) (string, error) {
	messages, err := p.recent(ctx, inc.Place.Channel, root)
	if err != nil {
		return "", err
	}
	self := p.app.people.self(ctx)
	for _, message := range messages {
		if message.User == self && message.Metadata.EventType == metadataType && maps.Equal(message.Metadata.EventPayload, mark(inc, key)) {
			return message.Timestamp, nil
		}
	}
	return "", nil
}

// recent are the newest messages of a channel, or of a thread.
func (p *projector) recent(ctx context.Context, channel, root string) ([]slack.Message, error) {
	if root != "" {
		replies, _, _, err := p.app.api.GetConversationRepliesContext(ctx, &slack.GetConversationRepliesParameters{ChannelID: channel, Timestamp: root, Limit: 200, IncludeAllMetadata: true})
		return replies, err
	}
	history, err := p.app.api.GetConversationHistoryContext(ctx, &slack.GetConversationHistoryParameters{ChannelID: channel, Limit: 200, IncludeAllMetadata: true})
	if err != nil {
		return nil, err
	}
	return history.Messages, nil
}

func (p *projector) edit(ctx context.Context, at shown, blocks []slack.Block, text string) error {
	if err := p.edits.Wait(ctx); err != nil {
		return err
	}
	_, _, _, err := p.app.api.UpdateMessageContext(ctx, at.channel, at.ts, content(blocks, text)...)
	if undrawable(err) && len(blocks) > 0 {
		p.app.options.Log.Error("Slack refuses the blocks of a message; its text is shown", "channel", at.channel, "ts", at.ts, "err", p.app.withoutTokens(err))
		return p.edit(ctx, at, nil, text)
	}
	return err
}

// content is what a message shows. Text without blocks takes old ones away.
func content(blocks []slack.Block, text string) []slack.MsgOption {
	options := []slack.MsgOption{slack.MsgOptionText(text, false)}
	if len(blocks) > 0 {
		options = append(options, slack.MsgOptionBlocks(blocks...))
	}
	return options
}

// undrawable reports whether Slack takes the message, but not its blocks.
func undrawable(err error) bool {
	for _, code := range []string{"invalid_blocks", "invalid_blocks_format", "msg_blocks_too_long"} {
		if isAnswer(err, code) {
			return true
		}
	}
	return false
}

// attach puts files into the thread.
func (p *projector) attach(ctx context.Context, channel, root string, files []commands.File) error {
	for _, file := range files {
		if err := p.upload(ctx, channel, root, file); err != nil {
			return err
		}
	}
	return nil
}

func (p *projector) upload(ctx context.Context, channel, root string, file commands.File) error {
	content := []byte(strings.ToValidUTF8(file.Text, "�"))
	if file.Draw != nil {
		var err error
		if content, err = file.Draw(ctx); err != nil || len(content) == 0 {
			return err
		}
	}
	if err := p.edits.Wait(ctx); err != nil {
		return err
	}
	_, err := p.app.api.UploadFileContext(ctx, slack.UploadFileParameters{Filename: file.Name, Title: file.Title, Content: string(content),
		FileSize: len(content), AltTxt: cut(file.Alt, altMost), Channel: channel, ThreadTimestamp: root})
	if err != nil {
		return fmt.Errorf("upload %s: %w", file.Name, err)
	}
	return nil
}

func (p *projector) postLimit(channel string) *rate.Limiter {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.posts[channel] == nil {
		p.posts[channel] = rate.NewLimiter(rate.Every(postEvery), postBurst)
	}
	return p.posts[channel]
}

func isAnswer(err error, code string) bool {
	var answer slack.SlackErrorResponse
	return errors.As(err, &answer) && answer.Err == code
}
