package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"redis-session-bot/lab/cluster"
	"redis-session-bot/lab/workload"
)

func upCommand(f *flags) *cobra.Command {
	bare := false
	cmd := &cobra.Command{
		Use:   "up",
		Short: "Bring the cluster and the workload; the last line is the kubeconfig's path",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := knownShape(f.shape); err != nil {
				return err
			}
			return up(cmd.Context(), f, bare)
		},
	}
	cmd.Flags().StringVar(&f.shape, "shape", "", "deployment or statefulset (default: as it is, else deployment)")
	cmd.Flags().BoolVar(&bare, "cluster-only", false, "bring no workload")
	return cmd
}

func up(ctx context.Context, f *flags, bare bool) error {
	began := time.Now()
	if f.own() {
		options, err := f.clusterOptions()
		if err != nil {
			return err
		}
		fmt.Println("cluster:")
		if _, err := cluster.Up(ctx, options); err != nil {
			return err
		}
	}
	if !bare {
		fmt.Println("workload:")
		if err := workload.Up(ctx, f.workloadOptions()); err != nil {
			return err
		}
	}
	fmt.Printf("up after %.0f s; kubeconfig:\n%s\n", time.Since(began).Seconds(), f.workloadOptions().Kubeconfig)
	return nil
}

func downCommand(f *flags) *cobra.Command {
	return &cobra.Command{
		Use:   "down",
		Short: "Stop the cluster and remove everything that lab has made",
		Long: `Stop the cluster and remove everything that lab has made: processes, mounts,
addresses, volumes. With --kubeconfig only the workload's namespace is removed.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if !f.own() {
				return workload.Down(cmd.Context(), f.workloadOptions())
			}
			c := cluster.New(cluster.Options{State: f.state})
			if !c.Exists() {
				fmt.Println("the lab's cluster is not up")
				return nil
			}
			if err := c.Down(cmd.Context()); err != nil {
				return fmt.Errorf("something is left: %w; run lab down again", err)
			}
			fmt.Println("down; nothing is left")
			return nil
		},
	}
}
