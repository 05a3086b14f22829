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
	waiting []string        // changed before the start
	later   map[string]bool // changed elsewhere, to be looked at
	doubts  map[string]bool // incidents and messages that may be in Slack although nobody remembers where
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
	elsewhere = 5 * time.Second // another replica has, to show what it has changed
	retryMin  = time.Second
	retryMax  = time.Minute
)

func newProjector(app *App) *projector {
	return &projector{app: app, signals: map[string]chan struct{}{}, later: map[string]bool{}, doubts: map[string]bool{}, posts: map[string]*rate.Limiter{},
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

// changedElsewhere looks at an incident once the replica that has changed it has
// had the time to show it, and before it posts anything, whether that one has.
func (p *projector) changedElsewhere(id string) {
	p.inherit(id)
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ctx == nil {
		p.waiting = append(p.waiting, id)
		return
	}
	if p.later[id] {
		return
	}
	p.later[id] = true
	ctx := p.ctx
	p.work.Go(func() {
		if wait(ctx, elsewhere) != nil {
			return
		}
		p.mu.Lock()
		delete(p.later, id)
		p.mu.Unlock()
		p.changed(id)
	})
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
		err := p.guarded(ctx, id)
		if err == nil {
			pause = retryMin
			_ = wait(ctx, passEvery) // the loop sees that ctx has ended
			continue
		}
		if ctx.Err() != nil {
			return
		}
		p.app.options.Log.Warn("show", "incident", id, "err", p.app.withoutTokens(err))
		var limited *slack.RateLimitedError
		if errors.As(err, &limited) {
			_ = wait(ctx, limited.RetryAfter)
		} else {
			_ = wait(ctx, pause)
			pause = min(2*pause, retryMax)
		}
		p.changed(id)
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

// guarded is a pass that a fault of the bot's own does not end the bot with.
func (p *projector) guarded(ctx context.Context, id string) (err error) {
	defer func() {
		if trouble := recover(); trouble != nil {
			err = fmt.Errorf("draw %s: %v", id, trouble)
		}
	}()
	return p.pass(ctx, id)
}

// pass makes every message equal to the incident. It reads the incident anew
// after each call of Slack, so that no message is old when it is shown, and
// goes on behind that message, so that a busy one does not starve the others.
// What Slack refuses for good is told at the end; the other messages are shown.
func (p *projector) pass(ctx context.Context, id string) error {
	done := map[string]bool{}
	root := ""
	var refused error
	for {
		inc, err := p.app.Incidents.Get(ctx, id)
		if err != nil {
			return fmt.Errorf("read %s: %w", id, err)
		}
		worked := false
		for i, message := range p.app.Handler.Messages(inc) {
			if done[message.Key] {
				continue
			}
			done[message.Key] = true
			var at string
			at, worked, err = p.show(ctx, inc, message, root)
			switch {
			case err != nil && (i == 0 || !final(err)):
				return fmt.Errorf("%s: %w", message.Key, err)
			case err != nil:
				refused = errors.Join(refused, fmt.Errorf("%s: %w", message.Key, err))
			case i == 0:
				root = at
				p.link(ctx, inc, at)
			}
			if worked {
				break
			}
		}
		if !worked {
			if refused == nil {
				p.trust(id)
			}
			return refused
		}
	}
}

// link remembers the address of the incident's message, for those who are
// called from elsewhere. Where Slack does not give it, the next pass asks again.
func (p *projector) link(ctx context.Context, inc incident.Incident, ts string) {
	if strings.Contains(inc.Link, strings.ReplaceAll(ts, ".", "")) {
		return
	}
	link, err := p.app.api.GetPermalinkContext(ctx, &slack.PermalinkParameters{Channel: inc.Place.Channel, Ts: ts})
	if err == nil {
		err = p.app.Incidents.ShowAt(ctx, inc.ID, link)
	}
	if err != nil && ctx.Err() == nil {
		p.app.options.Log.Warn("remember where an incident is shown", "incident", inc.ID, "err", p.app.withoutTokens(err))
	}
}

// show posts or edits one message and returns its timestamp; worked tells
// whether Slack had to be asked.
func (p *projector) show(ctx context.Context, inc incident.Incident, message commands.Message, root string) (ts string, worked bool, err error) {
	blocks, text := Blocks(p.app.people.identified(ctx, message.View))
	digest, err := digestOf(blocks, text)
	if err != nil {
		return "", false, err
	}
	is := parseShown(inc.Shown[message.Key])
	attached := is.edition
	if is.ts != "" && is.digest != digest {
		worked = true
		switch err := p.edit(ctx, is, blocks, text); {
		case isAnswer(err, "message_not_found"):
			is.ts = "" // somebody deleted it: it is posted again
		case err != nil:
			return "", true, err
		}
	}
	if is.ts == "" {
		worked = true
		if is.ts, err = p.post(ctx, inc, message.Key, root, blocks, text); err != nil {
			return "", true, err
		}
		is.channel, attached = inc.Place.Channel, ""
	}
	is.digest, is.edition = digest, attached
	if worked {
		// It is remembered at once: what comes after may fail.
		if err := p.remember(ctx, inc.ID, message.Key, is.String()); err != nil {
			p.doubt(inc.ID, message.Key)
			return "", true, err
		}
	}
	if message.Edition == attached || len(message.Files) == 0 {
		return is.ts, worked, nil
	}
	err = p.attach(ctx, is.channel, root, message.Files)
	if err != nil && !final(err) {
		return "", true, err
	}
	// Files that Slack refuses are not tried for ever: the message stands without them.
	is.edition = message.Edition
	return is.ts, true, errors.Join(err, p.remember(ctx, inc.ID, message.Key, is.String()))
}

// rememberWithin is how long a bot that is stopped still waits for the store.
const rememberWithin = 5 * time.Second

// remember keeps what Slack has, also where the bot is being stopped: the next one
// would say it again.
func (p *projector) remember(ctx context.Context, id, key, ref string) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), rememberWithin)
	defer cancel()
	return p.app.Incidents.Show(ctx, id, key, ref)
}

func digestOf(blocks []slack.Block, text string) (string, error) {
	data, err := json.Marshal(blocks)
	if err != nil {
		return "", fmt.Errorf("draw: %w", err)
	}
	sum := sha256.Sum256(append(data, text...))
	return hex.EncodeToString(sum[:8]), nil
}
