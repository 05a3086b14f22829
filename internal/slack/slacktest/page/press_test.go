package page_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"redis-session-bot/internal/slack/slacktest/browser"
)

const box = ".channel .box"

// inbox opens the channel with one message of the bot's, whose actions are given.
func inbox(t *testing.T, elements string) (*double, *browser.Browser) {
	t.Helper()
	d, b := newDouble(t), start(t)
	d.messages[""] = []byte(bot("1732331400.000100", "INC-7", elements))
	must(t, b.Open(d.URL+"/?user=U_RESPONDER&channel=C_INC&theme=light", 1200, 800))
	must(t, b.WaitText("INC-7"))
	return d, b
}

func bot(ts, text, elements string) string {
	return fmt.Sprintf(`[{"ts":%q,"bot_id":"B","user":"U_BOT","text":"x","blocks":[
		{"type":"section","block_id":"s","text":{"type":"mrkdwn","text":%q}},
		{"type":"actions","block_id":"a","elements":[%s]}]}]`, ts, text, elements)
}

func button(id, label, more string) string {
	return fmt.Sprintf(`{"type":"button","action_id":%q,"value":"INC-7","text":{"type":"plain_text","text":%q}%s}`, id, label, more)
}

// waitCall polls until the page has sent n requests to a path, and returns the last one.
func waitCall(t *testing.T, d *double, path string, n int) map[string]any {
	t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for time.Now().Before(deadline) {
		if calls := d.calls(path); len(calls) >= n {
			return calls[n-1]
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("the page sent %d requests to %s, not %d", len(d.calls(path)), path, n)
	return nil
}

func wantCall(t *testing.T, d *double, path string, n int, want map[string]any) {
	t.Helper()
	if diff := cmp.Diff(want, waitCall(t, d, path, n)); diff != "" {
		t.Errorf("request %d to %s (-want +got):\n%s", n, path, diff)
	}
}

func TestCommand(t *testing.T) {
	d, b := inbox(t, button("next", "Run", ""))
	must(t, b.Type(box, "/"))
	must(t, b.WaitText("Diagnose and repair the Redis session store"))
	picture(t, b, "commands")
	must(t, b.Type(box, "red\tdiagnose staging\r"))
	wantCall(t, d, "/user/command", 1, map[string]any{
		"user": "U_RESPONDER", "channel": "C_INC", "command": "/redis-session", "text": "diagnose staging"})

	d.say("/user/command", `{"ok":false,"error":"operation_timeout"}`)
	must(t, b.Type(box, "/redis-session status\r"))
	must(t, b.WaitText("/redis-session failed because the app did not respond in time"))
	must(t, b.WaitText("Only visible to you"))

	must(t, b.Type(box, "/nonsense\r"))
	must(t, b.WaitText("/nonsense is not a valid command"))
	if n := len(d.calls("/user/command")); n != 2 {
		t.Errorf("the page sent %d commands, not 2: an unknown one is not the app's", n)
	}
}

func TestMessage(t *testing.T) {
	d, b := inbox(t, button("next", "Run", ""))
	must(t, b.Type(box, "@redis-ses\tdiagnose a<b & #inc-redis\r"))
	wantCall(t, d, "/user/message", 1, map[string]any{
		"user": "U_RESPONDER", "channel": "C_INC", "text": "<@U_BOT> diagnose a<b & <#C_INC>"})
}

func TestThread(t *testing.T) {
	d, b := newDouble(t), start(t)
	must(t, b.Open(d.URL+"/?user=U_RESPONDER&channel=C_INC", 1200, 800))
	must(t, b.ClickName("4 replies"))
	must(t, b.WaitText("Pods: 1 pod, not ready"))
	must(t, b.Type(".thread .box", "on it\r"))
	wantCall(t, d, "/user/message", 1, map[string]any{
		"user": "U_RESPONDER", "channel": "C_INC", "thread": "1732331400.000100", "text": "on it"})
	must(t, b.Type(".thread .box", "/redis-session diagnose\r"))
	must(t, b.WaitText("is not supported in threads"))
	must(t, b.ClickName("Close thread"))
	must(t, b.WaitNoText("Pods: 1 pod, not ready"))
	var query string
	must(t, b.Eval("location.search", &query))
	if strings.Contains(query, "thread") {
		t.Errorf("the address still names the thread: %s", query)
	}
}

func TestClick(t *testing.T) {
	confirm := `{"title":{"type":"plain_text","text":"Apply plan 3?"},"text":{"type":"mrkdwn","text":"*4 changes*"},
		"confirm":{"type":"plain_text","text":"Apply it"},"deny":{"type":"plain_text","text":"Not now"},"style":"danger"}`
	d, b := inbox(t, button("apply", "Apply …", `,"style":"primary","confirm":`+confirm))
	asks := `{"ok":false,"error":"needs_confirmation","confirm":` + confirm + `}`
	d.say("/user/click", asks, asks, `{"ok":true,"ackMs":2}`, `{"ok":false,"error":"operation_timeout"}`)
	click := map[string]any{"user": "U_RESPONDER", "channel": "C_INC", "ts": "1732331400.000100", "actionId": "apply", "blockId": "a", "value": "INC-7"}

	must(t, b.ClickName("Apply …"))
	must(t, b.WaitText("Apply plan 3?"))
	picture(t, b, "confirm")
	must(t, b.ClickName("Not now"))
	must(t, b.WaitNoText("Apply plan 3?"))
	wantCall(t, d, "/user/click", 1, click)

	must(t, b.ClickName("Apply …"))
	must(t, b.ClickName("Apply it"))
	wantCall(t, d, "/user/click", 2, click)
	click["confirmed"] = true
	wantCall(t, d, "/user/click", 3, click)

	must(t, b.ClickName("Apply …"))
	must(t, b.WaitText("This app did not respond in time"))
}

func TestSelects(t *testing.T) {
	d, b := inbox(t, `{"type":"static_select","action_id":"rev","placeholder":{"type":"plain_text","text":"Roll back to"},"options":[
		{"text":{"type":"plain_text","text":"Revision 3"},"value":"3"},{"text":{"type":"plain_text","text":"Revision 4"},"value":"4"}]},
		{"type":"overflow","action_id":"more","options":[{"text":{"type":"plain_text","text":"Show kubectl"},"value":"k"}]},
		{"type":"users_select","action_id":"who","placeholder":{"type":"plain_text","text":"Hand over to"}}`)
	must(t, b.ClickName("Roll back to"))
	picture(t, b, "select")
	must(t, b.ClickName("Revision 4"))
	if got := waitCall(t, d, "/user/click", 1)["value"]; got != "4" {
		t.Errorf("the select sent %v, not 4", got)
	}
	must(t, b.WaitName("Revision 4"))
	must(t, b.ClickName("More actions"))
	must(t, b.ClickName("Show kubectl"))
	if got := waitCall(t, d, "/user/click", 2)["value"]; got != "k" {
		t.Errorf("the overflow sent %v, not k", got)
	}
	must(t, b.ClickName("Hand over to"))
	must(t, b.ClickName("Avi Approver"))
	if got := waitCall(t, d, "/user/click", 3)["value"]; got != "U_APPROVER" {
		t.Errorf("the people's select sent %v, not U_APPROVER", got)
	}
}

func TestModal(t *testing.T) {
	d, b := inbox(t, button("next", "Run", ""))
	view := func(id, title, previous string) string {
		return fmt.Sprintf(`{"id":%q,"type":"modal","previous_view_id":%s,"title":{"type":"plain_text","text":%q},
		"submit":{"type":"plain_text","text":"Save"},"close":{"type":"plain_text","text":"Cancel"},"blocks":[
		{"type":"input","block_id":"why","label":{"type":"plain_text","text":"Reason"},"element":{"type":"plain_text_input","action_id":"text","multiline":true}},
		{"type":"input","block_id":"mem","optional":true,"label":{"type":"plain_text","text":"Memory"},"element":{"type":"number_input","action_id":"mi","is_decimal_allowed":false}},
		{"type":"input","block_id":"rev","label":{"type":"plain_text","text":"Revision"},"element":{"type":"static_select","action_id":"pick","initial_option":{"text":{"type":"plain_text","text":"3"},"value":"3"},"options":[
			{"text":{"type":"plain_text","text":"3"},"value":"3"},{"text":{"type":"plain_text","text":"4"},"value":"4"}]}},
		{"type":"input","block_id":"opt","optional":true,"label":{"type":"plain_text","text":"Also"},"element":{"type":"checkboxes","action_id":"also","options":[
			{"text":{"type":"plain_text","text":"page"},"value":"p"},{"text":{"type":"plain_text","text":"note"},"value":"n"}]}}]}`, id, previous, title)
	}
	d.open(view("V1", "More memory", "null"))
	must(t, b.ClickName("Save"))
	must(t, b.WaitText("Please complete this required field."))
	if n := len(d.calls("/user/submit")); n != 0 {
		t.Errorf("the page submitted an empty required field")
	}
	must(t, b.Type(".modal textarea", "it was killed"))
	must(t, b.Type(".modal input[type=number]", "1536"))
	must(t, b.ClickName("note"))
	must(t, b.ClickName("Revision: 3"))
	must(t, b.ClickName("4"))

	// A pushed view stands on the first one, whose fields keep what was typed.
	d.open(view("V2", "On top", `"V1"`))
	must(t, b.WaitText("On top"))
	must(t, b.WaitName("Back"))
	d.open(view("V1", "More memory", "null"))
	must(t, b.WaitText("More memory"))

	d.say("/user/submit", `{"ok":true,"ackMs":4,"errors":{"mem":"More than the node has."}}`)
	must(t, b.ClickName("Save"))
	must(t, b.WaitText("More than the node has."))
	picture(t, b, "modal")
	wantCall(t, d, "/user/submit", 1, map[string]any{"user": "U_RESPONDER", "viewId": "V1", "values": map[string]any{
		"why": map[string]any{"text": "it was killed"}, "mem": map[string]any{"mi": "1536"},
		"rev": map[string]any{"pick": "4"}, "opt": map[string]any{"also": []any{"n"}}}})

	must(t, b.ClickName("Cancel"))
	must(t, b.WaitNoText("More memory"))
	wantCall(t, d, "/user/close", 1, map[string]any{"user": "U_RESPONDER", "viewId": "V1"})
}

func TestPeopleAndTheme(t *testing.T) {
	d, b := inbox(t, button("next", "Run", ""))
	must(t, b.ClickName("Switch user, now Rosa Responder"))
	must(t, b.ClickName("Avi Approver"))
	must(t, b.WaitName("Switch user, now Avi Approver"))
	must(t, b.ClickName("Run"))
	if got := waitCall(t, d, "/user/click", 1)["user"]; got != "U_APPROVER" {
		t.Errorf("pressed by %v, not U_APPROVER", got)
	}
	must(t, b.ClickName("Use the dark theme"))
	must(t, b.WaitName("Use the light theme"))
	must(t, b.ClickName("general"))
	must(t, b.WaitText("redis-session-bot is not a member of it"))
}

// On a phone one column is shown at a time, and each leads back.
func TestPhone(t *testing.T) {
	d, b := newDouble(t), start(t)
	must(t, b.Open(d.URL+"/?user=U_RESPONDER&channel=C_INC", 390, 844))
	must(t, b.ClickName("4 replies"))
	must(t, b.WaitText("Pods: 1 pod, not ready"))
	must(t, b.WaitNoText("Morning all"))
	must(t, b.ClickName("Close thread"))
	must(t, b.WaitText("Morning all"))
	must(t, b.ClickName("Back to channels"))
	must(t, b.WaitNoText("Morning all"))
	picture(t, b, "phone-channels")
	must(t, b.ClickName("general"))
	must(t, b.WaitText("This is the very beginning of the #general channel."))
	must(t, b.ClickName("Back to channels"))
	must(t, b.ClickName("inc-redis"))
	must(t, b.WaitText("Morning all"))
}
