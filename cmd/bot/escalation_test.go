package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"redis-session-bot/internal/config"
	"redis-session-bot/internal/evidence"
	"redis-session-bot/internal/incident"
	"redis-session-bot/internal/page/pagetest"
	"redis-session-bot/internal/slack/slacktest"
	"redis-session-bot/internal/store/bolt"
)

const routingKey = "R0123456789abcdef0123456789ABCDE"

// forgotten is the configuration of a bot whose store holds an incident that
// nobody has mended for an hour, and the receiver of its pages.
func forgotten(t *testing.T) (config.Config, *pagetest.End) {
	t.Helper()
	t.Setenv("KUBECONFIG", os.DevNull) // no cluster is asked, whichever the machine knows
	duty := pagetest.PagerDuty(routingKey)
	t.Cleanup(func() {
		duty.Close()
		if wrong := duty.Wrong(); len(wrong) > 0 {
			t.Errorf("not as PagerDuty has it: %q", wrong)
		}
	})
	c := config.Config{Limits: config.Limits{Step: 10 * time.Second, PlanValid: time.Minute, Rollout: time.Minute, Verify: time.Minute}}
	c.Store.Kind, c.Store.Path = config.StoreFile, filepath.Join(t.TempDir(), "incidents.db")
	c.Log.Level = "error"
	c.Pagers = []config.Pager{{Name: "duty", Type: config.PagerDuty, URL: duty.URL, Key: routingKey}, {Name: "channel", Type: config.SlackPage, Channel: "sre-escalations", Mention: "@sre-oncall"}}
	c.Escalation.Levels = []config.Level{{Who: "@sre-oncall", Pagers: []string{"channel", "duty"}}}
	store, err := bolt.Open(c.Store.Path)
	if err != nil {
		t.Fatal(err)
	}
	ada := incident.Actor{ID: "U_RESPONDER", Name: "Ada", Team: "T_LOCAL"}
	_, err = store.Create(t.Context(), incident.Incident{Runbook: "redis-session", Target: evidence.Target{Namespace: "langgraph-agent", Workload: "redis-session"},
		Place: incident.Place{Channel: "C_INC"}, State: incident.NotFixed, Since: time.Now().Add(-time.Hour), OpenedBy: ada, Walker: ada})
	if err != nil {
		t.Fatal(err)
	}
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	return c, duty
}

// TestServePagesWhileSlackIsDown: nobody can be asked, and nothing can be shown.
func TestServePagesWhileSlackIsDown(t *testing.T) {
	c, duty := forgotten(t)
	c.Slack.BotToken, c.Slack.AppToken, c.Slack.APIURL, c.Slack.Channels = "xoxb-1", "xapp-1", "http://127.0.0.1:1/api/", []string{"inc-redis"}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- serve(ctx, c, "") }()
	until(t, "the page", func() bool { return len(duty.Told()) > 0 })
	told := duty.Told()[0]
	if told.Act != "trigger" || !strings.Contains(told.Text, "langgraph-agent/redis-session · INC-1: no cause is known, not fixed since") {
		t.Errorf("told: %+v", told)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// TestServeRefusesToStartWithoutSlack where nobody would be paged either.
func TestServeRefusesToStartWithoutSlack(t *testing.T) {
	c, _ := forgotten(t)
	c.Escalation.Levels = nil
	c.Slack.BotToken, c.Slack.AppToken, c.Slack.APIURL, c.Slack.Channels = "xoxb-1", "xapp-1", "http://127.0.0.1:1/api/", []string{"inc-redis"}
	if err := serve(t.Context(), c, ""); err == nil || !strings.Contains(err.Error(), "no answer from Slack") {
		t.Errorf("%v", err)
	}
}

// TestServePagesAcknowledgesAndResolves, in Slack and at the receiver.
func TestServePagesAcknowledgesAndResolves(t *testing.T) {
	c, duty := forgotten(t)
	workspace, err := slacktest.Start(context.Background(), slacktest.Options{})
	if err != nil {
		t.Fatal(err)
	}
	ready := workspace.Ready()
	c.Slack.BotToken, c.Slack.AppToken, c.Slack.APIURL, c.Slack.Channels = ready.BotToken, ready.AppToken, ready.API, []string{"inc-redis"}
	c.Roles.Responders = []string{"U_RESPONDER"}
	c.Escalation.Levels[0].Pagers = []string{"duty", "channel"}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- serve(ctx, c, "") }()
	defer func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		if violations := workspace.Violations(); len(violations) > 0 {
			t.Errorf("rules of Slack's broken: %+v", violations)
		}
		if err := workspace.Close(); err != nil {
			t.Error(err)
		}
	}()
	open := func() (acknowledged, known bool) {
		for _, acknowledged := range duty.Open() {
			return acknowledged, true
		}
		return false, false
	}
	walk := &recordWalk{t: t, workspace: workspace}
	until(t, "the page", func() bool { _, known := open(); return known })
	walk.press("Acknowledge")
	until(t, "the receiver hears that somebody is on it", func() bool { acknowledged, _ := open(); return acknowledged })
	walk.press("Close")
	until(t, "the receiver hears that it is over", func() bool { _, known := open(); return !known })
	walk.until("the thread says so", func() bool { return strings.Contains(walk.text(), "duty was told at ") })
}

func until(t *testing.T, what string, done func() bool) {
	t.Helper()
	deadline := time.Now().Add(time.Minute)
	for !done() {
		if time.Now().After(deadline) {
			t.Fatalf("not within a minute: %s", what)
		}
		time.Sleep(20 * time.Millisecond) // the receiver tells nobody
	}
}
