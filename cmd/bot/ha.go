package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"redis-session-bot/internal/commands"
)

func haCommand(file *string) *cobra.Command {
	var o fixOptions
	cmd := &cobra.Command{
		Use:   "ha [TARGET]",
		Short: "Print manifests of a copy of the live store with replicas and Sentinels",
		Long: `Print manifests of a copy of the live store: three Redis that replicate, and three
Sentinels that choose the master. They are made of the live store's image,
configuration, limits, labels and claim; the password is named by its Secret. The
API server is asked about them by a dry run; nothing is applied.

The manifests go to the standard output, what to know about them to the standard
error.

Exit code: 0 the dry run was accepted, 1 it was refused or may not be asked for,
2 bad usage or configuration, 3 the store could not be read.`,
		Example: "  bot ha >redis-session-ha.yaml",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			stores, target, err := o.stores(*file, args)
			if err != nil {
				return err
			}
			made, err := commands.MakeAvailable(cmd.Context(), stores, target)
			if err != nil {
				return exit{exitNoCluster, err}
			}
			terminalOn(cmd.ErrOrStderr()).Draw(made.View())
			if _, err := fmt.Fprint(cmd.OutOrStdout(), made.YAML); err != nil {
				return exit{exitNoCluster, fmt.Errorf("write the manifests: %w", err)}
			}
			if !made.Tried.OK() {
				return exit{exitProblem, nil}
			}
			return nil
		},
	}
	o.on.flags(cmd.Flags())
	return cmd
}
