package main

import (
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/agnivade/levenshtein"
	"github.com/spf13/cobra"

	"redis-session-bot/lab/faults"
	"redis-session-bot/lab/workload"
)

func breakCommand(f *flags) *cobra.Command {
	var list strings.Builder
	for _, name := range faults.Names() {
		fmt.Fprintf(&list, "  %-24s %s\n", name, faults.Describe(name))
	}
	var kind, side string
	var newline bool
	cmd := &cobra.Command{
		Use:   "break FAULT",
		Short: "Break the store for real, and wait until it shows",
		Long: `Break the store for real, and wait until it shows. A fault of several kinds is
named with its kind (volume/lost), or by a flag (volume --kind lost); without
either it is the first of them. The faults:

` + list.String(),
		Args:      func(_ *cobra.Command, args []string) error { return oneFault(args, kindOf(kind, side, newline)) },
		ValidArgs: faults.Names(),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := f.needCluster(); err != nil {
				return err
			}
			o := f.workloadOptions()
			return faults.Break(cmd.Context(), faults.Options{Kubeconfig: o.Kubeconfig, Context: o.Context, Namespace: o.Namespace, Out: os.Stdout},
				args[0]+kindOf(kind, side, newline))
		},
	}
	cmd.Flags().StringVar(&kind, "kind", "", "which kind of the fault")
	cmd.Flags().StringVar(&side, "side", "", "of auth-failure: who has the old password, store or app")
	cmd.Flags().BoolVar(&newline, "newline", false, "of auth-failure: the Secret's value ends in a newline")
	cmd.MarkFlagsMutuallyExclusive("kind", "side", "newline")
	return cmd
}

// kindOf is what the flags add to a fault's name.
func kindOf(kind, side string, newline bool) string {
	switch {
	case newline:
		return "/newline"
	case kind+side != "":
		return "/" + kind + side
	}
	return ""
}

// oneFault wants one known name, with or without its kind, and offers the nearest.
func oneFault(args []string, kind string) error {
	if len(args) != 1 {
		return fmt.Errorf("name one fault: %s", strings.Join(faults.Names(), ", "))
	}
	if faults.Describe(args[0]+kind) != "" {
		return nil
	}
	return known("fault", args[0]+kind, faults.Names())
}

// knownShape wants a shape that the store can have, or none.
func knownShape(shape string) error {
	if shape == "" {
		return nil
	}
	return known("shape", shape, workload.Shapes())
}

// known wants a name of the list and offers the nearest.
func known(kind, name string, names []string) error {
	if slices.Contains(names, name) {
		return nil
	}
	nearest := slices.MinFunc(names, func(a, b string) int {
		return levenshtein.ComputeDistance(name, a) - levenshtein.ComputeDistance(name, b)
	})
	return fmt.Errorf("there is no %s %q; did you mean %s? Known: %s", kind, name, nearest, strings.Join(names, ", "))
}

func healCommand(f *flags) *cobra.Command {
	return &cobra.Command{
		Use:   "heal",
		Short: "Bring the workload back to healthy, whatever was done to it",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := f.needCluster(); err != nil {
				return err
			}
			return workload.Heal(cmd.Context(), f.workloadOptions())
		},
	}
}
