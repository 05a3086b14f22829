package slack_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"redis-session-bot/internal/commands"
	"redis-session-bot/internal/incident"
	"redis-session-bot/internal/slack"
	"redis-session-bot/internal/slack/slacktest"
	"redis-session-bot/internal/store/memory"
)

// handler remembers what it was asked, and shows an incident by its state.
type handler struct {
	mu      sync.Mutex
	asked   []commands.Request
	whisper string
	slow    chan struct{}
	files   bool
}

func (h *handler) Handle(_ context.Context, r commands.Request) commands.Reply {
	if h.slow != nil {
		<-h.slow
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.asked = append(h.asked, r)
	if h.whisper == "" {
		return commands.Reply{}
	}
	view := commands.View{Summary: h.whisper, Parts: []commands.Part{commands.Paragraph{Text: commands.Text{{Text: h.whisper}}}}}
	return commands.Reply{Whisper: &view}
}

func (h *handler) requests() []commands.Request {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.asked)
}

func (h *handler) Messages(inc incident.Incident) []commands.Message {
	say := func(text string) commands.View {
		return commands.View{Summary: text, Parts: []commands.Part{commands.Paragraph{Text: commands.Text{{Text: text}}},
			commands.Buttons{Buttons: []commands.Button{{ID: "go", Value: inc.ID, Label: "Go"}}}}}
	}
	messages := []commands.Message{{Key: "incident", View: say("state " + string(inc.State))}}
	for _, step := range inc.Steps {
		message := commands.Message{Key: "step/" + step.ID, Thread: true, View: say(step.ID + " " + step.Summary)}
		if h.files {
			message.Edition, message.Files = fmt.Sprint(step.Runs), []commands.File{{Name: step.ID + ".txt", Title: step.ID, Text: "all of it"}}
		}
		messages = append(messages, message)
	}
	return messages
}

// incidents is a store as the app sees it.
type incidents struct{ memory.Store }

func (i *incidents) Show(ctx context.Context, id, key, ref string) error {
	inc, err := i.Get(ctx, id)
	if err != nil {
		return err
	}
	if inc.Shown == nil {
		inc.Shown = map[string]string{}
	}
	inc.Shown[key] = ref
	_, err = i.Update(ctx, inc)
	return err
}

// office is the bot in a local workspace.
type office struct {
	t         *testing.T
	workspace *slacktest.Workspace
	handler   *handler
	incidents *incidents
	app       *slack.App
}

func open(t *testing.T, options slacktest.Options) *office {
	t.Helper()
	workspace, err := slacktest.Start(context.Background(), options)
	if err != nil {
		t.Fatal(err)
	}
	o := &office{t: t, workspace: workspace, handler: &handler{}, incidents: &incidents{}}
	t.Cleanup(func() {
		if violations := workspace.Violations(); len(violations) > 0 {
			t.Errorf("rules of Slack's broken: %+v", violations)
		}
		if err := workspace.Close(); err != nil {
			t.Error(err)
		}
	})
	return o
}

func (o *office) options() slack.Options {
	ready := o.workspace.Ready()
	return slack.Options{BotToken: ready.BotToken, AppToken: ready.AppToken, APIURL: ready.API, Channels: []string{"inc-*"},
		Responders: []string{"U_RESPONDER"}, Approvers: []string{"@sre-oncall"}, Log: slog.New(slog.DiscardHandler), Now: time.Now}
}

// run starts an app; stop ends it and waits.
func (o *office) run() (stop func()) {
	o.t.Helper()
	app := slack.New(o.options())
	app.Handler, app.Incidents, o.app = o.handler, o.incidents, app
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- app.Run(ctx) }()
	var once sync.Once
	stop = func() {
		once.Do(func() {
			cancel()
			if err := <-ended; err != nil {
				o.t.Errorf("run: %v", err)
			}
		})
	}
	o.t.Cleanup(stop)
	o.until("it is connected", func() bool { connected, _ := app.State(); return connected })
	return stop
}

func (o *office) until(what string, ok func() bool) {
	o.t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for !ok() {
		if time.Now().After(deadline) {
			o.t.Fatalf("not within 30 s: %s", what)
		}
		time.Sleep(20 * time.Millisecond) // the workspace tells nobody when a message comes
	}
}

