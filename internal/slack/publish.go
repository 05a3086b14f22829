package slack

import (
	"context"
	"sync"

	"github.com/slack-go/slack"

	"redis-session-bot/internal/commands"
)

// answerPost is the message that answers one request: what is underway, and then
// what came of it.
type answerPost struct {
	app *App
	r   request

	mu sync.Mutex
	ts string // "" while nothing was posted
}

// meanwhile shows what is underway. Where Slack does not take it, the end is
// shown all the same.
func (p *answerPost) meanwhile(ctx context.Context, view commands.View) {
	if err := p.show(ctx, view); err != nil {
		p.app.options.Log.Debug("show what is underway", "actor", p.r.user, "channel", p.r.channel, "err", p.app.withoutTokens(err))
	}
}

// show posts a View, or puts it in the place of what was posted before.
func (p *answerPost) show(ctx context.Context, view commands.View) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	blocks, text := Blocks(p.app.people.identified(ctx, view))
	options := content(blocks, text)
	if p.ts != "" {
		_, _, _, err := p.app.api.UpdateMessageContext(ctx, p.r.channel, p.ts, options...)
		return err
	}
	if p.r.thread != "" {
		options = append(options, slack.MsgOptionTS(p.r.thread))
	}
	if err := p.app.showing.postLimit(p.r.channel).Wait(ctx); err != nil {
		return err
	}
	_, ts, err := p.app.api.PostMessageContext(ctx, p.r.channel, options...)
	p.ts = ts
	return err
}

// publish posts what somebody asked for where they asked, and its files below
// it. Nothing keeps it equal to anything later. It is posted once: where Slack's
// answer is lost, the person looks and asks again.
func (a *App) publish(ctx context.Context, p *answerPost, message commands.Message) {
	r, err := p.r, p.show(ctx, message.View)
	root := orElse(r.thread, p.ts)
	if err != nil {
		a.whisper(ctx, r, message.View) // where the bot is not in the channel, the person reads it all the same
	} else {
		err = a.showing.attach(ctx, r.channel, root, message.Files)
	}
	if err == nil {
		return
	}
	a.options.Log.Warn("post an answer", "actor", r.user, "channel", r.channel, "err", a.withoutTokens(err))
	if len(message.Files) > 0 {
		a.whisper(ctx, r, plainView("Slack did not take the file. Look at the bot's log, or run the same command in a terminal."))
	}
}

// plainView is a View of one sentence.
func plainView(says string) commands.View {
	return commands.View{Summary: says, Parts: []commands.Part{commands.Paragraph{Text: commands.Text{{Text: says}}}}}
}
