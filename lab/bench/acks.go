package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"k8s.io/client-go/tools/clientcmd"

	"redis-session-bot/internal/slack/slacktest"
)

const (
	atTheSameTime = 20  // diagnoses
	aimAck        = 250 // ms, for 99 of 100
	leastAcks     = 300 // that are timed
	ackPause      = 10 * time.Millisecond
	responder     = "U_RESPONDER"
)

// room is the channel of one diagnosis. Each has its own, as teams have: the
// bot keeps Slack's pace for the messages of one.
func room(i int) slacktest.Channel {
	return slacktest.Channel{ID: fmt.Sprintf("C_%d", i), Name: fmt.Sprintf("inc-%d", i), BotMember: true}
}

// acks times Slack's acknowledgements while diagnoses run: people type slash
// commands, and each is sent off until it is answered.
func (b *bench) acks(ctx context.Context) (failure error) {
	note("%d diagnoses at the same time in a local Slack", atTheSameTime)
	var rooms []slacktest.Channel
	for i := range atTheSameTime {
		rooms = append(rooms, room(i))
	}
	workspace, err := slacktest.Start(ctx, slacktest.Options{Listen: "127.0.0.1:0", Channels: rooms, Limits: slacktest.Limits{NoRates: true}})
	if err != nil {
		return err
	}
	defer func() { failure = errors.Join(failure, workspace.Close()) }()
	stop, err := b.serve(ctx, workspace.Ready())
	if err != nil {
		return err
	}
	defer func() { failure = errors.Join(failure, stop()) }()
	acks := acks{workspace: workspace}
	for i := range atTheSameTime {
		if err := acks.command(room(i).ID, fmt.Sprintf("diagnose t%d", i)); err != nil {
			return err
		}
	}
	acks.took = nil // nothing ran yet
	buttons, err := acks.buttons(ctx)
	if err != nil {
		return err
	}
	began := time.Now()
	for _, button := range buttons {
		if err := acks.click(button); err != nil {
			return err
		}
	}
	for len(acks.took) < leastAcks {
		if err := acks.command(room(len(acks.took)%atTheSameTime).ID, "status"); err != nil {
			return err
		}
		time.Sleep(ackPause)
	}
	lasted := time.Since(began)
	slices.Sort(acks.took)
	p50, p99 := acks.took[len(acks.took)/2], acks.took[len(acks.took)*99/100]
	b.table.add(row{what: fmt.Sprintf("Slack's acknowledgement, of %d", len(acks.took)), with: fmt.Sprintf("in the %s after %d diagnoses were begun at once", seconds(lasted), len(buttons)),
		result: fmt.Sprintf("p50 %.1f ms, p99 %.1f ms", milliseconds(p50), milliseconds(p99)),
		aim:    fmt.Sprintf("p99 under %d ms", aimAck), held: milliseconds(p99) < aimAck})
	return nil
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// serve runs the bot with as many targets as there are diagnoses, all of them
// the same store, and waits until it is connected.
func (b *bench) serve(ctx context.Context, ready slacktest.Ready) (stop func() error, err error) {
	var config strings.Builder
	var names []string
	for i := range atTheSameTime {
		names = append(names, room(i).Name)
	}
	fmt.Fprintf(&config, "slack: {channels: [%s]}\nroles: {responders: [U_RESPONDER], approvers: [U_APPROVER]}\ntargets:\n", strings.Join(names, ", "))
	for i := range atTheSameTime {
		fmt.Fprintf(&config, "  - {name: t%d, context: t%d, namespace: %s}\n", i, i, b.namespace())
	}
	clusters, err := b.contexts(len(names))
	if err != nil {
		return nil, err
	}
	file := filepath.Join(b.folder, "config.yaml")
	if err := os.WriteFile(file, []byte(config.String()), 0o600); err != nil {
		return nil, fmt.Errorf("write the configuration: %w", err)
	}
	defer os.Remove(file)
	said := filepath.Join(b.folder, "bot.log")
	log, err := os.Create(said)
	if err != nil {
		return nil, fmt.Errorf("open the bot's log: %w", err)
	}
	defer log.Close()
	command := exec.CommandContext(ctx, b.bot, "serve", "--config", file)
	command.Env = append(os.Environ(), "SLACK_BOT_TOKEN="+ready.BotToken, "SLACK_APP_TOKEN="+ready.AppToken, "SLACK_API_URL="+ready.API, "KUBECONFIG="+clusters)
	command.Stdout, command.Stderr, command.Dir = log, log, b.folder
	if err := command.Start(); err != nil {
		return nil, fmt.Errorf("start the bot: %w", err)
	}
	stop = func() error {
		if err := command.Process.Signal(syscall.SIGTERM); err != nil {
			return fmt.Errorf("stop the bot: %w", err)
		}
		if err := command.Wait(); err != nil {
			return fmt.Errorf("the bot ended: %w", err)
		}
		return nil
	}
	for range 200 {
		if text, _ := os.ReadFile(said); bytes.Contains(text, []byte("connected to Slack")) {
			return stop, nil
		}
		time.Sleep(100 * time.Millisecond)
	}
	text, _ := os.ReadFile(said)
	return nil, errors.Join(fmt.Errorf("the bot does not connect to Slack: %s", text), stop())
}

// acks is a person in the workspace, with a watch.
type acks struct {
	workspace *slacktest.Workspace
	took      []time.Duration
}

func (a *acks) command(channel, text string) error {
	began := time.Now()
	result := a.workspace.Command(slacktest.TypedCommand{User: responder, Channel: channel, Command: "/redis-session", Text: text})
	a.took = append(a.took, time.Since(began))
	if !result.OK {
		return fmt.Errorf("/redis-session %s: %s", text, result.Error)
	}
	return nil
}

func (a *acks) click(p slacktest.Press) error {
	result := a.workspace.Click(p)
	if result.Error == "no_such_action" || result.Error == "message_not_found" {
		return nil // the message was drawn anew meanwhile
	}
	if !result.OK {
		return fmt.Errorf("click %s: %s", p.ActionID, result.Error)
	}
	return nil
}

// buttons waits for the button of every incident that runs all steps.
func (a *acks) buttons(ctx context.Context) ([]slacktest.Press, error) {
	for range 600 {
		found, err := a.ready()
		if err != nil || len(found) == atTheSameTime {
			return found, err
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(100 * time.Millisecond):
		}
	}
	return nil, fmt.Errorf("not every incident can be run after a minute")
}

// ready are the buttons of the incidents that do not run now.
func (a *acks) ready() ([]slacktest.Press, error) {
	var found []slacktest.Press
	for i := range atTheSameTime {
		messages, err := a.workspace.Messages(responder, room(i).ID, "")
		if err != nil {
			return nil, fmt.Errorf("read the channel: %w", err)
		}
		for _, message := range messages {
			pressed, err := runAll(room(i).ID, message)
			if err != nil {
				return nil, err
			}
			found = append(found, pressed...)
		}
	}
	return found, nil
}

// runAll finds the button of a message that runs all steps.
func runAll(channel string, message map[string]any) ([]slacktest.Press, error) {
	var m struct {
		TS     string `json:"ts"`
		Blocks []struct {
			ID       string `json:"block_id"`
			Elements []struct {
				Action string `json:"action_id"`
				Text   any    `json:"text"`
			} `json:"elements"`
		} `json:"blocks"`
	}
	data, err := json.Marshal(message)
	if err == nil {
		err = json.Unmarshal(data, &m)
	}
	if err != nil {
		return nil, fmt.Errorf("read a message: %w", err)
	}
	var found []slacktest.Press
	for _, block := range m.Blocks {
		for _, element := range block.Elements {
			label, _ := element.Text.(map[string]any)
			if text, _ := label["text"].(string); strings.HasPrefix(text, "Run all") {
				found = append(found, slacktest.Press{User: responder, Channel: channel, TS: m.TS, BlockID: block.ID, ActionID: element.Action})
			}
		}
	}
	return found, nil
}

// contexts is a kubeconfig that names the one cluster so many times: an incident
// is of one workload of one cluster, whatever people call it.
func (b *bench) contexts(n int) (file string, err error) {
	config, err := clientcmd.LoadFromFile(b.kubeconfig)
	if err != nil {
		return "", fmt.Errorf("read the kubeconfig: %w", err)
	}
	for i := range n {
		config.Contexts[fmt.Sprintf("t%d", i)] = config.Contexts[config.CurrentContext]
	}
	file = filepath.Join(b.folder, "contexts")
	return file, clientcmd.WriteToFile(*config, file)
}
