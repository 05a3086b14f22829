// Package walk goes from a broken store to its verified fix in a browser, as
// two people would: one diagnoses, one approves.
//
// It drives the page of the local Slack workspace and nothing else.
package walk

import (
	"errors"
	"fmt"
	"net/url"
	"time"

	"redis-session-bot/internal/slack/slacktest"
	"redis-session-bot/internal/slack/slacktest/browser"
)

// The names of the pictures, in the order in which they are taken.
const (
	Incident = "incident.png"
	Plan     = "plan.png"
	Fixed    = "fixed.png"
	Phone    = "phone-dark.png"
)

// ToAFix types the command, runs every step, plans, approves as another
// person, and waits for the verification. take is called wherever a person
// would stop to read.
func ToAFix(b *browser.Browser, workspace *slacktest.Workspace, take func(name string) error) error {
	page := func(user, thread, theme string) string {
		query := url.Values{"user": {user}, "channel": {"C_INC"}, "theme": {theme}}
		if thread != "" {
			query.Set("thread", thread)
		}
		return workspace.Ready().Page + "?" + query.Encode()
	}
	var all []error
	do := func(err error) { all = append(all, err) }
	run := func(steps ...func() error) error {
		for _, step := range steps {
			if err := step(); err != nil {
				return err
			}
		}
		return nil
	}
	err := run(
		func() error { return b.Open(page("U_RESPONDER", "", "light"), 1180, 900) },
		func() error { return b.Type(".channel .box", "/redis-session diagnose\r") },
		func() error { return b.ClickName("Run all") },
		func() error { return b.WaitText("Configuration error — certain") },
		func() error { return b.WaitName("Run all again") },
		// Opened anew, as the next person finds it: nothing is hovered.
		func() error { return b.Open(page("U_RESPONDER", "", "light"), 1180, 900) },
		func() error { return b.WaitName("Plan: repair the configuration") },
		func() error { return take(Incident) },
		func() error { return b.ClickName("Plan: repair the configuration") },
	)
	if err != nil {
		return err
	}
	thread, err := root(workspace)
	if err != nil {
		return err
	}
	do(run(
		func() error { return b.Open(page("U_APPROVER", thread, "light"), 1480, 980) },
		func() error { return b.WaitName("Apply …") },
		func() error { return take(Plan) },
		func() error { return b.ClickName("Apply …") },
		func() error { return b.ClickName("Apply") },
		func() error { return b.WaitText("Fixed") },
		func() error { return b.Open(page("U_APPROVER", "", "light"), 1180, 900) },
		func() error { return b.WaitName("Undo") },
		func() error { return take(Fixed) },
		func() error { return b.Open(page("U_RESPONDER", "", "dark"), 420, 900) },
		func() error { return b.WaitText("Fixed") },
		func() error { return take(Phone) },
		func() error { return b.Open("about:blank", 420, 900) },
	))
	if problems := b.Problems(); len(problems) > 0 {
		do(fmt.Errorf("the page had problems: %v", problems))
	}
	return errors.Join(all...)
}

// root finds the incident's message, which the page has just shown.
func root(workspace *slacktest.Workspace) (string, error) {
	deadline := time.Now().Add(10 * time.Second)
	for time.Now().Before(deadline) {
		messages, err := workspace.Messages("U_RESPONDER", "C_INC", "")
		if err != nil {
			return "", err
		}
		for _, message := range messages {
			if message["blocks"] != nil && message["is_ephemeral"] != true {
				return message["ts"].(string), nil
			}
		}
		time.Sleep(100 * time.Millisecond) // it is on its way
	}
	return "", errors.New("there is no incident in #inc-redis")
}
