package slack

import (
	"context"

	"github.com/slack-go/slack"

	"redis-session-bot/internal/commands"
)

// publish posts what somebody asked for where they asked, and its files below
// it. Nothing keeps it equal to anything later. It is posted once: where Slack's
// answer is lost, the person looks and asks again.
func (a *App) publish(ctx context.Context, r request, message commands.Message) {
	blocks, text := Blocks(a.people.identified(ctx, message.View))
	options := content(blocks, text)
	if r.thread != "" {
		options = append(options, slack.MsgOptionTS(r.thread))
	}
	root, err := r.thread, a.showing.postLimit(r.channel).Wait(ctx)
	if err == nil {
		var ts string
		_, ts, err = a.api.PostMessageContext(ctx, r.channel, options...)
		root = orElse(root, ts)
	}
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
