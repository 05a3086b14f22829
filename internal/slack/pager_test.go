package slack_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"redis-session-bot/internal/evidence"
	"redis-session-bot/internal/incident"
	"redis-session-bot/internal/slack"
	"redis-session-bot/internal/slack/slacktest"
)

// summons is a page for the channel of the people on call.
func summons(act incident.Act, number int, ref string) incident.Summons {
	at := time.Now().Add(-30 * time.Minute)
	return incident.Summons{Act: act, Key: "queue-INC-1", Number: number, Ref: ref, Incident: "INC-1", Runbook: "Queue down", Target: evidence.Target{Namespace: "shop", Workload: "queue"},
		By: incident.Actor{ID: "U_RESPONDER", Name: "responder", Team: "T_LOCAL"}, At: time.Now(), Since: at, Summary: "Queue down <!channel>: broken", State: "not fixed",
		Impact: "Nothing is delivered.", Verdict: "Broken, certain", Because: []string{"<@U_MEMBER> *says* so"}, Tried: []string{"plan 1, mend it: applied"}, Walker: "Ada",
		Link: "https://acme.slack.com/archives/C1/p1"}
}

// posted is everything in the channel of the people on call, or in a thread of it.
func (o *office) posted(thread string) ([]map[string]any, string) {
	o.t.Helper()
	all, err := o.workspace.Messages("U_RESPONDER", "C_SRE", thread)
	if err != nil {
		o.t.Fatal(err)
	}
	data, err := json.Marshal(all)
	if err != nil {
		o.t.Fatal(err)
	}
	return all, string(data)
}

func TestAPageInAChannel(t *testing.T) {
	o := open(t, slacktest.Options{})
	o.run()
	pager := o.app.Pager("#sre-escalations", "@sre-oncall")
	ctx := t.Context()
	call := func(s incident.Summons) string {
		t.Helper()
		ref, err := pager.Call(ctx, s)
		if err != nil {
			t.Fatalf("%s: %v", s.Act, err)
		}
		return ref
	}
	if ref := call(summons(incident.Resolve, 1, "")); ref != "" {
		t.Errorf("nobody was called here, and it is over under %q", ref)
	}
	root := call(summons(incident.Trigger, 2, ""))
	again := summons(incident.Trigger, 2, "")
	again.Again = true
	if ref := call(again); ref != root {
		t.Errorf("sent again as %q, it was %q", ref, root)
	}
	all, text := o.posted("")
	if len(all) != 1 || !strings.Contains(text, `"type":"usergroup"`) || strings.Contains(text, `"range"`) || strings.Contains(text, `"user_id":"U_MEMBER"`) {
		t.Errorf("one message that calls the group and nobody else: %s", text)
	}
	for _, want := range []string{"Nothing is delivered.", "Broken, certain", "plan 1, mend it: applied", "https://acme.slack.com/archives/C1/p1"} {
		if !strings.Contains(text, want) {
			t.Errorf("whoever comes does not read %q", want)
		}
	}
	call(summons(incident.Trigger, 3, root)) // a repeat
	call(summons(incident.Acknowledge, 4, root))
	call(summons(incident.Resolve, 5, "")) // its place is found by the key
	all, text = o.posted(root)
	if len(all) != 4 || !strings.Contains(text, "You are still needed.") || !strings.Contains(text, "responder is on it.") || !strings.Contains(text, "It is over") {
		t.Errorf("the thread: %s", text)
	}
}

func TestAPageThatSlackDoesNotTake(t *testing.T) {
	o := open(t, slacktest.Options{})
	o.run()
	for name, test := range map[string]struct {
		channel  string
		fault    slacktest.Fault
		says     string
		notTaken bool
	}{
		"no such channel": {channel: "nowhere", says: "channel_not_found", notTaken: true},
		"it is down":      {channel: "sre-escalations", fault: slacktest.Fault{Kind: "error", Method: "chat.postMessage", Error: "503", Count: 3}, says: "503"},
	} {
		if test.fault.Kind != "" {
			if err := o.workspace.Inject(test.fault); err != nil {
				t.Fatal(err)
			}
		}
		_, err := o.app.Pager(test.channel, "").Call(t.Context(), summons(incident.Trigger, 1, ""))
		var refusal *incident.Refusal
		if !errors.As(err, &refusal) || !strings.Contains(refusal.Says, test.says) || errors.Is(err, incident.ErrNotTaken) != test.notTaken {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, fault := range []slacktest.Fault{{Kind: "ratelimit", Method: "chat.postMessage", Seconds: 1}, {Kind: "error", Method: "chat.postMessage", Error: "internal_error"}} {
		if err := o.workspace.Inject(fault); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := o.app.Pager("C_SRE", "U_RESPONDER").Call(t.Context(), summons(incident.Trigger, 1, "")); err != nil {
		t.Errorf("what passes by itself is tried again: %v", err)
	}
	if all, text := o.posted(""); len(all) != 1 || !strings.Contains(text, `"user_id":"U_RESPONDER"`) {
		t.Errorf("it is there once: %s", text)
	}
}

// TestTheAddressOfAnIncident is remembered once its message stands.
func TestTheAddressOfAnIncident(t *testing.T) {
	o := open(t, slacktest.Options{})
	o.run()
	inc := o.opened()
	var shown incident.Incident
	o.until("the address is known", func() bool {
		var err error
		shown, err = o.incidents.Get(context.Background(), inc.ID)
		return err == nil && shown.Link != ""
	})
	if ts := o.messages("U_RESPONDER", "")[0]["ts"].(string); !strings.HasSuffix(shown.Link, "/p"+strings.ReplaceAll(ts, ".", "")) {
		t.Errorf("%s leads elsewhere than to %s", shown.Link, ts)
	}
}

// TestCheckOfTheChannelsOfPages: those who are called there must be reachable.
func TestCheckOfTheChannelsOfPages(t *testing.T) {
	o := open(t, slacktest.Options{})
	options := o.options()
	options.Channels, options.Pages = []string{"inc-redis"}, []string{"sre-escalations", "C_SRE", "nowhere"}
	wrong := slack.Refusals(slack.New(options).Preflight(t.Context()))
	if err := errors.Join(wrong...); len(wrong) != 1 || !strings.Contains(err.Error(), "there is no channel nowhere") {
		t.Errorf("%v", err)
	}
}

// TestNoAnswerAtStart is told apart from what has to be mended.
func TestNoAnswerAtStart(t *testing.T) {
	o := open(t, slacktest.Options{})
	for _, fault := range []slacktest.Fault{{Kind: "error", Method: "auth.test", Error: "503"}, {Kind: "error", Method: "auth.test", Error: "internal_error"},
		{Kind: "error", Method: "conversations.list", Error: "503"}} {
		if err := o.workspace.Inject(fault); err != nil {
			t.Fatal(err)
		}
		options := o.options()
		options.Channels = []string{"inc-redis"}
		if wrong := slack.Refusals(slack.New(options).Preflight(t.Context())); len(wrong) != 1 || !errors.Is(wrong[0], slack.ErrNoAnswer) {
			t.Errorf("%+v: %v", fault, wrong)
		}
	}
}
