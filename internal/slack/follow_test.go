package slack_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"redis-session-bot/internal/incident"
	"redis-session-bot/internal/slack/slacktest"
)

// opened stores an incident and shows it.
func (o *office) opened(steps ...string) incident.Incident {
	o.t.Helper()
	inc := incident.Incident{Place: incident.Place{Channel: "C_INC"}, State: incident.Walking, Since: time.Now()}
	for _, step := range steps {
		inc.Steps = append(inc.Steps, incident.Step{ID: step, Summary: "first", Runs: 1})
	}
	inc, err := o.incidents.Create(context.Background(), inc)
	if err != nil {
		o.t.Fatal(err)
	}
	o.app.Changed(inc.ID)
	return inc
}

func (o *office) change(id string, f func(*incident.Incident)) {
	o.t.Helper()
	for {
		inc, err := o.incidents.Get(context.Background(), id)
		if err != nil {
			o.t.Fatal(err)
		}
		f(&inc)
		if _, err := o.incidents.Update(context.Background(), inc); err == nil {
			o.app.Changed(id)
			return
		}
	}
}

func TestMessagesFollowTheIncident(t *testing.T) {
	o := open(t, slacktest.Options{})
	o.handler.files = true
	stop := o.run()
	inc := o.opened("pods", "logs")
	root := ""
	o.until("the message and its thread are there", func() bool {
		if all := o.messages("U_RESPONDER", ""); len(all) == 1 {
			root = all[0]["ts"].(string)
		}
		return root != "" && strings.Contains(o.text("U_RESPONDER", root), "logs.txt")
	})
	// A call that is limited, one that fails and one whose message is gone: it is shown all the same, once.
	for _, fault := range []slacktest.Fault{{Kind: "ratelimit", Method: "chat.update", Seconds: 1}, {Kind: "error", Method: "chat.update", Error: "503"}} {
		if err := o.workspace.Inject(fault); err != nil {
			t.Fatal(err)
		}
	}
	o.change(inc.ID, func(inc *incident.Incident) {
		inc.State, inc.Steps[0].Summary, inc.Steps[0].Runs = incident.Fixed, "second", 2
	})
	o.until("the message is edited", func() bool { return strings.Contains(o.text("U_RESPONDER", root), "pods second") })
	count := func() (messages, files int) {
		thread := o.text("U_RESPONDER", root)
		return strings.Count(thread, `"text":"state fixed"`), strings.Count(thread, `"name":"pods.txt"`)
	}
	o.until("the second edition is attached", func() bool { _, files := count(); return files == 2 })
	stop()

	// Another process finds the messages by what the incident remembers.
	o.run()
	o.change(inc.ID, func(inc *incident.Incident) { inc.State = incident.Closed })
	o.until("the old message is edited", func() bool { return strings.Contains(o.text("U_RESPONDER", ""), "state closed") })
	if all := o.messages("U_RESPONDER", ""); len(all) != 1 {
		t.Errorf("%d messages for one incident", len(all))
	}
	if _, files := count(); files != 2 {
		t.Errorf("%d files of pods, want the 2 editions", files)
	}
}

// thread waits for the incident's message and gives its timestamp.
func (o *office) thread() (root string) {
	o.t.Helper()
	o.until("the incident's message", func() bool {
		if all := o.messages("U_RESPONDER", ""); len(all) > 0 {
			root = all[len(all)-1]["ts"].(string)
		}
		return root != ""
	})
	return root
}

func TestAClickReachesTheHandlerOnce(t *testing.T) {
	o := open(t, slacktest.Options{})
	o.run()
	inc := o.opened("pods")
	root := o.thread()
	o.until("the step", func() bool { return len(o.messages("U_RESPONDER", root)) == 2 })
	step := o.messages("U_RESPONDER", root)[1]["ts"].(string)
	o.until("it is remembered", func() bool {
		kept, err := o.incidents.Get(t.Context(), inc.ID)
		return err == nil && kept.Shown["step/pods"] != ""
	})
	if err := o.workspace.Inject(slacktest.Fault{Kind: "duplicate"}); err != nil {
		t.Fatal(err)
	}
	for _, click := range []struct{ ts, action, value string }{{root, "go", inc.ID}, {step, "go#2", inc.ID + " twice"}} {
		if result := o.workspace.Click(slacktest.Press{User: "U_MEMBER", Channel: "C_INC", TS: click.ts, ActionID: click.action}); !result.OK {
			t.Fatalf("click: %+v", result)
		}
		o.until("the click", func() bool {
			asked := o.handler.requests()
			return len(asked) > 0 && asked[len(asked)-1].Value == click.value
		})
	}
	asked := o.handler.requests()
	if len(asked) != 2 || asked[1].Action != "go" || asked[1].Thread != root || asked[0].Actor.ID != "U_MEMBER" {
		t.Errorf("asked: %+v", asked)
	}
}

