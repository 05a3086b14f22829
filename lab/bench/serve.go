package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"k8s.io/client-go/tools/clientcmd"

	"redis-session-bot/internal/slack/slacktest"
)

// room is the channel of one incident. Each has its own, as teams have: the
// bot keeps Slack's pace for the messages of one.
func room(i int) slacktest.Channel {
	return slacktest.Channel{ID: fmt.Sprintf("C_%d", i), Name: fmt.Sprintf("inc-%d", i), BotMember: true}
}

// workspaceOf is a local Slack with so many channels.
func workspaceOf(ctx context.Context, rooms int) (*slacktest.Workspace, error) {
	var all []slacktest.Channel
	for i := range rooms {
		all = append(all, room(i))
	}
	return slacktest.Start(ctx, slacktest.Options{Listen: "127.0.0.1:0", Channels: all, Limits: slacktest.Limits{NoRates: true}})
}

// serving says how the bot is run.
type serving struct {
	targets     int    // names of the one store, a channel for each
	settings    string // more of them, as YAML
	environment []string
	store       string // the file of its incidents; empty: a new one
}

// served is a bot that runs.
type served struct {
	command   *exec.Cmd
	store     string
	connected time.Duration // from its start until it could be talked to
}

// serve runs the bot, and waits until it is connected.
func (b *bench) serve(ctx context.Context, ready slacktest.Ready, s serving) (_ *served, err error) {
	folder, err := os.MkdirTemp(b.folder, "bot-")
	if err != nil {
		return nil, fmt.Errorf("make a folder: %w", err)
	}
	if s.store == "" {
		s.store = filepath.Join(folder, "incidents.db")
	}
	clusters, err := b.contexts(folder, s.targets)
	if err != nil {
		return nil, err
	}
	file := filepath.Join(folder, "config.yaml")
	if err := os.WriteFile(file, []byte(s.config(b.namespace())), 0o600); err != nil {
		return nil, fmt.Errorf("write the configuration: %w", err)
	}
	said := filepath.Join(folder, "bot.log")
	log, err := os.Create(said)
	if err != nil {
		return nil, fmt.Errorf("open the bot's log: %w", err)
	}
	defer log.Close()
	command := exec.CommandContext(ctx, b.bot, "serve", "--config", file)
	command.Env = append(os.Environ(), "SLACK_BOT_TOKEN="+ready.BotToken, "SLACK_APP_TOKEN="+ready.AppToken, "SLACK_API_URL="+ready.API, "KUBECONFIG="+clusters)
	command.Env = append(command.Env, s.environment...)
	command.Stdout, command.Stderr, command.Dir = log, log, folder
	began := time.Now()
	if err := command.Start(); err != nil {
		return nil, fmt.Errorf("start the bot: %w", err)
	}
	bot := &served{command: command, store: s.store}
	for time.Since(began) < time.Minute {
		if text, _ := os.ReadFile(said); bytes.Contains(text, []byte("connected to Slack")) {
			bot.connected = time.Since(began)
			return bot, nil
		}
		time.Sleep(5 * time.Millisecond)
	}
	text, _ := os.ReadFile(said)
	return nil, errors.Join(fmt.Errorf("the bot does not connect to Slack: %s", text), bot.stop())
}

// config is what the bot reads.
func (s serving) config(namespace string) string {
	var rooms, targets strings.Builder
	for i := range s.targets {
		fmt.Fprintf(&rooms, "%s, ", room(i).Name)
		fmt.Fprintf(&targets, "  - {name: t%d, context: t%d, namespace: %s}\n", i, i, namespace)
	}
	return fmt.Sprintf("slack: {channels: [%s]}\nroles: {responders: [U_RESPONDER], approvers: [U_APPROVER]}\nstore: {path: %q}\n%stargets:\n%s",
		strings.TrimSuffix(rooms.String(), ", "), s.store, s.settings, targets.String())
}

// contexts is a kubeconfig that names the one cluster so many times: an incident
// is of one workload of one cluster, whatever people call it.
func (b *bench) contexts(folder string, n int) (file string, err error) {
	config, err := clientcmd.LoadFromFile(b.kubeconfig)
	if err != nil {
		return "", fmt.Errorf("read the kubeconfig: %w", err)
	}
	for i := range n {
		config.Contexts[fmt.Sprintf("t%d", i)] = config.Contexts[config.CurrentContext]
	}
	file = filepath.Join(folder, "contexts")
	return file, clientcmd.WriteToFile(*config, file)
}

// stop ends the bot as a node that is drained does.
func (s *served) stop() error {
	if err := s.command.Process.Signal(syscall.SIGTERM); err != nil {
		return fmt.Errorf("stop the bot: %w", err)
	}
	if err := s.command.Wait(); err != nil {
		return fmt.Errorf("the bot ended: %w", err)
	}
	return nil
}
