// Command lab brings a real Kubernetes with a real Redis session store, breaks
// it on purpose, heals it, and plays the Slack workspace around it.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/spf13/cobra"

	"redis-session-bot/lab/cluster"
	"redis-session-bot/lab/workload"
)

// version is set by the linker.
var version = "devel"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := root().ExecuteContext(ctx)
	stop()
	if err != nil {
		fmt.Fprintf(os.Stderr, "lab: %v\n", err)
		os.Exit(1)
	}
}

// flags are those that most commands share.
type flags struct {
	kubeconfig, context, namespace, shape, state, repo string
}

func root() *cobra.Command {
	var f flags
	cmd := &cobra.Command{
		Use:   "lab",
		Short: "A real Kubernetes with a Redis session store to break, heal and try the bot on",
		Long: `lab brings a real single-node Kubernetes on this machine (as root; nothing
listens outside loopback and the lab's own bridge), a Redis session store with
an application that uses it, real faults, and a local Slack workspace.

With --kubeconfig it uses an existing throwaway cluster (kind, minikube) instead
and brings only the workload.`,
		Version:       version,
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	shared := cmd.PersistentFlags()
	shared.StringVar(&f.kubeconfig, "kubeconfig", "", "use an existing throwaway cluster by this kubeconfig")
	shared.StringVar(&f.context, "context", "", "context of that kubeconfig")
	shared.StringVarP(&f.namespace, "namespace", "n", workload.DefaultNamespace, "namespace of the workload; several live side by side")
	shared.StringVar(&f.state, "state", "", "folder of the cluster's state (default "+cluster.DefaultState+", or LAB_STATE)")
	shared.StringVar(&f.repo, "repo", "", "root of the repository (default: found from the working directory or this program)")
	cmd.AddCommand(upCommand(&f), downCommand(&f), statusCommand(&f), breakCommand(&f), healCommand(&f), slackCommand(), demoCommand(&f), drillCommand(&f), picturesCommand(&f))
	return cmd
}

// repoRoot finds the repository: the folder that holds lab/cmd/kube.
func repoRoot(named string) (string, error) {
	if named != "" {
		return filepath.Abs(named)
	}
	var starts []string
	if dir, err := os.Getwd(); err == nil {
		starts = append(starts, dir)
	}
	if exe, err := os.Executable(); err == nil {
		starts = append(starts, filepath.Dir(exe))
	}
	for _, dir := range starts {
		for ; dir != "/"; dir = filepath.Dir(dir) {
			if _, err := os.Stat(filepath.Join(dir, "lab", "cmd", "kube", "main.go")); err == nil {
				return dir, nil
			}
		}
	}
	return "", errors.New("the repository was not found from here: run lab inside it, or name it with --repo")
}

// clusterOptions are those of the lab's own cluster.
func (f *flags) clusterOptions() (cluster.Options, error) {
	repo, err := repoRoot(f.repo)
	if err != nil {
		return cluster.Options{}, err
	}
	return cluster.Options{State: f.state, Repo: repo, Images: workload.Images, Out: os.Stdout}, nil
}

// own reports whether the lab's own cluster is meant.
func (f *flags) own() bool { return f.kubeconfig == "" && f.context == "" }

// workloadOptions name the copy of the workload that the flags mean.
func (f *flags) workloadOptions() workload.Options {
	kubeconfig := f.kubeconfig
	if f.own() {
		kubeconfig = cluster.New(cluster.Options{State: f.state}).Kubeconfig
	}
	return workload.Options{Kubeconfig: kubeconfig, Context: f.context, Namespace: f.namespace, Shape: f.shape, Out: os.Stdout}
}

// needCluster says how to get one where the lab's own is not up.
func (f *flags) needCluster() error {
	if f.own() && !cluster.New(cluster.Options{State: f.state}).Exists() {
		return errors.New("the lab's cluster is not up: run lab up first, or name another cluster with --kubeconfig")
	}
	return nil
}
