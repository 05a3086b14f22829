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
	if *inside {
		return p.serveInside(settings, environment)
	}
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
	r, log := Enter(p.T, ready.Page), &safeBuffer{}
	r.Log = log
	var bot *exec.Cmd
	r.start = func() {
		before := strings.Count(log.String(), connected)
		bot = exec.Command(p.Bot, "serve", "--config", config)
		bot.Env = append(os.Environ(), "SLACK_BOT_TOKEN="+ready.BotToken, "SLACK_APP_TOKEN="+ready.AppToken, "SLACK_API_URL="+ready.API, "KUBECONFIG="+p.Kubeconfig)
		bot.Env = append(bot.Env, environment...)
		bot.Stdout, bot.Stderr = log, log
		if err := bot.Start(); err != nil {
			p.T.Fatal(err)
		}
		r.Until("the bot is connected", 20*time.Second, func() bool { return strings.Count(log.String(), connected) > before })
	}
	r.kill = func() {
		if err := bot.Process.Kill(); err != nil {
			p.T.Fatal(err)
		}
		_ = bot.Wait() // it says that it was killed
	}
	r.Start()
	p.T.Cleanup(func() {
		if p.T.Failed() {
			p.T.Logf("the bot's log:\n%s", log)
		}
		if err := bot.Process.Signal(syscall.SIGTERM); err != nil {
			p.T.Errorf("stop the bot: %v", err)
		}
		if err := bot.Wait(); err != nil {
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
	r.start()
}

// connected is what the bot logs once it can be talked to.
const connected = "connected to Slack"

// Kill ends the bot without a warning, as a node that dies does.
func (r *Room) Kill() {
	r.T.Helper()
	r.kill()
}
