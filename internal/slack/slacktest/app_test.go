package slacktest_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/slack-go/slack"
	"github.com/slack-go/slack/socketmode"

	"redis-session-bot/internal/slack/slacktest"
)

// patience bounds every wait of these tests.
const patience = 20 * time.Second

func start(t *testing.T, opts slacktest.Options) *slacktest.Workspace {
	t.Helper()
	w, err := slacktest.Start(t.Context(), opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	})
	return w
}

func client(w *slacktest.Workspace) *slack.Client {
	r := w.Ready()
	return slack.New(r.BotToken, slack.OptionAPIURL(r.API), slack.OptionAppLevelToken(r.AppToken))
}

// app is a small Slack app: it acknowledges with what on says, unless that says not to.
type app struct {
	*slack.Client
	events chan socketmode.Event
}

// run connects an app; handle answers each request with the payload of its acknowledgement, and whether to send one.
func run(t *testing.T, w *slacktest.Workspace, handle func(c *slack.Client, e socketmode.Event) (ack any, send bool)) *app {
	t.Helper()
	a := &app{Client: client(w), events: make(chan socketmode.Event, 100)}
	sm := socketmode.New(a.Client)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{}, 2)
	go func() { _ = sm.RunContext(ctx); done <- struct{}{} }()
	go func() {
		defer func() { done <- struct{}{} }()
		for {
			select {
			case <-ctx.Done():
				return
			case e := <-sm.Events:
				if e.Type == socketmode.EventTypeHello {
					a.events <- e
					continue
				}
				if e.Request == nil || e.Request.EnvelopeID == "" {
					continue
				}
				if payload, send := handle(a.Client, e); send {
					if err := sm.AckCtx(ctx, e.Request.EnvelopeID, payload); err != nil && ctx.Err() == nil {
						t.Errorf("ack: %v", err)
					}
				}
				a.events <- e
			}
		}
	}()
	t.Cleanup(func() { cancel(); <-done; <-done })
	a.next(t, socketmode.EventTypeHello)
	return a
}

// next waits for the next event, which has to be of a type.
func (a *app) next(t *testing.T, kind socketmode.EventType) socketmode.Event {
	t.Helper()
	select {
	case e := <-a.events:
		if e.Type != kind {
			t.Fatalf("got the event %s, want %s", e.Type, kind)
		}
		return e
	case <-time.After(patience):
		t.Fatalf("no %s within %s", kind, patience)
	}
	return socketmode.Event{}
}

// acks acknowledges with nothing.
func acks(*slack.Client, socketmode.Event) (any, bool) { return nil, true }

// post drives the people's side over HTTP, as the contract says.
func post(t *testing.T, w *slacktest.Workspace, path string, body any) map[string]any {
	t.Helper()
	raw, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.Post(w.Ready().Page+path, "application/json", bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	return decode(t, resp)
}

func get(t *testing.T, w *slacktest.Workspace, path string) map[string]any {
	t.Helper()
	resp, err := http.Get(w.Ready().Page + path)
	if err != nil {
		t.Fatal(err)
	}
	return decode(t, resp)
}

func decode(t *testing.T, resp *http.Response) map[string]any {
	t.Helper()
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	var out map[string]any
	if err := json.Unmarshal(raw, &out); err != nil {
		t.Fatalf("%s: %v in %s", resp.Request.URL, err, raw)
	}
	return out
}

type M = map[string]any

// dig follows keys and indexes into JSON.
func dig(t *testing.T, v any, path ...any) any {
	t.Helper()
	for _, p := range path {
		switch p := p.(type) {
		case string:
			m, ok := v.(map[string]any)
			if !ok {
				t.Fatalf("no object at %q in %v", p, v)
			}
			v = m[p]
		case int:
			l, ok := v.([]any)
			if !ok || p >= len(l) {
				t.Fatalf("no item %d in %v", p, v)
			}
			v = l[p]
		}
	}
	return v
}

func noViolations(t *testing.T, w *slacktest.Workspace) {
	t.Helper()
	for _, v := range w.Violations() {
		t.Errorf("violation %s: %s", v.Kind, v.Detail)
	}
}

// violated waits for a violation of a kind.
func violated(t *testing.T, w *slacktest.Workspace, kind string) slacktest.Violation {
	t.Helper()
	var found slacktest.Violation
	until(t, "a violation "+kind, func() bool {
		for _, v := range w.Violations() {
			if v.Kind == kind {
				found = v
				return true
			}
		}
		return false
	})
	return found
}

// until polls for a condition, with a deadline.
func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatalf("%s did not come within %s", what, patience)
		}
		time.Sleep(5 * time.Millisecond)
	}
}