func TestADeletedMessageComesBack(t *testing.T) {
	o := open(t, slacktest.Options{})
	o.run()
	inc := o.opened()
	root := o.thread()
	ready := o.workspace.Ready()
	answer, err := http.PostForm(ready.API+"chat.delete", url.Values{"token": {ready.BotToken}, "channel": {"C_INC"}, "ts": {root}})
	if err != nil {
		t.Fatal(err)
	}
	if err := answer.Body.Close(); err != nil {
		t.Fatal(err)
	}
	o.change(inc.ID, func(inc *incident.Incident) { inc.State = incident.Fixed })
	o.until("it is posted again", func() bool { return strings.Contains(o.text("U_RESPONDER", ""), "state fixed") })
}

// deaf is Slack behind a wire that loses the answers to some calls of a method.
func deaf(t *testing.T, api, method string, lost *atomic.Int32) string {
	t.Helper()
	target, err := url.Parse(api)
	if err != nil {
		t.Fatal(err)
	}
	proxy := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: target.Scheme, Host: target.Host})
	wire := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasSuffix(r.URL.Path, method) || lost.Add(-1) < 0 {
			proxy.ServeHTTP(w, r)
			return
		}
		proxy.ServeHTTP(httptest.NewRecorder(), r)
		panic(http.ErrAbortHandler)
	}))
	t.Cleanup(wire.Close)
	return wire.URL + target.Path
}

func TestALostAnswerPostsNothingTwice(t *testing.T) {
	o := open(t, slacktest.Options{})
	var lost atomic.Int32
	lost.Store(2)
	o.api = deaf(t, o.workspace.Ready().API, "chat.postMessage", &lost)
	o.incidents.unkept.Store(1)
	o.run()
	inc := o.opened("pods")
	o.until("both are remembered", func() bool {
		kept, err := o.incidents.Get(t.Context(), inc.ID)
		return err == nil && len(kept.Shown) == 2
	})
	if all := o.messages("U_RESPONDER", ""); len(all) != 1 {
		t.Errorf("%d messages in the channel, want 1", len(all))
	}
	if all := o.messages("U_RESPONDER", o.thread()); len(all) != 2 {
		t.Errorf("%d messages in the thread, want 2", len(all))
	}
}

func TestWhatAnotherProcessPostedIsFound(t *testing.T) {
	o := open(t, slacktest.Options{})
	stop := o.run()
	inc := o.opened("pods")
	root := o.thread()
	o.until("the step", func() bool { return len(o.messages("U_RESPONDER", root)) == 2 })
	stop()
	// It ended between posting and remembering.
	o.change(inc.ID, func(inc *incident.Incident) { inc.Shown, inc.Steps[0].Summary = nil, "second" })
	o.run()
	o.until("the step is edited", func() bool { return strings.Contains(o.text("U_RESPONDER", root), "pods second") })
	if all := o.messages("U_RESPONDER", ""); len(all) != 1 {
		t.Errorf("%d messages in the channel, want 1", len(all))
	}
	if all := o.messages("U_RESPONDER", root); len(all) != 2 {
		t.Errorf("%d messages in the thread, want 2", len(all))
	}
}

func TestARefusedFileHoldsNothingUp(t *testing.T) {
	o := open(t, slacktest.Options{})
	o.handler.files = true
	if err := o.workspace.Inject(slacktest.Fault{Kind: "error", Method: "files.getUploadURLExternal", Error: "storage_limit_reached"}); err != nil {
		t.Fatal(err)
	}
	o.run()
	o.opened("pods", "logs")
	root := o.thread()
	o.until("the next step and its file", func() bool { return strings.Contains(o.text("U_RESPONDER", root), "logs.txt") })
	if strings.Contains(o.text("U_RESPONDER", root), "pods.txt") {
		t.Error("the refused file is there")
	}
}

func TestRefusedBlocksFallBackToText(t *testing.T) {
	o := open(t, slacktest.Options{})
	if err := o.workspace.Inject(slacktest.Fault{Kind: "error", Method: "chat.postMessage", Error: "invalid_blocks"}); err != nil {
		t.Fatal(err)
	}
	o.run()
	o.opened("pods")
	root := o.thread()
	if all := o.messages("U_RESPONDER", ""); all[0]["blocks"] != nil || all[0]["text"] != "state walking" {
		t.Errorf("shown: %+v", all[0])
	}
	o.until("the step", func() bool { return len(o.messages("U_RESPONDER", root)) == 2 })
}

func TestABusyMessageStarvesNoOther(t *testing.T) {
	o := open(t, slacktest.Options{})
	o.handler.panics = true // it draws again
	o.run()
	inc := o.opened("pods", "logs")
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(50 * time.Millisecond)
		defer tick.Stop()
		for n := 0; ; n++ {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				o.change(inc.ID, func(inc *incident.Incident) {
					inc.State, inc.Steps[1].Summary = incident.State(fmt.Sprint(n)), "second"
				})
			}
		}
	}()
	root := o.thread()
	o.until("the last step is shown", func() bool { return strings.Contains(o.text("U_RESPONDER", root), "logs second") })
	stop()
	<-ended
}
