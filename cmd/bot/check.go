package main

import (
	"fmt"
	"log/slog"
	"time"

	"github.com/spf13/cobra"

	"redis-session-bot/internal/commands"
	"redis-session-bot/internal/config"
	"redis-session-bot/internal/evidence"
	"redis-session-bot/internal/preflight"
	"redis-session-bot/internal/slack"
	"redis-session-bot/internal/terminal"
)

func checkCommand(file *string) *cobra.Command {
	var o fixOptions
	cmd := &cobra.Command{
		Use:   "check [TARGET]",
		Short: "Check everything that the bot needs, with the mend beside what is not so",
		Long: `Check everything that the bot needs: tokens, each scope, Socket Mode, channels and
user groups in Slack; each permission that bot rbac prints, the metrics API and
Redis for each target; the store, the clock and the pagers. It changes nothing and
pages nobody. What cannot be told from outside is said to be so.

Run it where the bot runs: permissions are those of this account.

Exit code: 0 nothing is wrong, 1 something is wrong, 2 bad usage or configuration,
3 something could not be asked.`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 {
				o.on.target = args[0]
			}
			if o.on.output != "text" && o.on.output != "json" {
				return exit{exitUsage, fmt.Errorf("-o %s: use text or json", o.on.output)}
			}
			questions, err := o.questions(*file)
			if err != nil {
				return err
			}
			report := preflights().Run(cmd.Context(), questions, tellTo(terminalOn(cmd.ErrOrStderr())))
			if o.on.output == "json" {
				err = terminal.CheckJSON(cmd.OutOrStdout(), report)
			} else {
				terminalOn(cmd.OutOrStdout()).Draw(commands.Checked(report))
			}
			if err != nil {
				return exit{exitNoCluster, err}
			}
			return checkExit(report)
		},
	}
	o.on.flags(cmd.Flags())
	cmd.Flags().StringVarP(&o.on.output, "output", "o", "text", "text or json")
	return cmd
}

// questions are all that there is to ask, for the chosen target or for every one.
func (o *fixOptions) questions(file string) ([]preflight.Question, error) {
	c, book, err := o.load(file)
	if err != nil {
		return nil, err
	}
	targets := targetsOf(book.Target, c.Targets)
	if on := o.on; on.target != "" || on.namespace != "" || on.workload != "" || on.context != "" {
		one, err := chooseTarget(targets, on)
		if err != nil {
			return nil, exit{exitUsage, err}
		}
		targets = []evidence.Target{one}
	}
	app := slack.New(slackOptions(c, book.Command, slog.New(slog.DiscardHandler)))
	reach, err := pagers(c.Pagers, app)
	if err != nil {
		return nil, exit{exitUsage, err}
	}
	return append([]preflight.Question{slackQuestion(app)}, otherQuestions(c, book, targets, clusters(c.Kubeconfig), reach, tryStore(c))...), nil
}

// slackOptions are how the bot reaches its workspace.
func slackOptions(c config.Config, command string, log *slog.Logger) slack.Options {
	return slack.Options{BotToken: c.Slack.BotToken, AppToken: c.Slack.AppToken, APIURL: c.Slack.APIURL, Channels: c.Slack.Channels,
		Pages: pageChannels(c.Pagers), Called: mentions(c.Pagers), Command: command, Responders: c.Roles.Responders, Approvers: c.Roles.Approvers,
		Log: log, Now: time.Now}
}

// mentions are who is called in channels.
func mentions(configured []config.Pager) (all []string) {
	for _, p := range configured {
		if p.Type == config.SlackPage && p.Mention != "" {
			all = append(all, p.Mention)
		}
	}
	return all
}

// tellTo says for whom somebody waits, whenever that changes.
func tellTo(out terminal.Terminal) func(preflight.Progress) {
	last := ""
	return func(p preflight.Progress) {
		view := commands.Asking(p)
		if view.Summary != last {
			out.Draw(view)
			last = view.Summary
		}
	}
}

// checkExit is the exit of a check. What cannot be told from outside counts for
// nothing.
func checkExit(report preflight.Report) error {
	switch {
	case report.Count(preflight.Wrong) > 0:
		return exit{exitProblem, nil}
	case report.Unasked() > 0:
		return exit{exitNoCluster, nil}
	}
	return nil
}
