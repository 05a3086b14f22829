package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"golang.org/x/term"

	"redis-session-bot/internal/checks"
	"redis-session-bot/internal/commands"
	"redis-session-bot/internal/config"
	"redis-session-bot/internal/evidence"
	"redis-session-bot/internal/incident"
	"redis-session-bot/internal/k8s"
	"redis-session-bot/internal/runbook"
	"redis-session-bot/internal/store/memory"
	"redis-session-bot/internal/terminal"
)

// diagnoseOptions are the flags of bot diagnose.
type diagnoseOptions struct {
	target, namespace, workload, kubeconfig, context string
	output, from, save, runbook                      string
}

func diagnoseCommand(file *string) *cobra.Command {
	var o diagnoseOptions
	cmd := &cobra.Command{
		Use:   "diagnose [TARGET]",
		Short: "Run every step of the diagnosis and name the likely cause",
		Long: `Run every step of the diagnosis at once and name the likely cause with its
evidence. It reads only, beside one short-lived key of its own in Redis.

Exit code: 0 healthy or a false alarm, 1 a problem was found, 2 bad usage or
configuration, 3 the evidence could not be collected.`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 {
				o.target = args[0]
			}
			if o.output != "text" && o.output != "json" {
				return exit{exitUsage, fmt.Errorf("-o %s: use text or json", o.output)}
			}
			c, err := config.Load(*file)
			if err != nil {
				return exit{exitUsage, err}
			}
			return diagnose(cmd.Context(), c, o, cmd.OutOrStdout())
		},
	}
	flags := cmd.Flags()
	flags.StringVarP(&o.output, "output", "o", "text", "text or json")
	o.flags(flags)
	flags.StringVar(&o.from, "from", "", "judge the bundle in this folder; ask no cluster")
	flags.StringVar(&o.save, "save", "", "save what was read as a bundle in this new folder, secrets redacted")
	return cmd
}

// flags are those that choose a target.
func (o *diagnoseOptions) flags(flags *pflag.FlagSet) {
	flags.StringVarP(&o.namespace, "namespace", "n", "", "namespace of the target (default: the configured one)")
	flags.StringVar(&o.workload, "workload", "", "Deployment or StatefulSet of the target")
	flags.StringVar(&o.context, "context", "", "kubeconfig context")
	flags.StringVar(&o.kubeconfig, "kubeconfig", "", "kubeconfig file")
	flags.StringVar(&o.runbook, "runbook", "", "runbook document (default: the configured one)")
}

func diagnose(ctx context.Context, c config.Config, o diagnoseOptions, out io.Writer) error {
	if o.runbook != "" {
		c.Runbook = o.runbook
	}
	if o.kubeconfig != "" {
		c.Kubeconfig = o.kubeconfig
	}
	read, err := readDocument(c.Runbook)
	if err != nil {
		return exit{exitUsage, err}
	}
	target, err := chooseTarget(targetsOf(runbook.TargetIn(read.source), c.Targets), o)
	if err != nil {
		return exit{exitUsage, err}
	}
	live := clusters(c.Kubeconfig)
	if o.from == "" {
		live.Begin(ctx, target) // compiling the runbook takes as long as a few round trips
	}
	book, err := read.load()
	if err != nil {
		return exit{exitUsage, err}
	}
	s := service(ctx, c, live, book, &memory.Store{}, nobody{}, slog.New(slog.DiscardHandler))
	if o.from != "" {
		bundle, err := evidence.Open(o.from)
		if err != nil {
			return exit{exitUsage, err}
		}
		s.Cluster = k8s.Recorded{Bundle: bundle, Now: time.Now}
		target = fromBundle(target, bundle, o.namespace, o.workload)
	}
	d, err := s.Diagnose(ctx, book.Command, target, progressTo(os.Stderr))
	if err != nil {
		return exit{exitNoCluster, err}
	}
	if o.save != "" {
		if err := evidence.Save(d.Bundle, o.save); err != nil {
			return exit{exitUsage, err}
		}
	}
	return printDiagnosis(out, book, s, d, o.output)
}

func printDiagnosis(out io.Writer, book *runbook.Runbook, s *incident.Service, d incident.Diagnosis, format string) error {
	if format == "json" {
		if err := terminal.JSON(out, book, d); err != nil {
			return exit{exitNoCluster, fmt.Errorf("write the diagnosis: %w", err)}
		}
	} else {
		handler := &commands.Handler{Incidents: s, Command: book.Command}
		terminalOn(out).Draw(handler.Diagnosis(d.Incident))
	}
	if terminal.Healthy(book, d.Incident.Verdict) {
		return nil
	}
	if unread := unread(d.Incident); len(unread) > 0 {
		return exit{exitNoCluster, fmt.Errorf("no cause can be named, since this is not known: %s", strings.Join(unread, ", "))}
	}
	return exit{exitProblem, nil}
}

// unread names the steps that nothing is known for, where nothing failed and
// no cause is found either: that is no problem found, and no clean bill.
func unread(inc incident.Incident) []string {
	if len(inc.Verdict.Causes) > 0 {
		return nil
	}
	var titles []string
	for _, step := range inc.Steps {
		switch step.Status {
		case checks.Fail:
			return nil
		case checks.Unknown:
			titles = append(titles, strings.ToLower(step.Title))
		}
	}
	return titles
}

// chooseTarget takes the named target, the first without a name, and lets the
// flags override it.
func chooseTarget(targets []evidence.Target, o diagnoseOptions) (evidence.Target, error) {
	target := targets[0]
	if o.target != "" {
		found := false
		for _, one := range targets {
			if strings.EqualFold(one.Name, o.target) {
				target, found = one, true
			}
		}
		if !found {
			return evidence.Target{}, fmt.Errorf("there is no target %q; the configuration has %s", o.target, names(targets))
		}
	}
	flags := evidence.Target{Namespace: o.namespace, Workload: o.workload, Context: o.context}
	return flags.Or(target), nil
}

// fromBundle lets a bundle's meta.json name the target, but for what the flags name.
func fromBundle(target evidence.Target, bundle evidence.Bundle, namespace, workload string) evidence.Target {
	named := evidence.Target{Namespace: namespace, Workload: workload}.
		Or(evidence.Target{Namespace: bundle.Meta.Namespace, Workload: bundle.Meta.Workload})
	return named.Or(target)
}

// progressTo says each step as it ends, on a terminal only.
func progressTo(f *os.File) func(incident.Step) {
	if !term.IsTerminal(int(f.Fd())) {
		return func(incident.Step) {}
	}
	return func(step incident.Step) {
		fmt.Fprintf(f, "%-24s %s, %.1f s\n", step.Title, step.Status, step.Took.Seconds())
	}
}

// terminalOn draws on a stream, in colour where somebody looks at it.
func terminalOn(out io.Writer) terminal.Terminal {
	file, isFile := out.(*os.File)
	return terminal.Terminal{Out: out, Colour: isFile && term.IsTerminal(int(file.Fd())) && os.Getenv("NO_COLOR") == ""}
}

// nobody may change anything from this command.
type nobody struct{}

// Allows refuses everybody.
func (nobody) Allows(context.Context, incident.Actor, incident.Role) error {
	return &incident.Refusal{Says: "bot diagnose changes nothing."}
}
