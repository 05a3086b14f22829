package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"redis-session-bot/internal/config"
	"redis-session-bot/internal/incident"
	"redis-session-bot/internal/page"
	"redis-session-bot/internal/preflight"
	"redis-session-bot/internal/slack"
)

// policy is who is paged, as configured.
func policy(c config.Config) incident.Policy {
	p := incident.Policy{Remind: c.Escalation.Remind, Response: incident.Response{Who: c.Response.Who, Pagers: c.Response.Pagers, Level: c.Response.Level}}
	for _, level := range c.Escalation.Levels {
		p.Levels = append(p.Levels, incident.Level{Who: level.Who, After: level.After, Pagers: level.Pagers, Every: level.Repeat, Times: level.Times})
	}
	return p
}

// pagers are the ways to reach people, by name.
func pagers(configured []config.Pager, app *slack.App) (map[string]incident.Pager, error) {
	all := map[string]incident.Pager{}
	for _, p := range configured {
		sender := &page.Sender{Now: time.Now}
		switch p.Type {
		case config.PagerDuty:
			all[p.Name] = &page.PagerDuty{URL: cmp.Or(p.URL, page.PagerDutyURL), RoutingKey: p.Key, Sender: sender}
		case config.Opsgenie:
			genie := &page.Opsgenie{URL: cmp.Or(p.URL, page.OpsgenieURL), Key: p.Key, Sender: sender}
			for _, text := range p.Responders {
				responder, ok := page.ParseResponder(text)
				if !ok {
					return nil, fmt.Errorf("pager %s: responders: %q is none; write it like team:sre", p.Name, text)
				}
				genie.Responders = append(genie.Responders, responder)
			}
			all[p.Name] = genie
		case config.Webhook:
			all[p.Name] = &page.Webhook{URL: p.URL, Key: p.Key, Sender: sender}
		case config.SlackPage:
			all[p.Name] = app.Pager(p.Channel, p.Mention)
		}
	}
	return all, nil
}

// pageChannels are the channels where people are called.
func pageChannels(configured []config.Pager) []string {
	var channels []string
	for _, p := range configured {
		if p.Type == config.SlackPage {
			channels = append(channels, p.Channel)
		}
	}
	return channels
}

// checkWithin bounds the questions to Slack at start, and checkEvery is the
// pause between two rounds of them while Slack does not answer.
const (
	checkWithin = 30 * time.Second
	checkEvery  = 10 * time.Second
)

// checkSlack asks Slack whether all that the bot needs is there, and logs what it
// starts without. answers is false where Slack cannot be asked: the clock of open
// incidents goes on then.
func checkSlack(ctx context.Context, app *slack.App, log *slog.Logger) (answers bool, err error) {
	checking, cancel := context.WithTimeout(ctx, checkWithin)
	defer cancel()
	findings, unanswered := app.Preflight(checking)
	if unanswered == nil {
		logFindings(log, slices.DeleteFunc(slices.Clone(findings), func(f preflight.Finding) bool { return f.Vital }))
	}
	for _, wrong := range slack.Refusals(findings, unanswered) {
		if errors.Is(wrong, slack.ErrNoAnswer) {
			return false, wrong
		}
		err = errors.Join(err, wrong)
	}
	return true, err
}

// awaitSlack returns once Slack answers, or ctx is over; with an error where
// the configuration is wrong.
func awaitSlack(ctx context.Context, app *slack.App, log *slog.Logger) error {
	for {
		answers, err := checkSlack(ctx, app, log)
		if answers {
			return err
		}
		log.Warn("Slack does not answer; pages go out all the same", "err", err)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(checkEvery):
		}
	}
}

// work keeps the time of the incidents and answers Slack, until ctx is over. A
// Slack that does not answer, or not any more, keeps no page from going out. It
// is deaf to alerts before it waits for what is underway.
func work(ctx context.Context, app *slack.App, incidents *incident.Service, answers bool, deaf func()) error {
	ctx, cancel := context.WithCancel(ctx)
	var clock sync.WaitGroup
	clock.Go(func() { incidents.KeepTime(ctx) })
	defer func() {
		cancel()
		clock.Wait()
		deaf()
		incidents.Wait()
	}()
	if !answers {
		err := awaitSlack(ctx, app, incidents.Log)
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil:
			return exit{exitUsage, err}
		}
	}
	err := app.Run(ctx)
	if err != nil && ctx.Err() == nil && len(incidents.Escalation.Levels) > 0 {
		incidents.Log.Error("Slack is lost until the bot is started again; pages go out all the same", "err", err)
		<-ctx.Done()
	}
	return err
}
