package main

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"regexp"
	"strings"
	"sync"

	"redis-session-bot/internal/alerts"
	"redis-session-bot/internal/config"
	"redis-session-bot/internal/evidence"
	"redis-session-bot/internal/incident"
	"redis-session-bot/internal/runbook"
	"redis-session-bot/internal/slack"
)

// hear takes what Alertmanager sends, until stop is called; without an address
// to listen at it does nothing. A channel that Slack knows not of is an error,
// where Slack answers.
func hear(ctx context.Context, c config.Alerts, book *runbook.Runbook, targets []evidence.Target, app *slack.App, incidents *incident.Service,
	answers bool, log *slog.Logger) (stop func(), err error) {
	if c.Listen == "" {
		return func() {}, nil
	}
	to := &channel{app: app, name: strings.TrimPrefix(c.Channel, "#")}
	if answers {
		asking, cancel := context.WithTimeout(ctx, checkWithin)
		defer cancel()
		if to.place, err = app.Place(asking, c.Channel); err != nil {
			return nil, err
		}
	}
	hook := &alerts.Handler{Token: c.Token, Runbook: book.Command, Known: append([]string{book.Alert}, book.Related...),
		Targets: targets, Place: to.Place, Incidents: incidents, Log: log}
	for _, rule := range c.Targets {
		hook.Rules = append(hook.Rules, alerts.Rule{Label: rule.Label, Value: rule.Value, Target: rule.Target})
	}
	listener, err := net.Listen("tcp", c.Listen)
	if err != nil {
		return nil, fmt.Errorf("listen for Alertmanager: %w", err)
	}
	mux := http.NewServeMux()
	mux.Handle(alerts.Path, hook)
	return answerHTTP(ctx, listener, mux, log), nil
}

// channel is where alerts open incidents. A Slack that does not answer at the
// start tells its ID later, once; a configured ID is enough without it.
type channel struct {
	app  *slack.App
	name string

	mu    sync.Mutex
	place incident.Place
}

var channelID = regexp.MustCompile(`^[CG][A-Z0-9_]{2,}$`)

// Place gives it, or an error while it cannot be known.
func (c *channel) Place(ctx context.Context) (incident.Place, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.place.Channel != "":
	case channelID.MatchString(c.name):
		c.place = incident.Place{Channel: c.name}
	default:
		place, err := c.app.Place(ctx, c.name)
		if err != nil {
			return place, err
		}
		c.place = place
	}
	return c.place, nil
}
