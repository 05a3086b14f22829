package main

import (
	"bytes"
	"context"
	"flag"
	"log/slog"
	"net/url"
	"path/filepath"
	"testing"
	"time"

	"redis-session-bot/internal/evidence"
	"redis-session-bot/internal/incident"
	"redis-session-bot/internal/slack"
	"redis-session-bot/internal/slack/slacktest"
	"redis-session-bot/internal/slack/slacktest/browser"
)

// pictures keeps the screenshots of the test: go test … -pictures DIR
var pictures = flag.String("pictures", "", "a folder to keep the test's screenshots in")

// TestFormsOnThePage: two people in a browser edit a plan's values, and apply
// one that loses data by typing the workload's name.
func TestFormsOnThePage(t *testing.T) {
	cluster := &queue{dryRun: incident.DryRunAccepted}
	workspace := serveQueue(t, cluster)
	b, err := browser.Start(context.Background()) // it is closed after t.Context has ended
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
	b.Scale = 1
	page := func(user, thread string) func() error {
		query := url.Values{"user": {user}, "channel": {"C_INC"}, "theme": {"light"}}
		if thread != "" {
			query.Set("thread", thread)
		}
		return func() error { return b.Open(workspace.Ready().Page+"?"+query.Encode(), 1480, 980) }
	}
	click := func(name string) func() error { return func() error { return b.ClickName(name) } }
	text := func(says string) func() error { return func() error { return b.WaitText(says) } }
	fill := func(says string) func() error { return func() error { return b.Type(".modal input", says) } }
	take := func(name string) func() error {
		return func() error {
			if *pictures == "" {
				return nil
			}
			return b.Screenshot(filepath.Join(*pictures, name+".png"))
		}
	}
	run := func(steps ...func() error) {
		t.Helper()
		for i, step := range steps {
			if err := step(); err != nil {
				t.Fatalf("step %d: %v", i, err)
			}
		}
	}
	run(page("U_RESPONDER", ""), func() error { return b.Type(".channel .box", "/queue diagnose\r") }, click("Plan: give it more"), text("waits in the thread"), take("waits"))
	thread := rootOf(t, workspace)
	const selectAll = `document.querySelector(".modal input").select()`
	run(page("U_RESPONDER", thread), click("Edit values …"), text("Nothing is changed yet."), take("values"),
		func() error { return b.Eval(selectAll, nil) },
		func() error { return b.Type(".modal input", "\b\b\b1Mi") }, click("Make the plan"), text("1Mi is too little."), take("values-wrong"),
		func() error { return b.Type(".modal input", "\b\b\b2Gi") }, click("Make the plan"), text(`mend queue {"limit":"2Gi"}`))
	run(page("U_APPROVER", thread), click("Cancel"), text("Cancelled by approver."),
		page("U_RESPONDER", ""), click("Plan: start empty"), page("U_APPROVER", thread), text("Data loss: every message in it is gone."), take("caution"),
		click("Apply …"), text("Type queue to apply the plan"), fill("nope"), click("Apply"), text("This is not queue. Nothing was changed."), take("typed-wrong"),
		fill("\b\b\b\bqueue"), click("Apply"), text("Fixed at"), take("fixed"), func() error { return b.Open("about:blank", 420, 900) })
	if problems := b.Problems(); len(problems) > 0 {
		t.Errorf("the page had problems: %v", problems)
	}
	if cluster.sent != 1 {
		t.Errorf("%d writes, want 1", cluster.sent)
	}
}

// serveQueue runs the bot for the queue in a local workspace.
func serveQueue(t *testing.T, cluster *queue) *slacktest.Workspace {
	t.Helper()
	workspace, err := slacktest.Start(context.Background(), slacktest.Options{Commands: []slacktest.Command{{Name: "/queue"}}})
	if err != nil {
		t.Fatal(err)
	}
	ready := workspace.Ready()
	app := slack.New(slack.Options{BotToken: ready.BotToken, AppToken: ready.AppToken, APIURL: ready.API, Channels: []string{"inc-redis"},
		Responders: []string{"U_RESPONDER"}, Approvers: []string{"@sre-oncall"}, Log: slog.New(slog.DiscardHandler), Now: time.Now})
	var unread bytes.Buffer
	r := repairOf(t, cluster, &unread)
	r.service.Roles, r.service.Changed = app.Roles(), app.Changed
	r.handler.Approvers, r.handler.Targets = []string{"@sre-oncall"}, []evidence.Target{r.target}
	app.Handler, app.Incidents = r.handler, r.service
	ctx, cancel := context.WithCancel(context.Background())
	r.service.Background = ctx
	ended := make(chan error, 1)
	go func() { ended <- app.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		r.service.Wait()
		if violations := workspace.Violations(); len(violations) > 0 {
			t.Errorf("rules of Slack's broken: %+v", violations)
		}
		if err := workspace.Close(); err != nil {
			t.Error(err)
		}
	})
	connecting, enough := context.WithTimeout(ctx, time.Minute)
	defer enough()
	if err := workspace.Listening(connecting); err != nil {
		_, why := app.State()
		t.Fatalf("%v: %s", err, why)
	}
	return workspace
}

// rootOf is the timestamp of the incident's message.
func rootOf(t *testing.T, workspace *slacktest.Workspace) string {
	t.Helper()
	messages, err := workspace.Messages("U_RESPONDER", "C_INC", "")
	if err != nil {
		t.Fatal(err)
	}
	for _, message := range messages {
		if message["user"] == slacktest.BotUser {
			return message["ts"].(string)
		}
	}
	t.Fatal("the bot has posted nothing")
	return ""
}
