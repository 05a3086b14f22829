package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"redis-session-bot/internal/slack/slacktest/browser"
	"redis-session-bot/lab/cluster"
	"redis-session-bot/lab/faults"
	"redis-session-bot/lab/stage"
	"redis-session-bot/lab/walk"
	"redis-session-bot/lab/workload"
)

// picturesNamespace is where the store of the pictures lives.
const picturesNamespace = "pictures"

func picturesCommand(f *flags) *cobra.Command {
	return &cobra.Command{
		Use:   "pictures [DIR]",
		Short: "Take the README's pictures from the running bot",
		Args:  cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			dir := filepath.Join("docs", "pictures")
			if len(args) == 1 {
				dir = args[0]
			}
			if err := os.MkdirAll(dir, 0o755); err != nil {
				return err
			}
			own := *f
			own.namespace = picturesNamespace
			return pictures(cmd.Context(), &own, dir)
		},
	}
}

// pictures breaks a store of its own, walks to its fix in a browser, and takes
// a picture wherever a person would stop to read.
func pictures(ctx context.Context, f *flags, dir string) (failure error) {
	bot, err := botBinary(f)
	if err != nil {
		return err
	}
	if f.own() && !cluster.New(cluster.Options{State: f.state}).Exists() {
		defer func() { failure = errors.Join(failure, stopCluster(f)) }()
	}
	if err := up(ctx, f, false); err != nil {
		return err
	}
	o := f.workloadOptions()
	defer func() { failure = errors.Join(failure, removeWorkload(ctx, o)) }()
	if err := faults.Break(ctx, faults.Options{Kubeconfig: o.Kubeconfig, Context: o.Context, Namespace: o.Namespace, Out: os.Stdout}, "config-error"); err != nil {
		return err
	}
	on, err := stage.Start(ctx, stage.Options{Bot: bot, Namespace: f.namespace, Context: f.context, Kubeconfig: o.Kubeconfig})
	if err != nil {
		return err
	}
	defer func() { failure = errors.Join(failure, on.Close()) }()
	b, err := browser.Start(ctx)
	if err != nil {
		return err
	}
	defer func() { failure = errors.Join(failure, b.Close()) }()
	b.Scale = 1.5
	b.Patience = 2 * time.Minute // a rollout and its verification lie between two pictures
	take := func(name string) error {
		fmt.Printf("  %s\n", name)
		return b.Screenshot(filepath.Join(dir, name))
	}
	return walk.ToAFix(b, on.Workspace, take)
}

// removeWorkload removes the namespace even after Ctrl-C, but does not wait for
// ever for a cluster that no longer answers.
func removeWorkload(ctx context.Context, o workload.Options) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Minute)
	defer cancel()
	return workload.Down(ctx, o)
}
