package slacktest_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/slack-go/slack"
	"github.com/slack-go/slack/slackevents"
	"github.com/slack-go/slack/socketmode"

	"redis-session-bot/internal/slack/slacktest"
)

func TestListensOnLoopbackOnly(t *testing.T) {
	for _, listen := range []string{"0.0.0.0:0", ":0", "192.0.2.1:80", "[::]:0", "example.org:80", "127.0.0.1"} {
		if w, err := slacktest.Start(t.Context(), slacktest.Options{Listen: listen}); err == nil {
			_ = w.Close()
			t.Errorf("%s was taken", listen)
		} else if !strings.Contains(err.Error(), "127.0.0.1") {
			t.Errorf("%s: %v says no way out", listen, err)
		}
	}
	start(t, slacktest.Options{Listen: "localhost:0"})
}

func TestReadyLine(t *testing.T) {
	w := start(t, slacktest.Options{})
	raw, err := json.Marshal(w.Ready())
	if err != nil {
		t.Fatal(err)
	}
	var r map[string]string
	if err := json.Unmarshal(raw, &r); err != nil || len(r) != 4 || !strings.HasSuffix(r["api"], "/api/") ||
		!strings.HasSuffix(r["page"], "/") || !strings.HasPrefix(r["botToken"], "xoxb-") || !strings.HasPrefix(r["appToken"], "xapp-") {
		t.Errorf("%s", raw)
	}
	resp, err := http.Get(r["page"])
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK || !strings.HasPrefix(resp.Header.Get("Content-Type"), "text/html") {
		t.Errorf("the page: %s %v", resp.Status, resp.Header)
	}
}

func TestWorkspaceIsDescribed(t *testing.T) {
	w := start(t, slacktest.Options{})
	got := get(t, w, "user/workspace")
	if users := got["users"].([]any); len(users) != 5 {
		t.Errorf("users: %v", users)
	}
	if dig(t, got, "channels", 2, "id") != "C_GEN" || dig(t, got, "channels", 2, "bot_member") != false ||
		dig(t, got, "commands", 0, "command") != "/redis-session" || dig(t, got, "bot", "user_id") != "U_BOT" {
		t.Errorf("got %v", got)
	}
}

func TestWhatPeopleCannotDo(t *testing.T) {
	w := start(t, slacktest.Options{
		Users: append(slacktest.DefaultUsers(), slacktest.User{ID: "U_GONE", Name: "gone", Deleted: true}),
		Channels: append(slacktest.DefaultChannels(),
			slacktest.Channel{ID: "C_CLOSED", Name: "closed", Outsiders: []string{"U_GUEST"}}),
	})
	ts := button(t, w)
	for _, c := range []struct {
		path string
		body M
		want string
	}{
		{"command", M{"user": "U_NONE", "channel": "C_INC", "command": "/redis-session"}, "user_not_found"},
		{"command", M{"user": "U_BOT", "channel": "C_INC", "command": "/redis-session"}, "user_not_found"},
		{"command", M{"user": "U_GONE", "channel": "C_INC", "command": "/redis-session"}, "account_inactive"},
		{"command", M{"user": "U_GUEST", "channel": "C_CLOSED", "command": "/redis-session"}, "channel_not_found"},
		{"command", M{"user": "U_MEMBER", "channel": "C_INC", "command": "/redis"}, "unknown_command"},
		{"click", M{"user": "U_MEMBER", "channel": "C_INC", "ts": "1.000001", "actionId": "go"}, "message_not_found"},
		{"click", M{"user": "U_MEMBER", "channel": "C_INC", "ts": ts, "actionId": "stop"}, "no_such_action"},
		{"click", M{"user": "U_MEMBER", "viewId": "V1", "actionId": "go"}, "not_found"},
		{"submit", M{"user": "U_MEMBER", "viewId": "V1"}, "not_found"},
		{"close", M{"user": "U_MEMBER", "viewId": "V1"}, "not_found"},
		{"message", M{"user": "U_MEMBER", "channel": "C_INC", "text": " "}, "no_text"},
		{"message", M{"user": "U_MEMBER", "channel": "C_INC", "text": "x", "thread": "1.000001"}, "thread_not_found"},
	} {
		if got := post(t, w, "user/"+c.path, c.body); got["ok"] != false || got["error"] != c.want {
			t.Errorf("%s %v: got %v, want %s", c.path, c.body, got, c.want)
		}
	}
	if got := post(t, w, "user/click", M{"user": "U_MEMBER", "action_id": "go"}); got["ok"] != false || !strings.Contains(got["error"].(string), "action_id") {
		t.Errorf("a misspelt field: %v", got)
	}
	noViolations(t, w)
}

