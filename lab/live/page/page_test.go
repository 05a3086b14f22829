// Package page walks to a fix in a real browser, as people do.
package page

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"redis-session-bot/internal/slack/slacktest"
	"redis-session-bot/internal/slack/slacktest/browser"
	"redis-session-bot/lab/cluster"
	"redis-session-bot/lab/faults"
	"redis-session-bot/lab/live"
	"redis-session-bot/lab/walk"
	"redis-session-bot/lab/workload"
)

// TestClickThroughToAFix types the command in the page, presses the buttons
// that a person would, and breaks no rule of Slack's.
func TestClickThroughToAFix(t *testing.T) {
	repo, err := filepath.Abs("../../..")
	if err != nil {
		t.Fatal(err)
	}
	lab, err := cluster.Up(t.Context(), cluster.Options{Repo: repo, Images: workload.Images})
	if err != nil {
		t.Fatal(err)
	}
	o := workload.Options{Kubeconfig: lab.Kubeconfig, Namespace: "page"}
	if err := workload.Up(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := workload.Down(context.Background(), o); err != nil {
			t.Error(err)
		}
	})
	if err := faults.Break(t.Context(), faults.Options{Kubeconfig: o.Kubeconfig, Namespace: o.Namespace}, "config-error"); err != nil {
		t.Fatal(err)
	}
	workspace, err := slacktest.Start(context.Background(), slacktest.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := workspace.Close(); err != nil {
			t.Error(err)
		}
	})
	serve(t, repo, o, workspace.Ready())
	b, err := browser.Start(context.Background()) // t.Context ends before Close does
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
	b.Patience = 2 * time.Minute
	seen := 0
	if err := walk.ToAFix(b, workspace, func(string) error { seen++; return nil }); err != nil {
		t.Fatal(err)
	}
	if seen != 4 {
		t.Errorf("the walk stopped %d times to read, want 4", seen)
	}
	if violations := workspace.Violations(); len(violations) > 0 {
		t.Errorf("rules of Slack's broken: %+v", violations)
	}
}

// serve builds and starts the bot in the workspace; it ends with the test.
func serve(t *testing.T, repo string, o workload.Options, ready slacktest.Ready) {
	t.Helper()
	bot, err := live.Bot()
	if err != nil {
		t.Fatal(err)
	}
	config := filepath.Join(t.TempDir(), "config.yaml")
	content := "targets: [{name: page, namespace: " + o.Namespace + "}]\nslack: {channels: [inc-redis]}\nroles: {responders: [U_RESPONDER], approvers: [U_APPROVER]}\n"
	if err := os.WriteFile(config, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	command := exec.Command(bot, "serve", "--config", config)
	command.Env = append(os.Environ(), "SLACK_BOT_TOKEN="+ready.BotToken, "SLACK_APP_TOKEN="+ready.AppToken, "SLACK_API_URL="+ready.API, "KUBECONFIG="+o.Kubeconfig)
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := command.Process.Signal(os.Interrupt); err != nil {
			t.Error(err)
		}
		if err := command.Wait(); err != nil {
			t.Errorf("the bot ended with %v", err)
		}
	})
}
