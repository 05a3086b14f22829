package page_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/slack-go/slack"
	"github.com/slack-go/slack/slackevents"
	"github.com/slack-go/slack/socketmode"

	"redis-session-bot/internal/slack/slacktest"
)

// app is a small Slack app on Slack's own protocol: what the page does reaches
// it, and what it does shows on the page.
type app struct {
	t   *testing.T
	api *slack.Client
}

func plain(text string) *slack.TextBlockObject {
	return slack.NewTextBlockObject(slack.PlainTextType, text, false, false)
}

func markdown(text string) *slack.TextBlockObject {
	return slack.NewTextBlockObject(slack.MarkdownType, text, false, false)
}

// run starts a workspace and the app in it, and returns the page's address.
func run(t *testing.T) *slacktest.Workspace {
	t.Helper()
	workspace, err := slacktest.Start(context.Background(), slacktest.Options{}) // it outlives the browser's page
	must(t, err)
	ready := workspace.Ready()
	a := &app{t, slack.New(ready.BotToken, slack.OptionAPIURL(ready.API), slack.OptionAppLevelToken(ready.AppToken))}
	link := socketmode.New(a.api)
	ctx, cancel := context.WithCancel(context.Background())
	connected, done := make(chan struct{}, 1), make(chan struct{}, 2)
	go func() {
		link.RunContext(ctx) // ends with ctx, whose error it returns
		done <- struct{}{}
	}()
	go func() {
		defer func() { done <- struct{}{} }()
		for {
			select {
			case <-ctx.Done():
				return
			case event := <-link.Events:
				if event.Type == socketmode.EventTypeHello {
					connected <- struct{}{}
				}
				if event.Request == nil || event.Request.EnvelopeID == "" {
					continue
				}
				answer, act := a.handle(ctx, event)
				if err := link.AckCtx(ctx, event.Request.EnvelopeID, answer); err != nil && ctx.Err() == nil {
					t.Errorf("ack: %v", err)
				}
				if err := act(); err != nil && ctx.Err() == nil {
					t.Errorf("%s: %v", event.Type, err)
				}
			}
		}
	}()
	t.Cleanup(func() {
		cancel()
		<-done
		<-done
		if breaches := workspace.Violations(); len(breaches) > 0 {
			t.Errorf("the workspace counts breaches: %+v", breaches)
		}
		must(t, workspace.Close())
	})
	<-connected
	return workspace
}

func nothing() error { return nil }

// handle says what to acknowledge with, and what to do after that.
func (a *app) handle(ctx context.Context, event socketmode.Event) (any, func() error) {
	switch data := event.Data.(type) {
	case slack.SlashCommand:
		return nil, func() error { return a.incident(ctx, data) }
	case slackevents.EventsAPIEvent:
		mention, ok := data.InnerEvent.Data.(*slackevents.AppMentionEvent)
		if !ok {
			return nil, nothing
		}
		return nil, func() error {
			_, _, err := a.api.PostMessageContext(ctx, mention.Channel, slack.MsgOptionTS(mention.ThreadTimeStamp),
				slack.MsgOptionText("heard you, <@"+mention.User+">", false))
			return err
		}
	case slack.InteractionCallback:
		if data.Type == slack.InteractionTypeViewSubmission {
			return a.submitted(ctx, data)
		}
		return nil, func() error { return a.pressed(ctx, data) }
	}
	return nil, nothing
}

func (a *app) incident(ctx context.Context, command slack.SlashCommand) error {
	if command.UserID == "U_MEMBER" {
		_, err := a.api.PostEphemeralContext(ctx, command.ChannelID, command.UserID, slack.MsgOptionText("Ask <!subteam^S_APPROVERS>.", false))
		return err
	}
	apply := slack.NewButtonBlockElement("apply", "INC-1", plain("Apply …")).WithStyle(slack.StylePrimary)
	apply.Confirm = slack.NewConfirmationBlockObject(plain("Apply plan 1?"), plain("It restarts Redis."), plain("Apply it"), plain("Not now"))
	options := make([]*slack.OptionBlockObject, 2)
	for i := range options {
		options[i] = slack.NewOptionBlockObject(fmt.Sprint(i+3), plain(fmt.Sprintf("Revision %d", i+3)), nil)
	}
	_, _, err := a.api.PostMessageContext(ctx, command.ChannelID, slack.MsgOptionText("INC-1", false), slack.MsgOptionBlocks(
		slack.NewHeaderBlock(plain("Redis session store down")),
		slack.NewSectionBlock(markdown("asked for: *"+command.Text+"*"), nil, nil),
		slack.NewActionBlock("buttons", apply,
			slack.NewButtonBlockElement("reason", "INC-1", plain("Close …")),
			slack.NewOptionsSelectBlockElement(slack.OptTypeStatic, plain("Roll back to"), "revision", options...)),
	))
	return err
}

