package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"redis-session-bot/internal/slack/slacktest"
)

const (
	atTheSameTime = 20  // diagnoses
	aimAck        = 250 // ms, for 99 of 100
	leastAcks     = 300 // that are timed
	ackPause      = 10 * time.Millisecond
	responder     = "U_RESPONDER"
)

// acks times Slack's acknowledgements while diagnoses run: people type slash
// commands, and each is sent off until it is answered.
func (b *bench) acks(ctx context.Context) (failure error) {
	note("%d diagnoses at the same time in a local Slack", atTheSameTime)
	workspace, err := workspaceOf(ctx, atTheSameTime)
	if err != nil {
		return err
	}
	defer func() { failure = errors.Join(failure, workspace.Close()) }()
	bot, err := b.serve(ctx, workspace.Ready(), serving{targets: atTheSameTime})
	if err != nil {
		return err
	}
	defer func() { failure = errors.Join(failure, bot.stop()) }()
	acks := acks{workspace: workspace, rooms: atTheSameTime}
	for i := range atTheSameTime {
		if err := acks.command(room(i).ID, fmt.Sprintf("diagnose t%d", i)); err != nil {
			return err
		}
	}
	buttons, err := acks.buttons(ctx, "Run all")
	if err != nil {
		return err
	}
	acks.took = nil // nothing ran yet
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
	b.table.add(acks.row(fmt.Sprintf("in the %s after %d diagnoses were begun at once", seconds(lasted), len(buttons))))
	return nil
}

// row is how long the acknowledgements took.
func (a *acks) row(with string) row {
	slices.Sort(a.took)
	p50, p99 := a.took[len(a.took)/2], a.took[len(a.took)*99/100]
	return row{what: fmt.Sprintf("Slack's acknowledgement, of %d", len(a.took)), with: with,
		result: fmt.Sprintf("p50 %.1f ms, p99 %.1f ms", milliseconds(p50), milliseconds(p99)),
		aim:    fmt.Sprintf("p99 under %d ms", aimAck), held: milliseconds(p99) < aimAck}
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// acks is people in the workspace, with a watch. Safe for concurrent use.
type acks struct {
	workspace *slacktest.Workspace
	rooms     int // channels, an incident in each

	mu   sync.Mutex
	took []time.Duration
}

// add keeps how long an acknowledgement took that was asked for then.
func (a *acks) add(asked time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.took = append(a.took, time.Since(asked))
}

// number is how many were timed.
func (a *acks) number() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.took)
}

func (a *acks) command(channel, text string) error {
	began := time.Now()
	result := a.workspace.Command(slacktest.TypedCommand{User: responder, Channel: channel, Command: "/redis-session", Text: text})
	a.add(began)
	if !result.OK {
		return fmt.Errorf("/redis-session %s: %s", text, result.Error)
	}
	return nil
}

func (a *acks) click(p slacktest.Press) error {
	began := time.Now()
	result := a.workspace.Click(p)
	if result.OK {
		a.add(began)
	}
	if result.Error == "no_such_action" || result.Error == "message_not_found" {
		return nil // the message was drawn anew meanwhile
	}
	if !result.OK {
		return fmt.Errorf("click %s: %s", p.ActionID, result.Error)
	}
	return nil
}

// buttons waits until every incident has a button whose label begins so, and
// gives one of each.
func (a *acks) buttons(ctx context.Context, label string) ([]slacktest.Press, error) {
	for range 2400 {
		found, err := a.ready(label)
		if err != nil || len(found) == a.rooms {
			return found, err
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(100 * time.Millisecond):
		}
	}
	return nil, fmt.Errorf("not every incident has a button %q after four minutes", label)
}

// ready are the buttons, one of each incident that shows one now.
func (a *acks) ready(label string) ([]slacktest.Press, error) {
	var found []slacktest.Press
	for i := range a.rooms {
		messages, err := a.workspace.Messages(responder, room(i).ID, "")
		if err != nil {
			return nil, fmt.Errorf("read the channel: %w", err)
		}
		for _, message := range messages {
			pressed, err := labelled(label, room(i).ID, message)
			if err != nil {
				return nil, err
			}
			if len(pressed) > 0 {
				found = append(found, pressed[0])
				break
			}
		}
	}
	return found, nil
}

// labelled finds the buttons of a message whose labels begin so.
func labelled(label, channel string, message map[string]any) ([]slacktest.Press, error) {
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
			text, _ := element.Text.(map[string]any)
			if text, _ := text["text"].(string); strings.HasPrefix(text, label) {
				found = append(found, slacktest.Press{User: responder, Channel: channel, TS: m.TS, BlockID: block.ID, ActionID: element.Action})
			}
		}
	}
	return found, nil
}
