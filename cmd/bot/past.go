package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"redis-session-bot/internal/commands"
	"redis-session-bot/internal/config"
	"redis-session-bot/internal/evidence"
	"redis-session-bot/internal/incident"
	"redis-session-bot/internal/terminal"
)

// past is what is kept of incidents, read without a chat, also while a bot is
// being served.
type past struct {
	handler *commands.Handler
	store   keeper
	zone    *time.Location
	out     io.Writer
}

const pastExit = `

It can be read while a bot is being served.

Exit code: 0 printed, 2 bad usage or configuration, 3 the store cannot be read.`

func reportCommand(file *string) *cobra.Command {
	return pastCommand(file, &cobra.Command{
		Use:   "report INCIDENT",
		Short: "Print the report of an incident, in Markdown",
		Long: `Print the report of an incident in Markdown: the verdict with its reasons, what was
measured, plans and who approved them, what came of them, pages, times, and the
timeline.` + pastExit,
		Example: "  bot report INC-7 > INC-7.md",
		Args:    cobra.ExactArgs(1),
	}, func(ctx context.Context, p past, args []string) error {
		inc, asked, err := p.incident(ctx, args[0])
		if err != nil {
			return err
		}
		_, err = io.WriteString(p.out, p.handler.Report(inc, asked).Markdown())
		return err
	})
}

func timelineCommand(file *string) *cobra.Command {
	return pastCommand(file, &cobra.Command{
		Use:   "timeline INCIDENT",
		Short: "Print who did what in an incident, and when",
		Long:  "Print the timeline of an incident, the newest line last." + pastExit,
		Args:  cobra.ExactArgs(1),
	}, func(ctx context.Context, p past, args []string) error {
		inc, asked, err := p.incident(ctx, args[0])
		if err != nil {
			return err
		}
		for _, line := range p.handler.Report(inc, asked).Lines() {
			if _, err := fmt.Fprintln(p.out, line); err != nil {
				return err
			}
		}
		return nil
	})
}

func historyCommand(file *string) *cobra.Command {
	return pastCommand(file, &cobra.Command{
		Use:   "history [TARGET]",
		Short: "Print what incidents there were, and what fixed them",
		Long:  "Print the incidents of a target that are over, newest first: when, how long, the verdict, and what fixed it." + pastExit,
		Args:  cobra.MaximumNArgs(1),
	}, func(ctx context.Context, p past, args []string) error {
		target, err := chooseTarget(p.handler.Targets, diagnoseOptions{target: strings.Join(args, "")})
		if err != nil {
			return exit{exitUsage, err}
		}
		return p.history(ctx, target)
	})
}

// pastCommand adds what the commands have in common.
func pastCommand(file *string, cmd *cobra.Command, run func(ctx context.Context, p past, args []string) error) *cobra.Command {
	zone := ""
	cmd.Flags().StringVar(&zone, "zone", "", "zone of the times, such as Europe/Berlin (default: $TZ, else UTC)")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		location, err := time.LoadLocation(cmp.Or(zone, strings.TrimPrefix(os.Getenv("TZ"), ":")))
		if err != nil {
			return exit{exitUsage, fmt.Errorf("--zone: %w", err)}
		}
		c, err := config.Load(*file)
		if err != nil {
			return exit{exitUsage, err}
		}
		book, err := loadRunbook(c.Runbook)
		if err != nil {
			return exit{exitUsage, err}
		}
		store, shut, err := peekStore(c)
		if err != nil {
			return exit{exitNoCluster, err}
		}
		s := service(cmd.Context(), c, clusters(c.Kubeconfig), book, store, nobody{}, slog.New(slog.DiscardHandler))
		s.Escalation = policy(c)
		handler := &commands.Handler{Incidents: s, Command: book.Command, Targets: targetsOf(book.Target, c.Targets)}
		return errors.Join(run(cmd.Context(), past{handler, store, location, cmd.OutOrStdout()}, args), shut())
	}
	return cmd
}

// incident reads one, with what its report is told beside it.
func (p past) incident(ctx context.Context, id string) (incident.Incident, incident.Asked, error) {
	inc, err := p.store.Get(ctx, strings.ToUpper(id))
	if errors.Is(err, incident.ErrNotFound) {
		return inc, incident.Asked{}, exit{exitUsage, fmt.Errorf("there is no incident %s in the store", id)}
	}
	if err != nil {
		return inc, incident.Asked{}, exit{exitNoCluster, err}
	}
	owed, err := p.handler.Incidents.Owed(ctx, inc.ID)
	if err != nil {
		return inc, incident.Asked{}, exit{exitNoCluster, err}
	}
	return inc, incident.Asked{Zone: p.zone.String(), Owed: owed}, nil
}

func (p past) history(ctx context.Context, target evidence.Target) error {
	all, err := p.store.List(ctx)
	if err != nil {
		return exit{exitNoCluster, err}
	}
	terminal.Terminal{Out: p.out}.Draw(p.handler.History(all, target, p.zone, 0))
	return nil
}
