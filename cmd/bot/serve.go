package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"redis-session-bot/internal/commands"
	"redis-session-bot/internal/config"
	"redis-session-bot/internal/evidence"
	"redis-session-bot/internal/incident"
	"redis-session-bot/internal/k8s"
	"redis-session-bot/internal/preflight"
	"redis-session-bot/internal/slack"
	"redis-session-bot/internal/store/memory"
	"redis-session-bot/internal/telemetry"
)

func serveCommand(file *string) *cobra.Command {
	from := ""
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Run the Slack bot",
		Long: `Run the Slack bot over Socket Mode. The tokens come from SLACK_BOT_TOKEN and
SLACK_APP_TOKEN, or from the files that the configuration names.

With --from it walks a recorded bundle instead of a cluster: every step, the
verdict and the plan are shown, and nothing can be applied.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := config.Load(*file)
			if err != nil {
				return exit{exitUsage, err}
			}
			return serve(cmd.Context(), c, from)
		},
	}
	cmd.Flags().StringVar(&from, "from", "", "walk the bundle in this folder; ask no cluster and change nothing")
	return cmd
}

// recovery is after how long a store that was mended shows in Prometheus: a few
// scrapes, each of them 30 seconds at most as they are commonly set.
const recovery = 2 * time.Minute

// silence is how long a replica may not be heard of before another one takes its
// work for interrupted: the API server is waited for as long.
const silence = 30 * time.Second

func serve(ctx context.Context, c config.Config, from string) (failed error) {
	book, err := loadRunbook(c.Runbook)
	if err != nil {
		return exit{exitUsage, err}
	}
	targets := targetsOf(book.Target, c.Targets)
	var recorded *k8s.Recorded
	if from != "" {
		bundle, err := evidence.Open(from)
		if err != nil {
			return exit{exitUsage, err}
		}
		recorded = &k8s.Recorded{Bundle: bundle, Now: time.Now}
		targets = []evidence.Target{fromBundle(targets[0], bundle, "", "")}
		targets[0].Name = "recorded"
	}
	log := logger(c.Log.Level)
	app := slack.New(slackOptions(c, book.Command, log))
	reach, err := pagers(c.Pagers, app)
	if err != nil {
		return exit{exitUsage, err}
	}
	answers, err := checkSlack(ctx, app, log)
	if err != nil && (answers || len(c.Escalation.Levels) == 0) {
		return exit{exitUsage, err}
	}
	var store keeper = &memory.Store{} // a recorded incident is not one
	if recorded == nil {
		var shut func() error
		if store, shut, err = openStore(ctx, c, log); err != nil {
			return exit{exitUsage, err}
		}
		defer func() { failed = errors.Join(failed, shut()) }()
	}
	live := clusters(c.Kubeconfig)
	incidents := service(ctx, c, live, book, store, app.Roles(), log)
	incidents.Limits.Recovery = recovery
	incidents.Changed, incidents.Second = app.Changed, incident.SecondPerson(c.Approvals.SecondPerson)
	glass := c.Approvals.BreakGlass
	incidents.BreakGlass = incident.BreakGlass{From: glass.Span[0], To: glass.Span[1], Zone: glass.At}
	incidents.Escalation, incidents.Pagers = policy(c), reach
	incidents.Alerting = incident.Alerting{Auto: c.Alerts.Diagnose == "auto", ReopenWithin: c.Alerts.ReopenWithin}
	if recorded != nil {
		incidents.Cluster, incidents.Announce, incidents.Escalation = recorded, nil, incident.Policy{}
	}
	metrics := telemetry.New(buildVersion(), time.Now)
	metrics.Incidents(incidents)
	metrics.Slack(func() bool { connected, _ := app.State(); return connected })
	var others []preflight.Question // a record has no cluster, no store, and pages nobody
	if recorded == nil {
		others = otherQuestions(c, book, targets, live, maps.Clone(reach), tryOpenStore(c.Store, store))
	}
	for name, pager := range reach {
		incidents.Pagers[name] = telemetry.Pager{Pager: pager, Name: name, Telemetry: metrics}
	}
	incidents.Cluster = telemetry.Cluster{Cluster: incidents.Cluster, Telemetry: metrics}
	handler := &commands.Handler{Incidents: incidents, Command: book.Command, Targets: targets, Approvers: c.Roles.Approvers, Log: log}
	if recorded == nil {
		handler.Stores = live
	}
	everybody := append([]preflight.Question{slackQuestion(app)}, others...)
	handler.Preflight = func(ctx context.Context, tell func(preflight.Progress)) preflight.Report {
		return preflights().Run(ctx, everybody, tell)
	}
	app.Handler = telemetry.Handler{Handler: handler, Telemetry: metrics}
	app.Incidents = incidents
	shared, replicated := store.(incident.Watcher)
	if replicated {
		incidents.Limits.Silence = silence
	}
	if err := incidents.Recover(ctx); err != nil {
		return exit{exitUsage, fmt.Errorf("recover: %w", err)}
	}
	if c.HTTP.Listen != "" {
		ready := conditions(app, live, targets, store)
		if recorded != nil {
			ready = conditions(app, nil, nil, nil)
		}
		listener, err := net.Listen("tcp", c.HTTP.Listen)
		if err != nil {
			return exit{exitUsage, fmt.Errorf("http.listen: %w", err)}
		}
		defer answerHTTP(ctx, listener, routes(metrics, ready), log)()
	}
	deaf, err := hear(ctx, c.Alerts, book, targets, app, incidents, answers, log)
	if err != nil {
		return exit{exitUsage, fmt.Errorf("alerts: %w", err)}
	}
	beside, over := context.WithCancel(ctx)
	var side sync.WaitGroup
	defer func() { over(); side.Wait() }()
	side.Go(func() { logFindings(log, preflights().Run(beside, others, nil).Findings) })
	side.Go(func() { tidy(beside, c.Store, incidents, store, log) })
	if replicated {
		side.Go(func() { shared.Watch(beside, app.ChangedElsewhere) })
		side.Go(func() { incidents.Attend(beside) })
	}
	log.Info("serving", "version", buildVersion(), "runbook", book.File, "targets", names(targets))
	return work(ctx, app, incidents, answers, deaf)
}
