package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/user"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"golang.org/x/term"

	"redis-session-bot/internal/commands"
	"redis-session-bot/internal/config"
	"redis-session-bot/internal/incident"
	"redis-session-bot/internal/runbook"
	"redis-session-bot/internal/store/memory"
)

// fixOptions are the flags of what may change the cluster from a terminal.
type fixOptions struct {
	on     diagnoseOptions // which target
	set    map[string]string
	yes    bool
	dryRun bool
}

func (o *fixOptions) flags(flags *pflag.FlagSet) {
	o.on.flags(flags)
	flags.StringToStringVar(&o.set, "set", nil, "value of the fix, as name=value")
	flags.BoolVarP(&o.yes, "yes", "y", false, "apply without asking; refused where data is lost")
	flags.BoolVar(&o.dryRun, "dry-run", false, "show the plan and end")
}

const fixLong = `It reads the evidence, shows the plan with its diffs and what the API server says
to its dry run, and asks for a typed yes; where data is lost, for the name of the
workload. Then it applies the plan, tells each write as it is done, and verifies.

You act as USER@HOST. There are no roles in a terminal: what your kubeconfig may
do decides what is possible. The walk is not stored, and Slack does not see it.

Exit code: 0 verified, 1 refused or not fixed, 2 bad usage or configuration,
3 the cluster could not be asked.`

func fixCommand(file *string) *cobra.Command {
	var o fixOptions
	cmd := &cobra.Command{
		Use:   "fix SCENARIO|FIX [TARGET]",
		Short: "Apply a fix of the runbook, after it was shown and confirmed",
		Long:  "Apply a fix of the runbook. Without a name it lists them.\n\n" + fixLong,
		Args:  cobra.MaximumNArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, book, err := o.load(*file)
			if err != nil {
				return err
			}
			if len(args) == 0 {
				return exit{exitUsage, errors.New("name a fix:\n" + fixes(book))}
			}
			if _, ok := book.Fix(args[0]); !ok {
				return exit{exitUsage, fmt.Errorf("the runbook has no fix %q. It has:\n%s", args[0], fixes(book))}
			}
			if len(args) == 2 {
				o.on.target = args[1]
			}
			return o.run(cmd, c, book, args[0])
		},
	}
	o.flags(cmd.Flags())
	return cmd
}

// runMeasure runs what the first arguments name: a measure of the document.
func runMeasure(cmd *cobra.Command, file string, o fixOptions, args []string) error {
	c, book, err := o.load(file)
	if err != nil {
		return err
	}
	fix, rest, ok := commands.MeasureOf(args, book.Measures)
	if !ok {
		return exit{exitUsage, fmt.Errorf("there is no command %q, and no measure of that name in the runbook. Type bot --help", args[0])}
	}
	if n := len(rest); n > 0 && knows(targetsOf(book.Target, c.Targets), rest[n-1]) {
		o.on.target, rest = rest[n-1], rest[:n-1]
	}
	switch {
	case len(rest) > 0 && len(fix.Inputs) == 0:
		return exit{exitUsage, fmt.Errorf("there is no target %q; the configuration has %s", strings.Join(rest, " "), names(targetsOf(book.Target, c.Targets)))}
	case len(rest) > 0:
		if o.set == nil {
			o.set = map[string]string{}
		}
		o.set[fix.Inputs[0].ID] = strings.Join(rest, " ")
	}
	return o.run(cmd, c, book, fix.Ref)
}

func verifyCommand(file *string) *cobra.Command {
	var o fixOptions
	cmd := &cobra.Command{
		Use:   "verify [TARGET]",
		Short: "Hold the live cluster against the runbook's verification",
		Long: `Hold the live cluster against the runbook's verification. It changes nothing.

Exit code: 0 all of it holds, 1 some of it does not, 2 bad usage or
configuration.`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, book, err := o.load(*file)
			if err != nil {
				return err
			}
			if len(args) == 1 {
				o.on.target = args[0]
			}
			r, err := o.repair(cmd, c, book)
			if err != nil {
				return err
			}
			return r.verify(cmd.Context())
		},
	}
	flags := cmd.Flags()
	o.flags(flags)
	for _, other := range []string{"set", "yes", "dry-run"} {
		if err := flags.MarkHidden(other); err != nil {
			panic(err) // a flag that was declared above
		}
	}
	return cmd
}

// load reads the configuration and the document.
func (o *fixOptions) load(file string) (config.Config, *runbook.Runbook, error) {
	c, err := config.Load(file)
	if err != nil {
		return c, nil, exit{exitUsage, err}
	}
	if o.on.runbook != "" {
		c.Runbook = o.on.runbook
	}
	if o.on.kubeconfig != "" {
		c.Kubeconfig = o.on.kubeconfig
	}
	book, err := loadRunbook(c.Runbook)
	if err != nil {
		return c, nil, exit{exitUsage, err}
	}
	return c, book, nil
}

func (o *fixOptions) run(cmd *cobra.Command, c config.Config, book *runbook.Runbook, ref string) error {
	r, err := o.repair(cmd, c, book)
	if err != nil {
		return err
	}
	return r.run(cmd.Context(), ref, o.set)
}

// repair wires a repair of the chosen target.
func (o *fixOptions) repair(cmd *cobra.Command, c config.Config, book *runbook.Runbook) (*repair, error) {
	target, err := chooseTarget(targetsOf(book.Target, c.Targets), o.on)
	if err != nil {
		return nil, exit{exitUsage, err}
	}
	actor, err := osUser()
	if err != nil {
		return nil, exit{exitUsage, err}
	}
	// What is begun is ended, also after Ctrl-C: a write is not left without its word.
	s := service(context.WithoutCancel(cmd.Context()), c, clusters(c.Kubeconfig), book, &memory.Store{}, owner{actor}, slog.New(slog.DiscardHandler))
	r := newRepair(s, book, target, actor)
	r.out = terminalOn(cmd.OutOrStdout())
	r.in, r.yes, r.dryRun = cmd.InOrStdin(), o.yes, o.dryRun
	r.asks = interactive(cmd.InOrStdin())
	return r, nil
}

// interactive reports whether somebody can be asked.
func interactive(in io.Reader) bool {
	file, ok := in.(*os.File)
	return ok && term.IsTerminal(int(file.Fd()))
}

// osUser is who the operating system says is typing.
func osUser() (incident.Actor, error) {
	who, err := user.Current()
	if err != nil {
		return incident.Actor{}, fmt.Errorf("who are you? %w", err)
	}
	host, err := os.Hostname()
	if err != nil {
		return incident.Actor{}, fmt.Errorf("which machine is this? %w", err)
	}
	name := who.Username + "@" + host
	return incident.Actor{ID: name, Name: name}, nil
}

// owner may do everything that the kubeconfig may.
type owner struct{ actor incident.Actor }

// Allows lets only the one who types do anything.
func (o owner) Allows(_ context.Context, actor incident.Actor, _ incident.Role) error {
	if actor == o.actor {
		return nil
	}
	return &incident.Refusal{Says: "Only " + o.actor.Name + " may do anything here."}
}

// fixes lists what a document can do, one a line.
func fixes(book *runbook.Runbook) string {
	var b strings.Builder
	for _, scenario := range book.Scenarios {
		for _, fix := range scenario.Fixes {
			fmt.Fprintf(&b, "  bot fix %-28s %s\n", fix.Ref, fix.Action)
		}
	}
	for _, fix := range book.Measures {
		fmt.Fprintf(&b, "  bot %-32s %s\n", commands.Verb(fix.Ref, book.Measures), fix.Action)
	}
	return strings.TrimRight(b.String(), "\n")
}
