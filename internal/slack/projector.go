package slack

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/slack-go/slack"
	"golang.org/x/time/rate"

	"redis-session-bot/internal/commands"
	"redis-session-bot/internal/incident"
)

// projector makes the messages in Slack equal to the incident, however often
// it changes and however badly Slack answers. The newest state wins.
type projector struct {
	app *App

	mu      sync.Mutex
	ctx     context.Context
	signals map[string]chan struct{}
	waiting []string // changed before the start
	posts   map[string]*rate.Limiter
	edits   *rate.Limiter
	work    sync.WaitGroup
}

// Slack takes about one message a second in a channel, in short bursts more,
// and some fifty edits a minute.
const (
	postEvery = 1100 * time.Millisecond
	postBurst = 3
	editEvery = 1250 * time.Millisecond
	editBurst = 8
	passEvery = 700 * time.Millisecond
	retryMin  = time.Second
	retryMax  = time.Minute
)

func newProjector(app *App) *projector {
	return &projector{app: app, signals: map[string]chan struct{}{}, posts: map[string]*rate.Limiter{},
		edits: rate.NewLimiter(rate.Every(editEvery), editBurst)}
}

func (p *projector) start(ctx context.Context) {
	p.mu.Lock()
	p.ctx = ctx
	waiting := p.waiting
	p.waiting = nil
	p.mu.Unlock()
	for _, id := range waiting {
		p.changed(id)
	}
}

func (p *projector) wait() { p.work.Wait() }

// changed wakes the worker of an incident; the first change makes it.
func (p *projector) changed(id string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ctx == nil {
		p.waiting = append(p.waiting, id)
		return
	}
	signal, working := p.signals[id]
	if !working {
		signal = make(chan struct{}, 1)
		p.signals[id] = signal
		ctx := p.ctx
		p.work.Go(func() { p.follow(ctx, id, signal) })
	}
	select {
	case signal <- struct{}{}:
	default: // it is awake
	}
}

// follow shows an incident each time it has changed.
func (p *projector) follow(ctx context.Context, id string, signal chan struct{}) {
	pause := retryMin
	for {
		select {
		case <-ctx.Done():
			return
		case <-signal:
		}
		err := p.pass(ctx, id, signal)
		if err == nil {
			pause = retryMin
			sleep(ctx, passEvery)
			continue
		}
		if ctx.Err() != nil {
			return
		}
		p.app.options.Log.Warn("show", "incident", id, "err", p.app.withoutTokens(err))
		var limited *slack.RateLimitedError
		if errors.As(err, &limited) {
			sleep(ctx, limited.RetryAfter)
		} else {
			sleep(ctx, pause)
			pause = min(2*pause, retryMax)
		}
		p.changed(id)
	}
}

func sleep(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}

// shown is what is known of one message: where it is, and what it shows.
type shown struct {
	channel, ts, digest, edition string
}

func (s shown) String() string {
	return strings.Join([]string{s.channel, s.ts, s.digest, orElse(s.edition, "-")}, " ")
}

func parseShown(ref string) shown {
	words := append(strings.Fields(ref), "", "", "", "")
	return shown{words[0], words[1], words[2], strings.TrimPrefix(words[3], "-")}
}

// pass makes every message equal to the incident as it is now, and begins
// again when it has changed meanwhile, so that its first message is never old.
func (p *projector) pass(ctx context.Context, id string, signal chan struct{}) error {
	for {
		inc, err := p.app.Incidents.Get(ctx, id)
		if err != nil {
			return fmt.Errorf("read %s: %w", id, err)
		}
		again := false
		root := ""
		for i, message := range p.app.Handler.Messages(inc) {
			at, worked, err := p.show(ctx, inc, message, root)
			if err != nil {
				return fmt.Errorf("%s: %w", message.Key, err)
			}
			if i == 0 {
				root = at
			}
			if worked && len(signal) > 0 {
				again = true
				break
			}
		}
		if !again {
			return nil
		}
		<-signal
	}
}

