package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"redis-session-bot/internal/slack/slacktest"
	"redis-session-bot/lab/cluster"
	"redis-session-bot/lab/faults"
	"redis-session-bot/lab/monitoring"
	"redis-session-bot/lab/stage"
	"redis-session-bot/lab/workload"
)

func demoCommand(f *flags) *cobra.Command {
	fault, listen, keep := "config-error", "127.0.0.1:8345", false
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Bring everything, break the store, and lead through it in a local Slack, from the alert on; Ctrl-C stops all of it",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := errors.Join(oneFault([]string{fault}, ""), knownShape(f.shape)); err != nil {
				return err
			}
			return demo(cmd.Context(), f, fault, listen, keep)
		},
	}
	cmd.Flags().StringVar(&fault, "fault", fault, "the fault to show")
	cmd.Flags().StringVar(&listen, "listen", listen, "address of the local Slack, on loopback")
	cmd.Flags().StringVar(&f.shape, "shape", "", "deployment or statefulset")
	cmd.Flags().BoolVar(&keep, "keep-cluster", false, "leave the cluster up at the end")
	return cmd
}

// tour leads a newcomer from the alert to the fix and back.
var tour = []slacktest.Advice{
	{Says: "A store is about to break. Within half a minute the alert opens an incident here by itself. (A fault that no alert sees: type /redis-session diagnose.)"},
	{When: "Run all", Says: "This is the incident: what users notice, and one line for each step of the runbook. Press Run all, or Run for one step after the other. Nothing is changed by looking."},
	{When: "Run all again", Says: "Every step has run. The verdict says how sure it is and because of what; each step's own result is in the thread. Where no button offers a plan, it says what a person does by hand."},
	{When: "Plan: ", Says: "The verdict says how sure it is and because of what; each step's own result is in the thread. Press Plan: the bot prepares the fix and changes nothing yet."},
	{When: "waits in the thread", Says: "Open the thread: the card shows every change as a diff, tried by the API server. Only an approver may apply it: become Abel Prover at the bottom left, and press Apply there."},
	{When: "Applying plan", Says: "It writes what the card showed, once, and waits for the rollout. A second click would change nothing."},
	{When: "Fixed at", Says: "Mended and verified by a session that was written and read back. Undo puts the objects back; Report gives the whole story. The alert ends by itself within a minute."},
	{When: "The alert is quiet, and the store is well", Says: "That was all: the alert has ended, the bot has looked for itself and closed the incident. Type /redis-session history, or end the demo with Ctrl-C in the terminal."},
}

// demo runs until Ctrl-C.
func demo(ctx context.Context, f *flags, fault, listen string, keep bool) error {
	return scene(ctx, f, listen, keep, tour, func(on *stage.Stage) error {
		fmt.Printf("breaking the store: %s\n", faults.Describe(fault))
		o := f.workloadOptions()
		if err := faults.Break(ctx, faults.Options{Kubeconfig: o.Kubeconfig, Context: o.Context, Namespace: o.Namespace, Out: os.Stdout}, fault); err != nil {
			return err
		}
		fmt.Printf(`
The store is down. Open this page; it behaves like Slack:

    %s

The alert arrives in #inc-redis by itself, within half a minute, with the diagnosis. (A fault that no alert sees: type
/redis-session diagnose.) Then: Plan, and, as the approver (switch at the bottom left), Apply. The alert ends when the
store is well, and the bot looks itself before it closes the incident. Ctrl-C stops everything.
`, on.Workspace.Ready().Page)
		if err := on.Wait(ctx); err != nil {
			return err
		}
		fmt.Println("\nstopping")
		return nil
	})
}

// scene brings the cluster, the healthy store, what watches it, a local Slack and
// the bot on it, for as long as play takes. What it has started, it stops.
func scene(ctx context.Context, f *flags, listen string, keep bool, guide []slacktest.Advice, play func(*stage.Stage) error) (failure error) {
	bot, err := botBinary(f)
	if err != nil {
		return err
	}
	wasUp := cluster.New(cluster.Options{State: f.state}).Exists()
	if f.own() && !wasUp && !keep {
		defer func() { failure = errors.Join(failure, stopCluster(f)) }()
	}
	if err := up(ctx, f, false); err != nil {
		return err
	}
	if status, err := workload.Look(ctx, f.workloadOptions()); err != nil {
		return err
	} else if !status.Healthy() {
		fmt.Println("healing what an earlier demo has broken:")
		if err := workload.Heal(ctx, f.workloadOptions()); err != nil {
			return err
		}
	}
	o := f.workloadOptions()
	repo, err := repoRoot(f.repo)
	if err != nil {
		return err
	}
	webhook, err := monitoring.FreePort()
	if err != nil {
		return err
	}
	stands := stage.Options{Bot: bot, Listen: listen, Namespace: f.namespace, Context: f.context, Kubeconfig: o.Kubeconfig, Alerts: webhook, Token: rand.Text(), Guide: guide}
	if f.own() { // the pods of another cluster cannot be reached from here
		fmt.Println("watching the store with Prometheus, as the runbook's alert rule does, only less patient:")
		watch, err := monitoring.Start(ctx, monitoring.Options{Repo: repo, Workload: o, Webhook: "http://" + webhook + "/alerts", Token: stands.Token, For: 10 * time.Second, Out: os.Stdout})
		if err != nil {
			return err
		}
		defer func() { failure = errors.Join(failure, watch.Close()) }()
		fmt.Printf("  Prometheus %s, Alertmanager %s\n", watch.Prometheus, watch.Alertmanager)
		stands.Prometheus = watch.Prometheus
	}
	on, err := stage.Start(ctx, stands)
	if err != nil {
		return err
	}
	defer func() { failure = errors.Join(failure, on.Close()) }()
	return play(on)
}

func stopCluster(f *flags) error {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	return cluster.New(cluster.Options{State: f.state}).Down(ctx)
}

// botBinary finds bin/bot.
func botBinary(f *flags) (string, error) {
	repo, err := repoRoot(f.repo)
	if err != nil {
		return "", err
	}
	path := filepath.Join(repo, "bin", "bot")
	if _, err := os.Stat(path); err != nil {
		return "", fmt.Errorf("%s is not there: run make build first", path)
	}
	return path, nil
}
