package live

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"redis-session-bot/internal/slack/slacktest"
)

type safeBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *safeBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *safeBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// Serve starts the bot in a workspace of its own; at the end nothing of it is
// left, and it has broken no rule of Slack's.
func (p *Patient) Serve() *Room { return p.ServeWith("") }

// ServeWith serves with more settings, and more of the environment.
func (p *Patient) ServeWith(settings string, environment ...string) *Room {
	p.T.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	workspace, err := slacktest.Start(ctx, slacktest.Options{Listen: "127.0.0.1:0"})
	if err != nil {
		p.T.Fatal(err)
	}
	ready := workspace.Ready()
	config := filepath.Join(p.T.TempDir(), "config.yaml")
	content := fmt.Sprintf("targets:\n  - {name: test, namespace: %s}\nslack: {channels: [inc-redis]}\nroles: {responders: [U_RESPONDER], approvers: [\"@sre-oncall\"]}\n", p.Namespace) + settings
	if err := os.WriteFile(config, []byte(content), 0o600); err != nil {
		p.T.Fatal(err)
	}
	r := &Room{T: p.T, page: strings.TrimSuffix(ready.Page, "/"), Log: &safeBuffer{}}
	r.command = func() *exec.Cmd {
		command := exec.Command(p.Bot, "serve", "--config", config)
		command.Env = append(os.Environ(), "SLACK_BOT_TOKEN="+ready.BotToken, "SLACK_APP_TOKEN="+ready.AppToken, "SLACK_API_URL="+ready.API, "KUBECONFIG="+p.Kubeconfig)
		command.Env = append(command.Env, environment...)
		command.Stdout, command.Stderr = r.Log, r.Log
		return command
	}
	r.Start()
	p.T.Cleanup(func() {
		if p.T.Failed() {
			p.T.Logf("the bot's log:\n%s", r.Log)
		}
		if err := r.bot.Process.Signal(syscall.SIGTERM); err != nil {
			p.T.Errorf("stop the bot: %v", err)
		}
		if err := r.bot.Wait(); err != nil {
			p.T.Errorf("the bot ended with %v", err)
		}
		if violations := workspace.Violations(); len(violations) > 0 {
			p.T.Errorf("rules of Slack's broken: %+v", violations)
		}
		if err := workspace.Close(); err != nil {
			p.T.Error(err)
		}
		cancel()
	})
	return r
}

// Start starts the bot and waits until it is connected.
func (r *Room) Start() {
	r.T.Helper()
	before := strings.Count(r.Log.String(), connected)
	r.bot = r.command()
	if err := r.bot.Start(); err != nil {
		r.T.Fatal(err)
	}
	r.Until("the bot is connected", 20*time.Second, func() bool { return strings.Count(r.Log.String(), connected) > before })
}

// connected is what the bot logs once it can be talked to.
const connected = "connected to Slack"

// Kill ends the bot without a warning, as a node that dies does.
func (r *Room) Kill() {
	r.T.Helper()
	if err := r.bot.Process.Kill(); err != nil {
		r.T.Fatal(err)
	}
	_ = r.bot.Wait() // it says that it was killed
}