// show posts or edits one message and returns its timestamp; worked tells
// whether Slack had to be asked.
func (p *projector) show(ctx context.Context, inc incident.Incident, message commands.Message, root string) (ts string, worked bool, err error) {
	blocks, text := Blocks(message.View)
	digest, err := digestOf(blocks, text)
	if err != nil {
		return "", false, err
	}
	now := parseShown(inc.Shown[message.Key])
	is := now
	if now.ts != "" && now.digest != digest {
		worked = true
		switch err := p.edit(ctx, now, blocks, text); {
		case isAnswer(err, "message_not_found"):
			now.ts = "" // somebody deleted it: it is posted again
		case err != nil:
			return "", true, err
		}
		is.digest = digest
	}
	if now.ts == "" {
		worked = true
		if is.ts, err = p.post(ctx, inc, message.Key, root, blocks, text); err != nil {
			return "", true, err
		}
		is.channel, is.digest, is.edition = inc.Place.Channel, digest, ""
	}
	if message.Edition != is.edition && len(message.Files) > 0 {
		worked = true
		// The message is remembered first: what comes after may fail.
		if err := p.app.Incidents.Show(ctx, inc.ID, message.Key, is.String()); err != nil {
			return "", true, err
		}
		for _, file := range message.Files {
			if err := p.upload(ctx, is.channel, root, file); err != nil {
				return "", true, err
			}
		}
		is.edition = message.Edition
	}
	if worked {
		err = p.app.Incidents.Show(ctx, inc.ID, message.Key, is.String())
	}
	return is.ts, worked, err
}

func digestOf(blocks []slack.Block, text string) (string, error) {
	data, err := json.Marshal(blocks)
	if err != nil {
		return "", fmt.Errorf("draw: %w", err)
	}
	sum := sha256.Sum256(append(data, text...))
	return hex.EncodeToString(sum[:8]), nil
}

// metadataType marks the bot's own messages, so that they can be found again.
const metadataType = "redis_session_incident"

// post posts a message, after a look whether an earlier try has arrived all
// the same: a message is never posted twice because an answer was lost.
func (p *projector) post(ctx context.Context, inc incident.Incident, key, root string, blocks []slack.Block, text string) (string, error) {
	channel := inc.Place.Channel
	if err := p.postLimit(channel).Wait(ctx); err != nil {
		return "", err
	}
	options := []slack.MsgOption{slack.MsgOptionText(text, false), slack.MsgOptionBlocks(blocks...),
		slack.MsgOptionMetadata(slack.SlackMetadata{EventType: metadataType, EventPayload: map[string]any{"incident": inc.ID, "key": key, "since": inc.Since.UnixNano()}})}
	if root != "" {
		options = append(options, slack.MsgOptionTS(root))
	}
	_, ts, err := p.app.api.PostMessageContext(ctx, channel, options...)
	if err != nil && ambiguous(err) {
		if found, looked := p.find(ctx, inc, key, root); looked == nil && found != "" {
			return found, nil
		}
	}
	return ts, err
}

// ambiguous reports whether an error leaves open if the message arrived.
func ambiguous(err error) bool {
	var answer slack.SlackErrorResponse
	var limited *slack.RateLimitedError
	return !errors.As(err, &answer) && !errors.As(err, &limited)
}

// find looks for a message by its metadata; "" when it is not there.
func (p *projector) find(ctx context.Context, inc incident.Incident, key, root string) (string, error) {
	var messages []slack.Message
	if root == "" {
		history, err := p.app.api.GetConversationHistoryContext(ctx, &slack.GetConversationHistoryParameters{ChannelID: inc.Place.Channel, Limit: 50, IncludeAllMetadata: true})
		if err != nil {
			return "", err
		}
		messages = history.Messages
	} else {
		replies, _, _, err := p.app.api.GetConversationRepliesContext(ctx, &slack.GetConversationRepliesParameters{ChannelID: inc.Place.Channel, Timestamp: root, Limit: 200, IncludeAllMetadata: true})
		if err != nil {
			return "", err
		}
		messages = replies
	}
	for _, message := range messages {
		payload := message.Metadata.EventPayload
		if message.Metadata.EventType == metadataType && payload["incident"] == inc.ID && payload["key"] == key && fmt.Sprint(payload["since"]) == fmt.Sprint(float64(inc.Since.UnixNano())) {
			return message.Timestamp, nil
		}
	}
	return "", nil
}

func (p *projector) edit(ctx context.Context, at shown, blocks []slack.Block, text string) error {
	if err := p.edits.Wait(ctx); err != nil {
		return err
	}
	_, _, _, err := p.app.api.UpdateMessageContext(ctx, at.channel, at.ts, slack.MsgOptionText(text, false), slack.MsgOptionBlocks(blocks...))
	return err
}

func (p *projector) upload(ctx context.Context, channel, root string, file commands.File) error {
	if err := p.edits.Wait(ctx); err != nil {
		return err
	}
	content := strings.ToValidUTF8(file.Text, "�")
	_, err := p.app.api.UploadFileContext(ctx, slack.UploadFileParameters{Filename: file.Name, Title: file.Title, Content: content,
		FileSize: len(content), Channel: channel, ThreadTimestamp: root})
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
