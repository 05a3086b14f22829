package main

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"redis-session-bot/internal/config"
	"redis-session-bot/internal/evidence"
	"redis-session-bot/internal/k8s"
)

func rbacCommand(file *string) *cobra.Command {
	var o diagnoseOptions
	account := ""
	var extra k8s.Extra
	cmd := &cobra.Command{
		Use:   "rbac [TARGET]",
		Short: "Print the least Role that the bot needs for its runbook",
		Long: `Print the least Role that the bot needs for the checks and the changes of its
runbook, as manifests for kubectl apply: a Role and a RoleBinding for each
target's namespace, and a ClusterRole for nodes and storage classes; where incidents
are kept in ConfigMaps (store.kind), a Role for those. A comment at each rule says
what needs it. Nothing is asked of a cluster.

Without a TARGET it is for all that are configured.

Exit code: 0 printed, 2 bad usage or configuration.`,
		Example: "  bot rbac | kubectl apply -f -",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 {
				o.target = args[0]
			}
			namespace, name, ok := strings.Cut(account, "/")
			if !ok || namespace == "" || name == "" {
				return exit{exitUsage, fmt.Errorf("--service-account %s: write NAMESPACE/NAME", account)}
			}
			c, book, err := (&fixOptions{on: o}).load(*file)
			if err != nil {
				return err
			}
			targets := targetsOf(book.Target, c.Targets)
			if o.target != "" || o.namespace != "" || o.workload != "" {
				one, err := chooseTarget(targets, o)
				if err != nil {
					return exit{exitUsage, err}
				}
				targets = []evidence.Target{one}
			}
			as := k8s.Account{Namespace: namespace, Name: name}
			if c.Store.Kind == config.StoreKubernetes {
				as.Store = cmp.Or(c.Store.Namespace, namespace)
			}
			manifests, err := k8s.RBAC(book, targets, as, extra)
			if err != nil {
				return err
			}
			_, err = cmd.OutOrStdout().Write(manifests)
			return err
		},
	}
	cmd.Flags().StringVar(&account, "service-account", "redis-session-bot/redis-session-bot", "ServiceAccount that the bot runs as, as NAMESPACE/NAME")
	cmd.Flags().BoolVar(&extra.DryRun, "dry-run-of-ha", false, "also grant create on what bot ha writes, so that it can try it in a dry run; it creates none of it")
	cmd.Flags().StringVarP(&o.namespace, "namespace", "n", "", "namespace of the target (default: the configured one)")
	cmd.Flags().StringVar(&o.workload, "workload", "", "Deployment or StatefulSet of the target")
	cmd.Flags().StringVar(&o.runbook, "runbook", "", "runbook document (default: the configured one)")
	return cmd
}
