package main

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"time"

	"redis-session-bot/internal/evidence"
	"redis-session-bot/internal/k8s"
	"redis-session-bot/internal/slack"
	"redis-session-bot/internal/telemetry"
)

// The bounds of the bot's own HTTP server: nobody holds a connection for long.
const (
	headerWithin   = 5 * time.Second
	requestWithin  = 15 * time.Second
	shutdownWithin = 5 * time.Second
)

// answerHTTP answers until stop is called, which waits for what is underway.
func answerHTTP(ctx context.Context, listener net.Listener, handler http.Handler, log *slog.Logger) (stop func()) {
	server := &http.Server{Handler: handler, ReadHeaderTimeout: headerWithin, ReadTimeout: requestWithin, WriteTimeout: requestWithin,
		ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelWarn)}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			log.Error("http", "err", err)
		}
	}()
	log.Info("answering http", "address", listener.Addr().String())
	return func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownWithin)
		defer cancel()
		if err := server.Shutdown(ctx); err != nil {
			log.Warn("http", "err", err)
		}
		<-ended
	}
}

// routes are the paths that probes and Prometheus ask for.
func routes(t *telemetry.Telemetry, conditions []telemetry.Condition) *http.ServeMux {
	mux := http.NewServeMux()
	mux.Handle("GET /healthz", telemetry.Healthy())
	mux.Handle("GET /readyz", telemetry.Ready(conditions))
	mux.Handle("GET /metrics", t.Metrics())
	return mux
}

// pinger is a store that can tell whether it can be written.
type pinger interface {
	Ping(ctx context.Context) error
}

// conditions are what must hold for the bot to be ready.
func conditions(app *slack.App, live *k8s.Clusters, targets []evidence.Target, store any) []telemetry.Condition {
	all := []telemetry.Condition{{Name: "slack", Holds: func(context.Context) error {
		if connected, why := app.State(); !connected {
			return errors.New(why)
		}
		return nil
	}}}
	if p, ok := store.(pinger); ok {
		all = append(all, telemetry.Condition{Name: "store", Holds: p.Ping})
	}
	asked := map[string]bool{}
	for _, target := range targets {
		if !asked[target.Context] {
			asked[target.Context] = true
			name := "cluster"
			if target.Context != "" {
				name += " " + target.Context
			}
			all = append(all, telemetry.Condition{Name: name, Holds: func(ctx context.Context) error { return live.Reachable(ctx, target.Context) }})
		}
	}
	return all
}