func (a *app) pressed(ctx context.Context, click slack.InteractionCallback) error {
	action := click.ActionCallback.BlockActions[0]
	said := ""
	switch action.ActionID {
	case "apply":
		said = "applied by <@" + click.User.ID + ">"
	case "revision":
		said = "chosen: revision " + action.SelectedOption.Value
	case "reason":
		input := slack.NewPlainTextInputBlockElement(plain("what it was"), "text")
		_, err := a.api.OpenViewContext(ctx, click.TriggerID, slack.ModalViewRequest{
			Type: slack.VTModal, CallbackID: "close", Title: plain("Close INC-1"), Submit: plain("Close it"), Close: plain("Keep it open"),
			PrivateMetadata: click.Channel.ID + " " + click.Message.Timestamp,
			Blocks:          slack.Blocks{BlockSet: []slack.Block{slack.NewInputBlock("why", plain("Cause"), plain("One line."), input)}},
		})
		return err
	}
	blocks := click.Message.Blocks.BlockSet
	_, _, _, err := a.api.UpdateMessageContext(ctx, click.Channel.ID, click.Message.Timestamp, slack.MsgOptionText("INC-1", false),
		slack.MsgOptionBlocks(slack.NewSectionBlock(markdown(said), nil, nil), blocks[len(blocks)-1]))
	return err
}

func (a *app) submitted(ctx context.Context, form slack.InteractionCallback) (any, func() error) {
	why := form.View.State.Values["why"]["text"].Value
	if len(why) < 5 {
		return slack.NewErrorsViewSubmissionResponse(map[string]string{"why": "Say a little more."}), nothing
	}
	return nil, func() error {
		var channel, ts string
		if _, err := fmt.Sscan(form.View.PrivateMetadata, &channel, &ts); err != nil {
			return err
		}
		report := "line 1\nline 2\nline 3\nline 4\nline 5\nthe cause: " + why + "\n"
		_, err := a.api.UploadFileContext(ctx, slack.UploadFileParameters{
			Channel: channel, ThreadTimestamp: ts, Filename: "report.txt", Title: "Report of INC-1", Content: report, FileSize: len(report)})
		return err
	}
}

// A responder's way through the page, with a real app behind it.
func TestWalkThroughTheWorkspace(t *testing.T) {
	workspace := run(t)
	b := start(t)
	must(t, b.Open(workspace.Ready().Page+"?user=U_RESPONDER&channel=C_INC&theme=light", 1440, 900))
	must(t, b.Type(box, "/redis-session diagnose\r"))
	must(t, b.WaitText("asked for: diagnose"))

	must(t, b.ClickName("Apply …"))
	must(t, b.WaitText("It restarts Redis."))
	must(t, b.ClickName("Apply it"))
	must(t, b.WaitText("applied by @Rae Sponder"))
	must(t, b.WaitText("(edited)"))

	must(t, b.ClickName("Roll back to"))
	must(t, b.ClickName("Revision 4"))
	must(t, b.WaitText("chosen: revision 4"))

	must(t, b.ClickName("Close …"))
	must(t, b.WaitText("Close INC-1"))
	must(t, b.Type(".modal input", "oom"))
	must(t, b.ClickName("Close it"))
	must(t, b.WaitText("Say a little more."))
	must(t, b.Type(".modal input", ": its limit is too low"))
	picture(t, b, "workspace-modal")
	must(t, b.ClickName("Close it"))
	must(t, b.WaitNoText("Close INC-1"))

	must(t, b.ClickName("1 reply"))
	must(t, b.ClickName("Expand Report of INC-1"))
	must(t, b.WaitText("the cause: oom: its limit is too low"))
	must(t, b.Type(".thread .box", "@redis-session-bot status\r"))
	must(t, b.WaitText("heard you, @Rae Sponder"))
	picture(t, b, "workspace")

	must(t, b.ClickName("Close thread"))
	must(t, b.ClickName("Switch user, now Rae Sponder"))
	must(t, b.ClickName("Mel Ember"))
	must(t, b.WaitName("Switch user, now Mel Ember"))
	must(t, b.Type(box, "/redis-session diagnose\r"))
	must(t, b.WaitText("Ask @sre-oncall."))
	must(t, b.WaitText("Only visible to you"))

	must(t, b.ClickName("Switch user, now Mel Ember"))
	must(t, b.ClickName("Rae Sponder"))
	must(t, b.WaitName("Switch user, now Rae Sponder"))
	must(t, b.WaitText("chosen: revision 4"))
	must(t, b.WaitNoText("Ask @sre-oncall."))
}
