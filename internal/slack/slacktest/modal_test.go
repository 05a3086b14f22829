package slacktest_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/slack-go/slack"
	"github.com/slack-go/slack/socketmode"

	"redis-session-bot/internal/slack/slacktest"
)

// pressed clicks the button "go" of a message, and gives the trigger_id that came of it.
func pressed(t *testing.T, w *slacktest.Workspace, a *app, ts string) slack.InteractionCallback {
	t.Helper()
	if got := w.Click(slacktest.Press{User: "U_APPROVER", Channel: "C_INC", TS: ts, ActionID: "go"}); !got.OK {
		t.Fatalf("click: %+v", got)
	}
	return a.next(t, socketmode.EventTypeInteractive).Data.(slack.InteractionCallback)
}

func view(title string, more M) M {
	v := M{
		"type": "modal", "callback_id": title, "title": M{"type": "plain_text", "text": title},
		"submit": M{"type": "plain_text", "text": "Send"},
		"blocks": []M{
			{"type": "actions", "block_id": "act", "elements": []M{
				{"type": "button", "action_id": "deeper", "text": M{"type": "plain_text", "text": "Deeper"}},
			}},
			{"type": "input", "block_id": "why", "label": M{"type": "plain_text", "text": "Why"}, "element": M{
				"type": "plain_text_input", "action_id": "text", "min_length": 3, "max_length": 5,
			}},
			{"type": "input", "block_id": "how", "optional": true, "label": M{"type": "plain_text", "text": "How"}, "element": M{
				"type": "checkboxes", "action_id": "boxes", "options": []M{
					{"value": "a", "text": M{"type": "mrkdwn", "text": "*a*"}}, {"value": "b", "text": M{"type": "plain_text", "text": "b"}},
				},
			}},
		},
	}
	for k, x := range more {
		v[k] = x
	}
	return v
}

func TestTriggers(t *testing.T) {
	clock := newClock()
	w := start(t, slacktest.Options{Now: clock.now})
	a := run(t, w, acks)
	ts := button(t, w)
	click := pressed(t, w, a, ts)
	for i, c := range []struct {
		trigger string
		wait    time.Duration
		want    any
	}{
		{trigger: click.TriggerID, want: nil},
		{trigger: click.TriggerID, want: "exchanged_trigger_id"},
		{trigger: pressed(t, w, a, ts).TriggerID, wait: 3*time.Second + time.Millisecond, want: "expired_trigger_id"},
		{trigger: "nonsense", want: "invalid_trigger_id"},
	} {
		clock.move(c.wait)
		if out, _ := call(t, w, "views.open", M{"trigger_id": c.trigger, "view": view("one", nil)}); out["error"] != c.want {
			t.Errorf("%d: got %v, want %v", i, out["error"], c.want)
		}
	}
	// A trigger from a message opens a modal, and pushes none.
	if out, _ := call(t, w, "views.push", M{"trigger_id": pressed(t, w, a, ts).TriggerID, "view": view("two", nil)}); out["error"] != "not_found" {
		t.Errorf("push from a message: %v", out)
	}
}

func TestViewStack(t *testing.T) {
	w := start(t, slacktest.Options{})
	a := run(t, w, acks)
	out, _ := call(t, w, "views.open", M{"trigger_id": pressed(t, w, a, button(t, w)).TriggerID, "view": view("one", M{"external_id": "x"})})
	first := dig(t, out, "view").(M)
	deeper := func(viewID any) (M, string) {
		if got := w.Click(slacktest.Press{User: "U_APPROVER", ViewID: viewID.(string), ActionID: "deeper"}); !got.OK {
			t.Fatalf("click in the modal: %+v", got)
		}
		click := a.next(t, socketmode.EventTypeInteractive).Data.(slack.InteractionCallback)
		if click.View.ID != viewID || click.Container.Type != "view" {
			t.Errorf("click in the modal: %+v", click.Container)
		}
		out, _ := call(t, w, "views.push", M{"trigger_id": click.TriggerID, "view": view("more", nil)})
		pushed, _ := out["view"].(M)
		err, _ := out["error"].(string)
		return pushed, err
	}
	second, _ := deeper(first["id"])
	if second["previous_view_id"] != first["id"] || second["root_view_id"] != first["id"] {
		t.Errorf("second: %v", second)
	}
	third, _ := deeper(second["id"])
	if _, err := deeper(third["id"]); err != "push_limit_reached" {
		t.Errorf("fourth: %q", err)
	}
	if got := w.View("U_APPROVER"); got["id"] != third["id"] {
		t.Errorf("on top: %v", got["id"])
	}
	if got := w.Submit(slacktest.Submission{User: "U_APPROVER", ViewID: first["id"].(string)}); got.Error != "not_on_top" {
		t.Errorf("submitting what is covered: %+v", got)
	}

	for name, c := range map[string]struct {
		args M
		want any
	}{
		"by another hash":         {M{"view_id": first["id"], "hash": "1.old"}, "hash_conflict"},
		"by the external id":      {M{"external_id": "x"}, nil},
		"to an id that is in use": {M{"view_id": second["id"], "external": "x"}, "duplicate_external_id"},
	} {
		body := view("changed", nil)
		if c.args["external"] != nil {
			body["external_id"] = c.args["external"]
		} else {
			body["external_id"] = "x"
		}
		c.args["view"] = body
		if out, _ := call(t, w, "views.update", c.args); out["error"] != c.want {
			t.Errorf("update %s: %v", name, out["error"])
		}
	}
	if got := w.CloseView(slacktest.Closing{User: "U_APPROVER", ViewID: third["id"].(string)}); !got.OK {
		t.Errorf("close: %+v", got)
	}
	if got := w.View("U_APPROVER"); got["id"] != second["id"] {
		t.Errorf("on top after closing: %v", got["id"])
	}
}

