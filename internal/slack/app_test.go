package slack_test

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
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
	draw    func(context.Context) ([]byte, error) // of a picture, anew once it is fixed
	panics  bool                                  // the next drawing does
	form    *commands.Form
	wrong   map[string]string
	post    *commands.Message
	takes   []string // what is shown one after the other before the post
}

func (h *handler) Handle(_ context.Context, r commands.Request) commands.Reply {
	if h.slow != nil {
		<-h.slow
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.asked = append(h.asked, r)
	if r.Answers != nil {
		return commands.Reply{Wrong: h.wrong}
	}
	if h.form != nil {
		return commands.Reply{Form: h.form}
	}
	for _, text := range h.takes {
		r.Meanwhile(commands.View{Summary: text, Parts: []commands.Part{commands.Paragraph{Text: commands.Text{{Text: text}}}}})
	}
	if h.whisper == "" {
		return commands.Reply{Post: h.post}
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
	h.mu.Lock()
	panics := h.panics
	h.panics = false
	h.mu.Unlock()
	if panics {
		panic("drawn badly")
	}
	say := func(text string) commands.View {
		return commands.View{Summary: text, Parts: []commands.Part{commands.Paragraph{Text: commands.Text{{Text: text}}},
			commands.Buttons{Buttons: []commands.Button{{ID: "go", Value: inc.ID, Label: "Go"}, {ID: "go", Value: inc.ID + " twice", Label: "Go again"}}}}}
	}
	messages := []commands.Message{{Key: "incident", View: say("state " + string(inc.State))}}
	for _, step := range inc.Steps {
		message := commands.Message{Key: "step/" + step.ID, Thread: true, View: say(step.ID + " " + step.Summary)}
		if h.files {
			message.Edition, message.Files = fmt.Sprint(step.Runs), []commands.File{{Name: step.ID + ".txt", Title: step.ID, Text: "all of it"}}
		}
		messages = append(messages, message)
	}
	if h.draw != nil {
		message := commands.Message{Key: "picture", Thread: true, View: say("a picture"), Edition: "1", Files: []commands.File{{Name: "a.png", Title: "A", Alt: "a dot", Draw: h.draw}}}
		if inc.State != incident.Walking {
			message.Edition = "2"
		}
		messages = append(messages, message)
	}
	return messages
}

// incidents is a store as the app sees it.
type incidents struct {
	memory.Store
	unkept atomic.Int32 // how many times it still fails to remember a message
}

func (i *incidents) Show(ctx context.Context, id, key, ref string) error {
	if i.unkept.Add(-1) >= 0 {
		return errors.New("not kept")
	}
	for {
		inc, err := i.Get(ctx, id)
		if err != nil {
			return err
		}
		if inc.Shown == nil {
			inc.Shown = map[string]string{}
		}
		inc.Shown[key] = ref
		if _, err = i.Update(ctx, inc); !errors.Is(err, incident.ErrConflict) {
			return err
		}
	}
}

func (i *incidents) ShowAt(ctx context.Context, id, link string) error {
	for {
		inc, err := i.Get(ctx, id)
		if err != nil {
			return err
		}
		inc.Link = link
		if _, err = i.Update(ctx, inc); !errors.Is(err, incident.ErrConflict) {
			return err
		}
	}
}

// office is the bot in a local workspace.
type office struct {
	t         *testing.T
	workspace *slacktest.Workspace
	handler   *handler
	incidents *incidents
	app       *slack.App
	channels  []string
	api       string // stands in for the workspace's own address
}

func open(t *testing.T, options slacktest.Options) *office {
	t.Helper()
	t.Parallel()
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
	ready, channels := o.workspace.Ready(), o.channels
	if channels == nil {
		channels = []string{"inc-*"}
	}
	return slack.Options{BotToken: ready.BotToken, AppToken: ready.AppToken, APIURL: cmp.Or(o.api, ready.API), Channels: channels, Command: "redis-session",
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
	deadline := time.Now().Add(time.Minute)
	for !ok() {
		if time.Now().After(deadline) {
			o.t.Fatalf("not within a minute: %s", what)
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
	o := open(t, slacktest.Options{Channels: append(slacktest.DefaultChannels(),
		slacktest.Channel{ID: "C_FEW", Name: "mpdm-responder--member-1", BotMember: true})})
	o.channels = []string{"inc-*", "mpdm-*"}
	o.run()
	for channel, want := range map[string]string{"C_SRE": "I do not answer in this channel. I do in #inc-*", "C_FEW": "I answer in channels only"} {
		o.command("U_RESPONDER", channel, "diagnose")
		o.until("the refusal in "+channel, func() bool {
			all, err := o.workspace.Messages("U_RESPONDER", channel, "")
			data, _ := json.Marshal(all)
			return err == nil && strings.Contains(string(data), want)
		})
	}
	if asked := o.handler.requests(); len(asked) != 0 {
		t.Errorf("the handler was asked: %+v", asked)
	}
}

func TestAMentionInAThread(t *testing.T) {
	o := open(t, slacktest.Options{})
	o.run()
	first := o.workspace.Say(slacktest.Line{User: "U_RESPONDER", Channel: "C_INC", Text: "it is down"})
	for i, test := range []struct{ said, want string }{
		{"<@U_BOT> diagnose", "diagnose"},
		{"<@U_MEMBER> look: <@U_BOT>   diagnose a&b <c>", "diagnose a&b <c>"},
		{"status <@U_BOT>", "status"},
	} {
		if result := o.workspace.Say(slacktest.Line{User: "U_RESPONDER", Channel: "C_INC", Thread: first.TS, Text: test.said}); !result.OK {
			t.Fatalf("say: %+v", result)
		}
		o.until("the mention", func() bool { return len(o.handler.requests()) == i+1 })
		if asked := o.handler.requests()[i]; asked.Text != test.want || asked.Thread != first.TS {
			t.Errorf("%q: asked %+v", test.said, asked)
		}
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

func TestAnUnwelcomeConnectionIsNotReady(t *testing.T) {
	o := open(t, slacktest.Options{})
	o.run()
	if err := o.workspace.Inject(slacktest.Fault{Kind: "disconnect", Reason: "link_disabled", Count: 2}); err != nil {
		t.Fatal(err)
	}
	o.until("it says why", func() bool {
		connected, why := o.app.State()
		return !connected && strings.Contains(why, "switch Socket Mode on")
	})
	o.until("it is connected again", func() bool { connected, _ := o.app.State(); return connected })
}

func TestARefreshLosesNothing(t *testing.T) {
	o := open(t, slacktest.Options{})
	o.run()
	if err := o.workspace.Inject(slacktest.Fault{Kind: "refresh"}); err != nil {
		t.Fatal(err)
	}
	o.command("U_RESPONDER", "C_INC", "status")
	o.until("the command comes", func() bool { return len(o.handler.requests()) == 1 })
}

func TestInvalidTokensEndIt(t *testing.T) {
	o := open(t, slacktest.Options{})
	options := o.options()
	options.AppToken = "xapp-1-wrong"
	app := slack.New(options)
	app.Handler, app.Incidents = o.handler, o.incidents
	if err := app.Run(t.Context()); err == nil || strings.Contains(err.Error(), "xapp-1-wrong") || !strings.Contains(err.Error(), "invalid_auth") {
		t.Errorf("run: %v", err)
	}
}
