// Command bot diagnoses and repairs a Redis session store on Kubernetes, from
// Slack (serve) or from a terminal (diagnose).
//
// It is the one place that wires every package to the others.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
	_ "time/tzdata" // the image has no time zones of its own

	"github.com/spf13/cobra"

	"redis-session-bot/internal/incident"
)

// version is set by the linker; a build without it tells its commit.
var version = ""

// The exit codes.
const (
	exitProblem   = 1 // a problem was found
	exitUsage     = 2 // bad usage or config
	exitNoCluster = 3 // the evidence could not be collected
)

// exit is an error with the exit code that it asks for. A nil err says nothing.
type exit struct {
	code int
	err  error
}

func (e exit) Error() string { return fmt.Sprint(e.err) }

func (e exit) Unwrap() error { return e.err }

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := root().ExecuteContext(ctx)
	stop()
	os.Exit(report(err))
}

// report prints an error as one sentence and gives its exit code.
func report(err error) int {
	if err == nil {
		return 0
	}
	asked := exit{code: exitUsage, err: err}
	errors.As(err, &asked)
	if asked.err != nil {
		var refusal *incident.Refusal
		if errors.As(asked.err, &refusal) {
			fmt.Fprintln(os.Stderr, "bot: "+refusal.Says)
		} else {
			fmt.Fprintf(os.Stderr, "bot: %v\n", asked.err)
		}
	}
	return asked.code
}

func root() *cobra.Command {
	var file string
	var o fixOptions
	cmd := &cobra.Command{
		Use:   "bot",
		Short: "Diagnose and repair a Redis session store on Kubernetes, from Slack or a terminal",
		Long: `bot walks responders through a runbook's diagnosis, names the likely cause with
its evidence, and proposes the fix as a plan. It changes nothing before somebody
who may has pressed Apply, or has typed yes in a terminal.

The measures of the runbook are commands, too, such as bot rollback; bot fix
lists them with the fixes.`,
		Version:       buildVersion(),
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return cmd.Help()
			}
			return runMeasure(cmd, file, o, args)
		},
	}
	o.flags(cmd.Flags())
	cmd.PersistentFlags().StringVar(&file, "config", "", "configuration file (default: config.yaml in the working directory, if there)")
	cmd.AddCommand(serveCommand(&file), diagnoseCommand(&file), fixCommand(&file), verifyCommand(&file), auditCommand(&file), haCommand(&file), checkCommand(&file), rbacCommand(&file), manifestCommand(&file), auditLogCommand(&file), reportCommand(&file), timelineCommand(&file), historyCommand(&file), lintCommand())
	return cmd
}

func buildVersion() string {
	if version != "" {
		return version
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	for _, setting := range info.Settings {
		if setting.Key == "vcs.revision" {
			return setting.Value
		}
	}
	return "devel"
}
