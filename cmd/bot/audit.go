package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"redis-session-bot/internal/audit"
	"redis-session-bot/internal/commands"
	"redis-session-bot/internal/evidence"
	"redis-session-bot/internal/terminal"
)

func auditCommand(file *string) *cobra.Command {
	var o fixOptions
	cmd := &cobra.Command{
		Use:   "audit [TARGET]",
		Short: "Hold the live store against the eight points of prevention",
		Long: `Hold the live store against the eight points of prevention: disruption budget,
replicas, Sentinel, memory headroom, eviction and expiry, append-only file,
backups, probes. It changes nothing. Where the target has a backup claim, a pod
of the bot's own mounts it for reading for some seconds.

Exit code: 0 every point holds, 1 something is to be mended or is not known,
2 bad usage or configuration, 3 the store could not be asked.`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if o.on.output != "text" && o.on.output != "json" {
				return exit{exitUsage, fmt.Errorf("-o %s: use text or json", o.on.output)}
			}
			stores, target, err := o.stores(*file, args)
			if err != nil {
				return err
			}
			facts, err := stores.Audit(cmd.Context(), target)
			if err != nil {
				return exit{exitNoCluster, err}
			}
			report := audit.Judge(facts)
			if o.on.output == "json" {
				err = terminal.AuditJSON(cmd.OutOrStdout(), report)
			} else {
				terminalOn(cmd.OutOrStdout()).Draw(commands.Prevention(report))
			}
			if err == nil && !report.OK() {
				err = exit{exitProblem, nil}
			}
			return err
		},
	}
	o.on.flags(cmd.Flags())
	cmd.Flags().StringVarP(&o.on.output, "output", "o", "text", "text or json")
	return cmd
}

// stores opens what reads live stores, and finds the target.
func (o *fixOptions) stores(file string, args []string) (commands.Stores, evidence.Target, error) {
	c, book, err := o.load(file)
	if err != nil {
		return nil, evidence.Target{}, err
	}
	if book.Audit == "" {
		return nil, evidence.Target{}, exit{exitUsage, errors.New("this runbook does not say what kind of store it is about: add audit: redis to its front matter")}
	}
	if len(args) == 1 {
		o.on.target = args[0]
	}
	target, err := chooseTarget(targetsOf(book.Target, c.Targets), o.on)
	if err != nil {
		return nil, evidence.Target{}, exit{exitUsage, err}
	}
	return clusters(c.Kubeconfig), target, nil
}
