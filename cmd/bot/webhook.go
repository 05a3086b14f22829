package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"redis-session-bot/internal/alerts"
	"redis-session-bot/internal/config"
	"redis-session-bot/internal/evidence"
	"redis-session-bot/internal/incident"
	"redis-session-bot/internal/runbook"
	"redis-session-bot/internal/slack"
)

// hear takes what Alertmanager sends, until stop is called; without an address
// to listen at it does nothing.
func hear(ctx context.Context, c config.Alerts, book *runbook.Runbook, targets []evidence.Target, app *slack.App, incidents *incident.Service, log *slog.Logger) (stop func() error, err error) {
	if c.Listen == "" {
		return func() error { return nil }, nil
	}
	asking, cancel := context.WithTimeout(ctx, checkWithin)
	defer cancel()
	place, err := app.Place(asking, c.Channel)
	if err != nil {
		return nil, err
	}
	hook := &alerts.Handler{Token: c.Token, Runbook: book.Command, Known: append([]string{book.Alert}, book.Related...),
		Targets: targets, Place: place, Incidents: incidents, Log: log}
	for _, rule := range c.Targets {
		hook.Rules = append(hook.Rules, alerts.Rule{Label: rule.Label, Value: rule.Value, Target: rule.Target})
	}
	mux := http.NewServeMux()
	mux.Handle(alerts.Path, hook)
	return listen(c.Listen, mux, log)
}

// stopWithin is how long requests that are under way may take at the end.
const stopWithin = 5 * time.Second

// listen serves until stop is called. An address that cannot be had is told
// before anything else begins.
func listen(address string, handler http.Handler, log *slog.Logger) (stop func() error, err error) {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("listen for Alertmanager: %w", err)
	}
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 20 * time.Second, WriteTimeout: 30 * time.Second,
		IdleTimeout: time.Minute, MaxHeaderBytes: 16 << 10, ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelWarn)}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	log.Info("listening for Alertmanager", "address", listener.Addr().String(), "path", alerts.Path)
	return func() error {
		ctx, cancel := context.WithTimeout(context.Background(), stopWithin)
		defer cancel()
		err := server.Shutdown(ctx)
		if served := <-ended; !errors.Is(served, http.ErrServerClosed) {
			err = errors.Join(err, served)
		}
		return err
	}, nil
}