func TestEphemeralsAreForOne(t *testing.T) {
	w := start(t, slacktest.Options{})
	a := run(t, w, acks)
	out, _ := call(t, w, "chat.postEphemeral", M{"channel": "C_INC", "user": "U_MEMBER", "blocks": []M{
		{"type": "actions", "elements": []M{{"type": "button", "action_id": "go", "text": M{"type": "plain_text", "text": "Go"}}}},
	}})
	press := slacktest.Press{User: "U_SECOND", Channel: "C_INC", TS: out["message_ts"].(string), ActionID: "go"}
	if got := w.Click(press); got.Error != "message_not_found" {
		t.Errorf("somebody else's: %+v", got)
	}
	press.User = "U_MEMBER"
	if got := w.Click(press); !got.OK {
		t.Fatalf("one's own: %+v", got)
	}
	click := a.next(t, socketmode.EventTypeInteractive)
	var payload M
	if err := json.Unmarshal(click.Request.Payload, &payload); err != nil {
		t.Fatal(err)
	}
	if payload["message"] != nil || dig(t, payload, "container", "is_ephemeral") != true {
		t.Errorf("payload: %v", payload)
	}
}

func TestResponseURL(t *testing.T) {
	clock := newClock()
	w := start(t, slacktest.Options{Now: clock.now})
	a := run(t, w, acks)
	ts := button(t, w)
	answer := func(address string, body M) int {
		t.Helper()
		raw, err := json.Marshal(body)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := http.Post(address, "application/json", bytes.NewReader(raw))
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		return resp.StatusCode
	}
	click := pressed(t, w, a, ts)
	// slack-go sends an empty metadata and blocks: null along.
	if _, _, err := a.PostMessageContext(t.Context(), "C_INC", slack.MsgOptionText("only you", false), slack.MsgOptionResponseURL(click.ResponseURL, slack.ResponseTypeEphemeral)); err != nil {
		t.Error(err)
	}
	if _, _, err := a.PostMessageContext(t.Context(), "C_INC", slack.MsgOptionText("instead", false), slack.MsgOptionReplaceOriginal(click.ResponseURL)); err != nil {
		t.Error(err)
	}
	for i, c := range []struct {
		body   M
		status int
	}{
		{M{"text": "all", "response_type": "in_channel"}, 200},
		{M{}, 400},
		{M{"blocks": []M{{"type": "nothing"}}}, 400},
		{M{"text": "four"}, 200},
		{M{"delete_original": true}, 200},
		{M{"text": "six"}, 404},
	} {
		if got := answer(click.ResponseURL, c.body); got != c.status {
			t.Errorf("answer %d: %d, want %d", i, got, c.status)
		}
	}
	violated(t, w, slacktest.ReplyMisused)
	violated(t, w, slacktest.PayloadRefused)
	for user, want := range map[string]string{"U_APPROVER": "only you,all,four", "U_MEMBER": "all"} {
		messages, err := w.Messages(user, "C_INC", "")
		var texts []string
		for _, m := range messages {
			texts = append(texts, m["text"].(string))
		}
		if got := strings.Join(texts, ","); got != want || err != nil {
			t.Errorf("%s sees %s, want %s", user, got, want)
		}
	}
	late := pressed(t, w, a, button(t, w))
	clock.move(30*time.Minute + time.Second)
	if got := answer(late.ResponseURL, M{"text": "late"}); got != 404 {
		t.Errorf("after half an hour: %d", got)
	}
	if got := answer(w.Ready().Page+"actions/T_LAB/nonsense", M{"text": "x"}); got != 404 {
		t.Errorf("an invented one: %d", got)
	}
}

