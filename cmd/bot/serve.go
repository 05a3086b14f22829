package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"redis-session-bot/internal/commands"
	"redis-session-bot/internal/config"
	"redis-session-bot/internal/evidence"
	"redis-session-bot/internal/incident"
	"redis-session-bot/internal/k8s"
	"redis-session-bot/internal/slack"
	"redis-session-bot/internal/store/bolt"
	"redis-session-bot/internal/store/memory"
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

// checkWithin bounds the questions to Slack at start.
const checkWithin = 30 * time.Second

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
	app := slack.New(slack.Options{BotToken: c.Slack.BotToken, AppToken: c.Slack.AppToken, APIURL: c.Slack.APIURL,
		Channels: c.Slack.Channels, Responders: c.Roles.Responders, Approvers: c.Roles.Approvers,
		Log: log, Now: time.Now})
	checking, cancel := context.WithTimeout(ctx, checkWithin)
	wrong := app.Check(checking)
	cancel()
	if len(wrong) > 0 {
		return exit{exitUsage, errors.Join(wrong...)}
	}
	var store incident.Store = &memory.Store{} // a recorded incident is not one
	if recorded == nil {
		file, err := bolt.Open(c.Store.Path)
		if err != nil {
			return exit{exitUsage, err}
		}
		defer func() { failed = errors.Join(failed, file.Close()) }()
		store = file
	}
	incidents := service(ctx, c, book, store, app.Roles(), log)
	incidents.Changed, incidents.Second = app.Changed, incident.SecondPerson(c.Approvals.SecondPerson)
	glass := c.Approvals.BreakGlass
	incidents.BreakGlass = incident.BreakGlass{From: glass.Span[0], To: glass.Span[1], Zone: glass.At}
	incidents.Alerting = incident.Alerting{Auto: c.Alerts.Diagnose == "auto", ReopenWithin: c.Alerts.ReopenWithin}
	if recorded != nil {
		incidents.Cluster = recorded
	}
	app.Handler = &commands.Handler{Incidents: incidents, Command: book.Command, Targets: targets, Approvers: c.Roles.Approvers, Log: log}
	app.Incidents = incidents
	if err := incidents.Recover(ctx); err != nil {
		return exit{exitUsage, fmt.Errorf("recover: %w", err)}
	}
	stop, err := hear(ctx, c.Alerts, book, targets, app, incidents, log)
	if err != nil {
		return exit{exitUsage, fmt.Errorf("alerts: %w", err)}
	}
	log.Info("serving", "version", buildVersion(), "runbook", book.File, "targets", names(targets))
	err = errors.Join(app.Run(ctx), stop())
	incidents.Wait()
	return err
}
