package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"time"

	"redis-session-bot/internal/audit"
	"redis-session-bot/internal/checks"
	"redis-session-bot/internal/config"
	"redis-session-bot/internal/evidence"
	"redis-session-bot/internal/incident"
	"redis-session-bot/internal/k8s"
	"redis-session-bot/internal/prometheus"
	"redis-session-bot/internal/redis"
	"redis-session-bot/internal/runbook"
	"redis-session-bot/runbooks"
)

// vocabulary is what a runbook may name: the checks and the changes that exist.
func vocabulary() runbook.Vocabulary {
	v := runbook.Vocabulary{Audits: []string{audit.Redis}, Checks: map[string][]string{}, Changes: k8s.Changes()}
	for _, check := range checks.All() {
		v.Checks[check.Name] = check.Fields
	}
	return v
}

// document is a runbook that is not compiled yet.
type document struct {
	name   string
	source []byte
}

// readDocument reads a runbook's file; the compiled-in one for no name.
func readDocument(file string) (document, error) {
	if file == "" {
		return document{runbooks.DefaultName, runbooks.Default}, nil
	}
	source, err := os.ReadFile(file)
	if err != nil {
		return document{}, fmt.Errorf("read the runbook: %w", err)
	}
	return document{file, source}, nil
}

func (d document) load() (*runbook.Runbook, error) {
	return runbook.Load(d.name, d.source, vocabulary())
}

// loadRunbook reads and compiles a document; the compiled-in one for no name.
func loadRunbook(file string) (*runbook.Runbook, error) {
	read, err := readDocument(file)
	if err != nil {
		return nil, err
	}
	return read.load()
}

// targetsOf fills each configured target with what the runbook says; the
// runbook's own target where none is configured.
func targetsOf(own evidence.Target, configured []evidence.Target) []evidence.Target {
	if len(configured) == 0 {
		target := own
		target.Name = "default"
		return []evidence.Target{target}
	}
	var targets []evidence.Target
	for _, target := range configured {
		targets = append(targets, target.Or(own))
	}
	return targets
}

// logger writes JSON to stderr.
func logger(level string) *slog.Logger {
	levels := map[string]slog.Level{"debug": slog.LevelDebug, "info": slog.LevelInfo, "warn": slog.LevelWarn, "error": slog.LevelError}
	return slog.New(slog.NewJSONHandler(os.Stderr, &slog.HandlerOptions{Level: levels[level]}))
}

// clusters opens the clusters of the targets as they are needed.
func clusters(kubeconfig string) *k8s.Clusters {
	return &k8s.Clusters{Kubeconfig: kubeconfig, Now: time.Now,
		Prober: &redis.Prober{Now: time.Now, Prefix: "redis-session-bot:probe:"}}
}

// watched adds what Prometheus kept, where config names one.
func watched(c config.Prometheus, cluster incident.Cluster) incident.Cluster {
	if c.URL == "" {
		return cluster
	}
	return prometheus.Cluster{Cluster: cluster, Check: k8s.CheckUsage,
		Reader: &prometheus.Reader{URL: c.URL, Token: c.Token, Selector: c.Selector, Hours: c.Hours, Now: time.Now}}
}

// service wires an incident service without a chat.
func service(ctx context.Context, c config.Config, live *k8s.Clusters, book *runbook.Runbook, store incident.Store, roles incident.Roles, log *slog.Logger) *incident.Service {
	limits := incident.DefaultLimits()
	limits.Step, limits.PlanValid, limits.Settle, limits.Verify = c.Limits.Step, c.Limits.PlanValid, c.Limits.Rollout, c.Limits.Verify
	return &incident.Service{
		Runbooks:   map[string]*runbook.Runbook{book.Command: book},
		Checks:     checks.Named(),
		Cluster:    watched(c.Prometheus, live),
		Announce:   live.Announce,
		Store:      store,
		Roles:      roles,
		Kubectl:    k8s.Commands,
		Changed:    func(string) {},
		Limits:     limits,
		Log:        log,
		Now:        time.Now,
		Replica:    rand.Text(),
		Background: ctx,
	}
}

// names lists the names of targets.
func names(targets []evidence.Target) string {
	all := make([]string, len(targets))
	for i, target := range targets {
		all[i] = target.Name
	}
	return strings.Join(all, ", ")
}