func TestSubmissions(t *testing.T) {
	for name, c := range map[string]struct {
		values string
		ack    any
		errs   string // the block with an error
		error  string
		open   string // callback_id of the view that is open after it; empty for none
		breach string
	}{
		"nothing filled in":   {values: `{}`, errs: "why", open: "one"},
		"too short":           {values: `{"why":{"text":"no"}}`, errs: "why", open: "one"},
		"too long":            {values: `{"why":{"text":"because"}}`, errs: "why", open: "one"},
		"no such box":         {values: `{"why":{"text":"good"},"how":{"boxes":["c"]}}`, error: "no_such_option", open: "one"},
		"no such input":       {values: `{"when":{"text":"good"}}`, error: "no_such_action", open: "one"},
		"good":                {values: `{"why":{"text":"good"},"how":{"boxes":["a","b"]}}`},
		"with one box":        {values: `{"why":{"text":"good"},"how":{"boxes":"a"}}`},
		"refused by the app":  {values: `{"why":{"text":"good"}}`, ack: M{"response_action": "errors", "errors": M{"why": "Say more."}}, errs: "why", open: "one"},
		"refused for nothing": {values: `{"why":{"text":"good"}}`, ack: M{"response_action": "errors", "errors": M{"act": "?"}}, errs: "act", error: "invalid_response_errors", open: "one", breach: slacktest.AckBad},
		"updated":             {values: `{"why":{"text":"good"}}`, ack: M{"response_action": "update", "view": view("two", nil)}, open: "two"},
		"pushed":              {values: `{"why":{"text":"good"}}`, ack: M{"response_action": "push", "view": view("two", nil)}, open: "two"},
		"cleared":             {values: `{"why":{"text":"good"}}`, ack: M{"response_action": "clear"}},
		"updated badly":       {values: `{"why":{"text":"good"}}`, ack: M{"response_action": "update", "view": M{"type": "modal"}}, error: "invalid_arguments", open: "one", breach: slacktest.AckBad},
		"answered oddly":      {values: `{"why":{"text":"good"}}`, ack: M{"response_action": "dance"}, error: "invalid_response_action", open: "one", breach: slacktest.AckBad},
	} {
		t.Run(name, func(t *testing.T) {
			w := start(t, slacktest.Options{})
			a := run(t, w, func(_ *slack.Client, e socketmode.Event) (any, bool) {
				if click, ok := e.Data.(slack.InteractionCallback); ok && click.Type == slack.InteractionTypeViewSubmission {
					return c.ack, true
				}
				return nil, true
			})
			out, _ := call(t, w, "views.open", M{"trigger_id": pressed(t, w, a, button(t, w)).TriggerID, "view": view("one", nil)})
			s := slacktest.Submission{User: "U_APPROVER", ViewID: dig(t, out, "view", "id").(string)}
			if err := json.Unmarshal([]byte(c.values), &s.Values); err != nil {
				t.Fatal(err)
			}
			got := w.Submit(s)
			if got.Error != c.error || (c.errs != "" && got.Errors[c.errs] == "") || (c.errs == "" && len(got.Errors) > 0) {
				t.Errorf("got %+v", got)
			}
			open := ""
			if v := w.View("U_APPROVER"); v != nil {
				open = v["callback_id"].(string)
			}
			if open != c.open {
				t.Errorf("open is %q, want %q", open, c.open)
			}
			if c.breach != "" {
				violated(t, w, c.breach)
			} else {
				noViolations(t, w)
			}
		})
	}
}

func TestClosingIsTold(t *testing.T) {
	w := start(t, slacktest.Options{})
	a := run(t, w, acks)
	out, _ := call(t, w, "views.open", M{"trigger_id": pressed(t, w, a, button(t, w)).TriggerID, "view": view("one", M{"notify_on_close": true})})
	if got := post(t, w, "user/close", M{"user": "U_APPROVER", "viewId": dig(t, out, "view", "id")}); got["ok"] != true {
		t.Fatalf("close: %v", got)
	}
	if told := a.next(t, socketmode.EventTypeInteractive).Data.(slack.InteractionCallback); told.Type != slack.InteractionTypeViewClosed {
		t.Errorf("told: %+v", told.Type)
	}
}

func TestHomeTab(t *testing.T) {
	w := start(t, slacktest.Options{})
	home := M{"type": "home", "blocks": []M{{"type": "divider"}}}
	out, _ := call(t, w, "views.publish", M{"user_id": "U_MEMBER", "view": home})
	if out["ok"] != true || w.HomeView("U_MEMBER") == nil {
		t.Fatalf("publish: %v", out)
	}
	if out, _ := call(t, w, "views.publish", M{"user_id": "U_MEMBER", "view": home, "hash": "1.old"}); out["error"] != "hash_conflict" {
		t.Errorf("an old hash: %v", out)
	}
	if out, _ := call(t, w, "views.publish", M{"user_id": "U_MEMBER", "view": view("one", nil)}); out["error"] != "invalid_arguments" {
		t.Errorf("a modal as a home tab: %v", out)
	}
}
