package slacktest_test

import (
	"strings"
	"testing"

	"github.com/slack-go/slack"
	"github.com/slack-go/slack/slackevents"
	"github.com/slack-go/slack/socketmode"

	"redis-session-bot/internal/slack/slacktest"
)

// A walk through everything that an app does, with slack-go on the app's side and HTTP on the people's.
func TestWalk(t *testing.T) {
	w := start(t, slacktest.Options{})
	a := run(t, w, acks)

	answer := post(t, w, "user/command", M{"user": "U_RESPONDER", "channel": "C_INC", "command": "/redis-session", "text": "diagnose"})
	if answer["ok"] != true || answer["ackMs"].(float64) > 3000 {
		t.Fatalf("command: %v", answer)
	}
	cmd := a.next(t, socketmode.EventTypeSlashCommand).Data.(slack.SlashCommand)
	if cmd.Text != "diagnose" || cmd.UserID != "U_RESPONDER" || cmd.ChannelName != "inc-redis" {
		t.Errorf("command: %+v", cmd)
	}

	confirm := slack.NewConfirmationBlockObject(
		slack.NewTextBlockObject(slack.PlainTextType, "Apply?", false, false),
		slack.NewTextBlockObject(slack.MarkdownType, "This *writes*.", false, false),
		slack.NewTextBlockObject(slack.PlainTextType, "Apply", false, false),
		slack.NewTextBlockObject(slack.PlainTextType, "Cancel", false, false))
	button := slack.NewButtonBlockElement("apply", "INC-7/3", slack.NewTextBlockObject(slack.PlainTextType, "Apply …", false, false)).WithConfirm(confirm)
	blocks := slack.MsgOptionBlocks(
		slack.NewSectionBlock(slack.NewTextBlockObject(slack.MarkdownType, "Plan 3", false, false), nil, nil),
		slack.NewActionBlock("plan", button))
	channel, ts, err := a.PostMessageContext(t.Context(), "C_INC", slack.MsgOptionText("Plan 3", false), blocks)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := a.PostMessageContext(t.Context(), "C_INC", slack.MsgOptionText("a detail", false), slack.MsgOptionTS(ts)); err != nil {
		t.Fatal(err)
	}
	if _, err := a.PostEphemeralContext(t.Context(), "C_INC", "U_MEMBER", slack.MsgOptionText("only you", false)); err != nil {
		t.Fatal(err)
	}

	press := M{"user": "U_APPROVER", "channel": channel, "ts": ts, "actionId": "apply"}
	if answer := post(t, w, "user/click", press); answer["error"] != "needs_confirmation" || dig(t, answer, "confirm", "title", "text") != "Apply?" {
		t.Fatalf("unconfirmed click: %v", answer)
	}
	press["confirmed"] = true
	if answer := post(t, w, "user/click", press); answer["ok"] != true {
		t.Fatalf("click: %v", answer)
	}
	click := a.next(t, socketmode.EventTypeInteractive).Data.(slack.InteractionCallback)
	if click.Type != slack.InteractionTypeBlockActions || click.User.ID != "U_APPROVER" || click.Message.Timestamp != ts {
		t.Errorf("click: %+v", click)
	}
	if act := click.ActionCallback.BlockActions[0]; act.Value != "INC-7/3" || act.BlockID != "plan" || act.ActionTs == "" {
		t.Errorf("action: %+v", act)
	}

	if _, err := a.OpenViewContext(t.Context(), click.TriggerID, modal("Why?")); err != nil {
		t.Fatal(err)
	}
	view := get(t, w, "user/view?user=U_APPROVER")
	if view["callback_id"] != "why" {
		t.Fatalf("view: %v", view)
	}
	if other := get(t, w, "user/view?user=U_SECOND"); other != nil {
		t.Errorf("somebody else's view: %v", other)
	}
	empty := post(t, w, "user/submit", M{"user": "U_APPROVER", "viewId": view["id"], "values": M{}})
	if dig(t, empty, "errors", "reason") == nil {
		t.Errorf("an empty submission: %v", empty)
	}
	full := M{"user": "U_APPROVER", "viewId": view["id"], "values": M{"reason": M{"text": "because"}}}
	if answer := post(t, w, "user/submit", full); answer["ok"] != true || answer["errors"] != nil {
		t.Fatalf("submit: %v", answer)
	}
	sub := a.next(t, socketmode.EventTypeInteractive).Data.(slack.InteractionCallback)
	if sub.Type != slack.InteractionTypeViewSubmission || sub.View.State.Values["reason"]["text"].Value != "because" {
		t.Errorf("submission: %+v", sub.View.State)
	}
	if view := get(t, w, "user/view?user=U_APPROVER"); view != nil {
		t.Errorf("the view is still open: %v", view)
	}

	if _, _, _, err := a.UpdateMessageContext(t.Context(), channel, ts, slack.MsgOptionText("Applied", false)); err != nil {
		t.Fatal(err)
	}
	gone := post(t, w, "user/click", press)
	if gone["error"] != "no_such_action" {
		t.Errorf("click on what is gone: %v", gone)
	}
	press["stale"], press["value"] = true, "INC-7/3"
	if answer := post(t, w, "user/click", press); answer["ok"] != true {
		t.Errorf("stale click: %v", answer)
	}
	stale := a.next(t, socketmode.EventTypeInteractive).Data.(slack.InteractionCallback)
	if stale.ActionCallback.BlockActions[0].Value != "INC-7/3" {
		t.Errorf("stale click: %+v", stale.ActionCallback.BlockActions[0])
	}

	file, err := a.UploadFileContext(t.Context(), slack.UploadFileParameters{
		Channel: channel, ThreadTimestamp: ts, Filename: "redis.log", Title: "Redis' log", FileSize: 8, Reader: strings.NewReader("it fails"),
	})
	if err != nil {
		t.Fatal(err)
	}
	thread := get(t, w, "user/messages?user=U_RESPONDER&channel=C_INC&thread="+ts)["messages"].([]any)
	if len(thread) != 3 || dig(t, thread, 0, "edited") == nil || dig(t, thread, 0, "blocks") != nil || dig(t, thread, 0, "reply_count") != 2.0 {
		t.Errorf("thread: %v", thread)
	}
	got := dig(t, thread, 2, "files", 0).(M)
	if got["id"] != file.ID || got["content"] != "it fails" || got["mimetype"] != "text/plain" || got["filetype"] != "text" || got["size"] != 8.0 {
		t.Errorf("file: %v", got)
	}
	for user, sees := range map[string]int{"U_RESPONDER": 1, "U_MEMBER": 2} {
		top := get(t, w, "user/messages?user="+user+"&channel=C_INC")["messages"].([]any)
		if len(top) != sees {
			t.Errorf("%s sees %d messages, want %d: %v", user, len(top), sees, top)
		}
	}

	if answer := post(t, w, "user/message", M{"user": "U_GUEST", "channel": "C_INC", "text": "@redis-session-bot diagnose <now>", "thread": ts}); answer["ok"] != true {
		t.Fatalf("message: %v", answer)
	}
	event := a.next(t, socketmode.EventTypeEventsAPI).Data.(slackevents.EventsAPIEvent).InnerEvent.Data.(*slackevents.AppMentionEvent)
	if event.Text != "<@U_BOT> diagnose &lt;now&gt;" || event.ThreadTimeStamp != ts || event.User != "U_GUEST" {
		t.Errorf("mention: %+v", event)
	}
	noViolations(t, w)
}

func modal(title string) slack.ModalViewRequest {
	text := func(s string) *slack.TextBlockObject {
		return slack.NewTextBlockObject(slack.PlainTextType, s, false, false)
	}
	return slack.ModalViewRequest{
		Type: slack.VTModal, CallbackID: "why", Title: text(title), Submit: text("Send"), Close: text("Cancel"),
		Blocks: slack.Blocks{BlockSet: []slack.Block{
			slack.NewInputBlock("reason", text("Reason"), nil, slack.NewPlainTextInputBlockElement(nil, "text")),
		}},
	}
}
