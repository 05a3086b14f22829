package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"redis-session-bot/internal/slack/slacktest"
	"redis-session-bot/lab/cluster"
	"redis-session-bot/lab/faults"
	"redis-session-bot/lab/workload"
)

func demoCommand(f *flags) *cobra.Command {
	fault, listen, keep := "config-error", "127.0.0.1:8345", false
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Bring everything, break the store, and lead through it in a local Slack; Ctrl-C stops all of it",
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

// demo runs until Ctrl-C. What it has started, it stops.
func demo(ctx context.Context, f *flags, fault, listen string, keep bool) (failure error) {
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
	fmt.Printf("breaking the store: %s\n", faults.Describe(fault))
	if err := faults.Break(ctx, faults.Options{Kubeconfig: o.Kubeconfig, Context: o.Context, Namespace: o.Namespace, Out: os.Stdout}, fault); err != nil {
		return err
	}
	workspace, err := slacktest.Start(ctx, slacktest.Options{Listen: listen})
	if err != nil {
		return err
	}
	defer func() { failure = errors.Join(failure, workspace.Close()) }()
	process, err := startBot(ctx, bot, f, workspace.Ready())
	if err != nil {
		return err
	}
	defer process.stop()
	fmt.Printf(`
The store is down. Open this page; it behaves like Slack:

    %s

Type   /redis-session diagnose   in #inc-redis. Then: Run all, Plan, and, as the approver
(switch at the bottom left), Apply. Ctrl-C stops everything.
`, workspace.Ready().Page)
	select {
	case <-ctx.Done():
		fmt.Println("\nstopping")
		return nil
	case <-process.ended:
		return fmt.Errorf("the bot has ended: %w\n%s", process.failure, lastOf(process.log.Bytes(), 2000))
	}
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

// running is the bot as a process of the demo.
type running struct {
	command *exec.Cmd
	log     *bytes.Buffer
	ended   chan struct{}
	failure error
	folder  string
}

// startBot runs the bot against the local workspace with a configuration of
// its own: the channel of the demo, and the roles of its people.
func startBot(ctx context.Context, bot string, f *flags, ready slacktest.Ready) (*running, error) {
	folder, err := os.MkdirTemp("", "redis-session-demo-")
	if err != nil {
		return nil, err
	}
	config := filepath.Join(folder, "config.yaml")
	content := fmt.Sprintf(`targets:
  - {name: demo, namespace: %q, context: %q}
slack:
  channels: [inc-redis]
roles:
  responders: [U_RESPONDER]
  approvers: [U_APPROVER, U_SECOND]
`, f.namespace, f.context)
	if err := os.WriteFile(config, []byte(content), 0o600); err != nil {
		return nil, err
	}
	r := &running{log: &bytes.Buffer{}, ended: make(chan struct{}), folder: folder}
	r.command = exec.CommandContext(ctx, bot, "serve", "--config", config)
	r.command.Cancel = func() error { return r.command.Process.Signal(syscall.SIGTERM) }
	r.command.WaitDelay = 10 * time.Second
	r.command.Env = append(os.Environ(), "SLACK_BOT_TOKEN="+ready.BotToken, "SLACK_APP_TOKEN="+ready.AppToken, "SLACK_API_URL="+ready.API,
		"KUBECONFIG="+f.workloadOptions().Kubeconfig)
	r.command.Stdout, r.command.Stderr = r.log, r.log
	if err := r.command.Start(); err != nil {
		return nil, fmt.Errorf("start the bot: %w", err)
	}
	go func() {
		r.failure = r.command.Wait()
		close(r.ended)
	}()
	return r, nil
}

func (r *running) stop() {
	select {
	case <-r.ended:
	default:
		_ = r.command.Process.Signal(syscall.SIGTERM) // it may just have ended
		<-r.ended
	}
	_ = os.RemoveAll(r.folder)
}

func lastOf(text []byte, n int) []byte { return text[max(0, len(text)-n):] }
