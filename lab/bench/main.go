// Command bench measures the bot on the lab's cluster: the time of a diagnosis
// against the same lines typed by hand, its requests and its memory as the
// namespace and the log grow, and Slack's acknowledgements under load.
//
// It owns the namespaces whose names begin with bench-, and removes them. It
// prints one Markdown table and writes it to a document.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"redis-session-bot/lab/cluster"
	"redis-session-bot/lab/workload"
)

func main() {
	repo := flag.String("repo", "..", "folder of the repository")
	document := flag.String("o", "docs/benchmarks.md", "document to write, within the repository")
	only := flag.String("only", "", "measure this alone: typing, acks, growth or load; the document is not written then")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, *repo, *document, *only)
	stop()
	if err != nil {
		fmt.Fprintf(os.Stderr, "bench: %v\n", err)
		os.Exit(1)
	}
}

// bench is what all measurements share.
type bench struct {
	bot, kubectl string // binaries
	kubeconfig   string
	podLogs      string // folder of the node's container logs
	folder       string // for files of its own; removed at the end
	table        table
}

// run measures everything. Of the cluster it takes away only its namespaces.
func run(ctx context.Context, repo, document, only string) (failure error) {
	repo, err := filepath.Abs(repo)
	if err != nil {
		return fmt.Errorf("find the repository: %w", err)
	}
	lab, err := cluster.Up(ctx, cluster.Options{Repo: repo, Images: workload.Images})
	if err != nil {
		return err
	}
	b := &bench{bot: filepath.Join(repo, "bin", "bot"), kubectl: filepath.Join(repo, "bin", "kubectl"),
		kubeconfig: lab.Kubeconfig, podLogs: filepath.Join(filepath.Dir(lab.Kubeconfig), "pod-logs")}
	if b.folder, err = os.MkdirTemp("", "redis-session-bench-"); err != nil {
		return fmt.Errorf("make a folder: %w", err)
	}
	defer func() { failure = errors.Join(failure, os.RemoveAll(b.folder)) }()
	for _, shape := range workload.Shapes() {
		options := b.copyOf(shape)
		defer func() { failure = errors.Join(failure, remove(options)) }()
		note("bringing a store as a %s", shape)
		if err := workload.Up(ctx, options); err != nil {
			return err
		}
	}
	if err := b.measured(ctx); err != nil {
		return err
	}
	for _, part := range []struct {
		name    string
		measure func(context.Context) error
	}{{"typing", b.typing}, {"acks", b.acks}, {"growth", b.growth}, {"load", b.load}} {
		if only != "" && only != part.name {
			continue
		}
		if err := part.measure(ctx); err != nil {
			return fmt.Errorf("%s: %w", part.name, err)
		}
	}
	fmt.Print(b.table.markdown())
	if only != "" {
		return nil
	}
	return b.table.write(filepath.Join(repo, document))
}

func (b *bench) copyOf(shape string) workload.Options {
	return workload.Options{Kubeconfig: b.kubeconfig, Namespace: "bench-" + shape, Shape: shape}
}

// namespace is of the copy that most is measured on.
func (b *bench) namespace() string { return b.copyOf(workload.Deployment).Namespace }

func remove(options workload.Options) error {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	return workload.Down(ctx, options)
}

// note says on stderr what goes on.
func note(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "bench: "+format+"\n", args...)
}