func (o *office) messages(user, thread string) []map[string]any {
	o.t.Helper()
	all, err := o.workspace.Messages(user, "C_INC", thread)
	if err != nil {
		o.t.Fatal(err)
	}
	return all
}

// text is everything that a user sees in a thread, or in the channel.
func (o *office) text(user, thread string) string {
	data, err := json.Marshal(o.messages(user, thread))
	if err != nil {
		o.t.Fatal(err)
	}
	return string(data)
}

func (o *office) command(user, channel, text string) {
	o.t.Helper()
	if result := o.workspace.Command(slacktest.TypedCommand{User: user, Channel: channel, Command: "/redis-session", Text: text}); !result.OK || result.AckMs > 500 {
		o.t.Errorf("command: %+v", result)
	}
}

func TestACommandReachesTheHandlerOnce(t *testing.T) {
	o := open(t, slacktest.Options{})
	o.handler.whisper = "only for you"
	o.run()
	if err := o.workspace.Inject(slacktest.Fault{Kind: "duplicate", Count: 2}); err != nil {
		t.Fatal(err)
	}
	o.command("U_RESPONDER", "C_INC", "diagnose  production ")
	o.until("the whisper", func() bool { return strings.Contains(o.text("U_RESPONDER", ""), "only for you") })
	o.command("U_RESPONDER", "C_INC", "status")
	o.until("the second command", func() bool { return len(o.handler.requests()) >= 2 })
	asked := o.handler.requests()
	if len(asked) != 2 || asked[0].Text != "diagnose  production" || asked[0].Actor.Name != "responder" || asked[0].Place.Channel != "C_INC" {
		t.Errorf("asked: %+v", asked)
	}
	if strings.Contains(o.text("U_MEMBER", ""), "only for you") {
		t.Error("somebody else sees the whisper")
	}
}

func TestElsewhereIsRefused(t *testing.T) {
	o := open(t, slacktest.Options{})
	o.run()
	o.command("U_RESPONDER", "C_SRE", "diagnose")
	o.until("the refusal", func() bool {
		all, err := o.workspace.Messages("U_RESPONDER", "C_SRE", "")
		data, _ := json.Marshal(all)
		return err == nil && strings.Contains(string(data), "I do in #inc-*.")
	})
	if asked := o.handler.requests(); len(asked) != 0 {
		t.Errorf("the handler was asked: %+v", asked)
	}
}

func TestAMentionInAThread(t *testing.T) {
	o := open(t, slacktest.Options{})
	o.run()
	first := o.workspace.Say(slacktest.Line{User: "U_RESPONDER", Channel: "C_INC", Text: "it is down"})
	if result := o.workspace.Say(slacktest.Line{User: "U_RESPONDER", Channel: "C_INC", Thread: first.TS, Text: "<@U_BOT> diagnose"}); !result.OK {
		t.Fatalf("say: %+v", result)
	}
	o.until("the mention", func() bool { return len(o.handler.requests()) == 1 })
	if asked := o.handler.requests()[0]; asked.Text != "diagnose" || asked.Thread != first.TS {
		t.Errorf("asked: %+v", asked)
	}
}

func TestAcksLeaveAtOnceWhileWorkIsSlow(t *testing.T) {
	o := open(t, slacktest.Options{})
	o.handler.slow = make(chan struct{})
	o.run()
	for range 20 {
		o.command("U_RESPONDER", "C_INC", "diagnose")
	}
	close(o.handler.slow)
	o.until("all are answered", func() bool { return len(o.handler.requests()) == 20 })
}

func TestRedialingIsPaced(t *testing.T) {
	o := open(t, slacktest.Options{})
	o.run()
	if err := o.workspace.Inject(slacktest.Fault{Kind: "disconnect", Reason: "too_many_websockets", Count: 3}); err != nil {
		t.Fatal(err)
	}
	var since time.Time
	o.until("it stays connected", func() bool {
		if connected, _ := o.app.State(); !connected {
			since = time.Time{}
		} else if since.IsZero() {
			since = time.Now()
		}
		return !since.IsZero() && time.Since(since) > 2*time.Second
	})
	o.command("U_RESPONDER", "C_INC", "help")
	o.until("it answers", func() bool { return len(o.handler.requests()) == 1 })
}

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
