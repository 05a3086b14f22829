package slack

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/slack-go/slack"

	"redis-session-bot/internal/commands"
	"redis-session-bot/internal/incident"
)

// pageType marks the messages of a Pager, so that they can be found again.
const pageType = "redis_session_page"

// Pager calls somebody in a channel: the first page is a message, and what
// belongs to it stands in its thread. It is an incident.Pager.
type Pager struct {
	app     *App
	channel string // name or ID
	mention string // a user group's handle or ID, or a user's ID; "" for nobody
}

// Pager makes one.
func (a *App) Pager(channel, mention string) *Pager {
	return &Pager{app: a, channel: strings.TrimPrefix(channel, "#"), mention: mention}
}

// postTries is how often a page is posted at the most, while there is time.
const postTries = 3

// Call posts a page and gives its timestamp.
func (p *Pager) Call(ctx context.Context, s incident.Summons) (string, error) {
	channel, err := p.app.channelID(ctx, p.channel)
	if err != nil {
		return "", p.failed(err)
	}
	root := s.Ref
	if root == "" && s.Act != incident.Trigger && s.Act != incident.Respond {
		if root, err = p.find(ctx, channel, "", func(mark map[string]any) bool { return mark["key"] == s.Key }); err != nil {
			return "", p.failed(err)
		}
		if root == "" {
			return "", nil // nobody was called here
		}
	}
	for try := 1; ; try++ {
		if s.Again || try > 1 {
			// An earlier try may have arrived all the same.
			ts, err := p.find(ctx, channel, root, func(mark map[string]any) bool { return mark["number"] == fmt.Sprint(s.Number) && mark["key"] == s.Key })
			if err == nil && ts != "" {
				return orElse(root, ts), nil
			}
		}
		ts, err := p.post(ctx, channel, root, s)
		if err == nil {
			return orElse(root, ts), nil
		}
		var limited *slack.RateLimitedError
		pause := time.Second
		if errors.As(err, &limited) {
			pause = limited.RetryAfter
		}
		deadline, bounded := ctx.Deadline()
		if final(err) || try == postTries || bounded && time.Until(deadline) < pause || wait(ctx, pause) != nil {
			return "", p.failed(err)
		}
	}
}

func (p *Pager) post(ctx context.Context, channel, root string, s incident.Summons) (string, error) {
	if err := p.app.showing.postLimit(channel).Wait(ctx); err != nil {
		return "", err
	}
	blocks, text := Blocks(p.app.people.identified(ctx, commands.PageView(s, p.mention)))
	mark := map[string]any{"key": s.Key, "number": fmt.Sprint(s.Number), "act": string(s.Act)}
	options := append(content(blocks, text), slack.MsgOptionMetadata(slack.SlackMetadata{EventType: pageType, EventPayload: mark}))
	if root != "" {
		options = append(options, slack.MsgOptionTS(root))
	}
	_, ts, err := p.app.api.PostMessageContext(ctx, channel, options...)
	return ts, err
}

// find looks for one of this pager's messages; "" when it is not there.
func (p *Pager) find(ctx context.Context, channel, root string, is func(mark map[string]any) bool) (string, error) {
	messages, err := p.app.showing.recent(ctx, channel, root)
	if err != nil {
		return "", err
	}
	self := p.app.people.self(ctx)
	for _, message := range messages {
		if message.User == self && message.Metadata.EventType == pageType && is(message.Metadata.EventPayload) {
			return message.Timestamp, nil
		}
	}
	return "", nil
}

// failed is an error for people, and without tokens. Slack's own no means that
// the message is not there.
func (p *Pager) failed(err error) error {
	refused := final(err)
	err = p.app.withoutTokens(err)
	says := "Slack: " + err.Error()
	if refused {
		err = fmt.Errorf("%w: %w", incident.ErrNotTaken, err)
	}
	return &incident.Refusal{Says: says, Err: err}
}
