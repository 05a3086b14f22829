// Package stage sets the local Slack up and puts the bot on it, as a process
// of its own: for the demo, the pictures and a first try.
//
// It owns the process and its folder, and leaves neither behind. It brings no
// cluster.
package stage

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"redis-session-bot/internal/slack/slacktest"
)

// Options say what the bot works on.
type Options struct {
	Bot        string // the program
	Listen     string // address of the local Slack, on loopback
	Namespace  string // of the target; empty: the runbook's
	Context    string // of the kubeconfig; empty: the current one
	Kubeconfig string
	From       string // a recorded bundle to walk instead of a cluster
	Alerts     string // address of the bot's webhook; empty: none
	Token      string // that the webhook wants
	Prometheus string // its address; empty: it is not asked
	Guide      []slacktest.Advice
}

// Stage is the local Slack with the bot on it.
type Stage struct {
	Workspace *slacktest.Workspace

	command *exec.Cmd
	log     record
	ended   chan struct{}
	failure error
	folder  string
}

// Target is what people call the one target; it may be broken for a drill.
const Target = "demo"

// grace is how long the bot may take to end by itself.
const grace = 10 * time.Second

// Start brings both. The bot answers in #inc-redis; the people of the local
// workspace have the roles that their names say.
func Start(ctx context.Context, o Options) (*Stage, error) {
	// The bot says goodbye when ctx ends, and needs the workspace for it.
	workspace, err := slacktest.Start(context.WithoutCancel(ctx), slacktest.Options{Listen: o.Listen, Guide: o.Guide})
	if err != nil {
		return nil, err
	}
	s := &Stage{Workspace: workspace, ended: make(chan struct{})}
	if err := s.startBot(ctx, o); err != nil {
		return nil, errors.Join(err, os.RemoveAll(s.folder), workspace.Close())
	}
	return s, nil
}

func (s *Stage) startBot(ctx context.Context, o Options) (err error) {
	if s.folder, err = os.MkdirTemp("", "redis-session-stage-"); err != nil {
		return err
	}
	config := filepath.Join(s.folder, "config.yaml")
	content := fmt.Sprintf(`targets:
  - {name: %s, namespace: %q, context: %q}
drills: [%s]
slack:
  channels: [inc-redis]
roles:
  responders: [U_RESPONDER]
  approvers: [U_APPROVER, U_SECOND]
`, Target, o.Namespace, o.Context, Target)
	if o.Alerts != "" {
		content += fmt.Sprintf("alerts: {listen: %q, channel: inc-redis}\n", o.Alerts)
	}
	if o.Prometheus != "" {
		content += fmt.Sprintf("prometheus: {url: %q, hours: 10m}\n", o.Prometheus)
	}
	if err := os.WriteFile(config, []byte(content), 0o600); err != nil {
		return err
	}
	args := []string{"serve", "--config", config}
	if o.From != "" {
		args = append(args, "--from", o.From)
	}
	s.command = exec.CommandContext(ctx, o.Bot, args...)
	s.command.Cancel = func() error { return s.command.Process.Signal(syscall.SIGTERM) }
	s.command.WaitDelay = grace
	ready := s.Workspace.Ready()
	s.command.Env = append(os.Environ(), "SLACK_BOT_TOKEN="+ready.BotToken, "SLACK_APP_TOKEN="+ready.AppToken, "SLACK_API_URL="+ready.API, "ALERTS_TOKEN="+o.Token)
	if o.Kubeconfig != "" {
		s.command.Env = append(s.command.Env, "KUBECONFIG="+o.Kubeconfig)
	}
	s.command.Stdout, s.command.Stderr = &s.log, &s.log
	if err := s.command.Start(); err != nil {
		return fmt.Errorf("start the bot: %w", err)
	}
	go func() {
		s.failure = s.command.Wait()
		close(s.ended)
	}()
	return nil
}

// Store is the file that the bot keeps its incidents in.
func (s *Stage) Store() string { return filepath.Join(s.folder, "incidents.db") }

// Wait returns nil when ctx ends, and an error with the bot's last words when
// the bot ends before.
func (s *Stage) Wait(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return nil
	case <-s.ended:
	}
	if ctx.Err() != nil { // it ended because it was told to
		return nil
	}
	return fmt.Errorf("the bot has ended: %w\n%s", s.failure, s.log.last(2000))
}

// Close stops the bot, then the workspace.
func (s *Stage) Close() error {
	select {
	case <-s.ended:
	default:
		_ = s.command.Process.Signal(syscall.SIGTERM) // it may just have ended
		<-s.ended
	}
	return errors.Join(os.RemoveAll(s.folder), s.Workspace.Close())
}

// record keeps what the bot writes.
type record struct {
	mu   sync.Mutex
	text bytes.Buffer
}

// Write appends.
func (r *record) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.text.Write(p)
}

// last is the end of it, at most n bytes.
func (r *record) last(n int) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	text := r.text.Bytes()
	return string(text[max(0, len(text)-n):])
}