func TestChoices(t *testing.T) {
	option := func(value string) M { return M{"value": value, "text": M{"type": "plain_text", "text": value}} }
	for name, c := range map[string]struct {
		element M
		value   string
		want    func(*slack.BlockAction) any
		is      any
		error   string
	}{
		"static_select": {element: M{"type": "static_select", "options": []M{option("1"), option("2")}}, value: `"2"`, is: "2",
			want: func(b *slack.BlockAction) any { return b.SelectedOption.Value }},
		"in a group": {element: M{"type": "static_select", "option_groups": []M{{"label": M{"type": "plain_text", "text": "g"}, "options": []M{option("1")}}}}, value: `"1"`, is: "1",
			want: func(b *slack.BlockAction) any { return b.SelectedOption.Value }},
		"no such option": {element: M{"type": "static_select", "options": []M{option("1")}}, value: `"3"`, error: "no_such_option"},
		"overflow": {element: M{"type": "overflow", "options": []M{option("1")}}, value: `"1"`, is: "1",
			want: func(b *slack.BlockAction) any { return b.SelectedOption.Value }},
		"checkboxes": {element: M{"type": "checkboxes", "options": []M{option("1"), option("2")}}, value: `["1","2"]`, is: 2,
			want: func(b *slack.BlockAction) any { return len(b.SelectedOptions) }},
		"users_select": {element: M{"type": "users_select"}, value: `"U_SECOND"`, is: "U_SECOND",
			want: func(b *slack.BlockAction) any { return b.SelectedUser }},
		"datepicker": {element: M{"type": "datepicker"}, value: `"2026-11-23"`, is: "2026-11-23",
			want: func(b *slack.BlockAction) any { return b.SelectedDate }},
		"datetimepicker": {element: M{"type": "datetimepicker"}, value: `"1795400000"`, is: int64(1795400000),
			want: func(b *slack.BlockAction) any { return b.SelectedDateTime }},
	} {
		t.Run(name, func(t *testing.T) {
			w := start(t, slacktest.Options{})
			a := run(t, w, acks)
			c.element["action_id"] = "it"
			out, _ := call(t, w, "chat.postMessage", M{"channel": "C_INC", "text": "x", "blocks": []M{{"type": "actions", "block_id": "b", "elements": []M{c.element}}}})
			got := post(t, w, "user/click", M{"user": "U_MEMBER", "channel": "C_INC", "ts": out["ts"], "actionId": "it", "value": json.RawMessage(c.value)})
			if c.error != "" {
				if got["error"] != c.error {
					t.Errorf("got %v", got)
				}
				return
			}
			click := a.next(t, socketmode.EventTypeInteractive).Data.(slack.InteractionCallback)
			if is := c.want(click.ActionCallback.BlockActions[0]); is != c.is {
				t.Errorf("chose %v, want %v", is, c.is)
			}
			kept := click.BlockActionState.Values["b"]["it"]
			if is := c.want(&kept); c.element["type"] != "overflow" && is != c.is {
				t.Errorf("the state has %v, want %v", is, c.is)
			}
		})
	}
}

func TestWhatIsTyped(t *testing.T) {
	w := start(t, slacktest.Options{Events: []string{"app_mention", "message.channels", "message.im"}})
	a := run(t, w, acks)
	quiet := w.Say(slacktest.Line{User: "U_MEMBER", Channel: "C_GEN", Text: "@redis-session-bot diagnose"})
	if !quiet.OK {
		t.Fatalf("%+v", quiet)
	}
	if got := w.Say(slacktest.Line{User: "U_MEMBER", Channel: "C_INC", Text: "a < b & <@U_SECOND> <!channel>"}); !got.OK {
		t.Fatalf("%+v", got)
	}
	// What was said where the bot is not comes to nobody; the first event is the second message's.
	event := a.next(t, socketmode.EventTypeEventsAPI).Data.(slackevents.EventsAPIEvent).InnerEvent.Data.(*slackevents.MessageEvent)
	if event.Text != "a &lt; b &amp; <@U_SECOND> <!channel>" || event.Channel != "C_INC" {
		t.Errorf("event: %+v", event)
	}
	noViolations(t, w)
}

func TestEventStream(t *testing.T) {
	w := start(t, slacktest.Options{})
	resp, err := http.Get(w.Ready().Page + "user/events")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	lines := bufio.NewScanner(resp.Body)
	lines.Scan() // the stream is open
	posted(t, w)
	for lines.Scan() {
		if line, ok := strings.CutPrefix(lines.Text(), "data: "); ok {
			if line != `{"type":"message","channel":"C_INC"}` {
				t.Errorf("got %s", line)
			}
			return
		}
	}
	t.Errorf("the stream ended: %v", lines.Err())
}

func TestPermalinkLeadsToThePage(t *testing.T) {
	w := start(t, slacktest.Options{})
	ts := posted(t, w)
	out, _ := call(t, w, "chat.getPermalink", M{"channel": "C_INC", "message_ts": ts})
	c := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := c.Get(out["permalink"].(string))
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if got := resp.Header.Get("Location"); got != "/?channel=C_INC&message="+ts {
		t.Errorf("%v leads to %q", out["permalink"], got)
	}
}

func TestDirectMessages(t *testing.T) {
	w := start(t, slacktest.Options{})
	opened, _ := call(t, w, "conversations.open", M{"users": "U_MEMBER"})
	id := dig(t, opened, "channel", "id").(string)
	if out, _ := call(t, w, "chat.postMessage", M{"channel": id, "text": "psst"}); out["ok"] != true {
		t.Fatalf("post: %v", out)
	}
	if messages, err := w.Messages("U_MEMBER", id, ""); err != nil || len(messages) != 1 {
		t.Errorf("%v, %v", messages, err)
	}
	if _, err := w.Messages("U_SECOND", id, ""); err == nil {
		t.Error("somebody else reads it")
	}
}
