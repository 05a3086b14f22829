package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"redis-session-bot/lab/cluster"
	"redis-session-bot/lab/workload"
)

// status is what is up, as lab status -o json prints it.
type status struct {
	Kubeconfig string          `json:"kubeconfig"`
	Programs   map[string]bool `json:"programs,omitempty"` // of the lab's own cluster: whether each runs
	workload.Status
}

func statusCommand(f *flags) *cobra.Command {
	output := "text"
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Say what is up; exit code 1 when the cluster is not",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if output != "text" && output != "json" {
				return fmt.Errorf("unknown output %q: use text or json", output)
			}
			s, err := look(cmd.Context(), f)
			if err != nil {
				return err
			}
			if output == "json" {
				return json.NewEncoder(cmd.OutOrStdout()).Encode(s)
			}
			s.write(cmd.OutOrStdout())
			return nil
		},
	}
	cmd.Flags().StringVarP(&output, "output", "o", output, "text or json")
	return cmd
}

func look(ctx context.Context, f *flags) (status, error) {
	if err := f.needCluster(); err != nil {
		return status{}, err
	}
	s := status{Kubeconfig: f.workloadOptions().Kubeconfig}
	if f.own() {
		s.Programs = cluster.New(cluster.Options{State: f.state}).Programs()
		if ended := s.ended(); slices.Contains(ended, "etcd") || slices.Contains(ended, "kube-apiserver") {
			return status{}, fmt.Errorf("%s does not run: lab up mends it", strings.Join(ended, ", "))
		}
	}
	var err error
	s.Status, err = workload.Look(ctx, f.workloadOptions())
	return s, err
}

// ended names the programs that should run and do not.
func (s status) ended() []string {
	var names []string
	for name, runs := range s.Programs {
		if !runs {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

func (s status) write(out io.Writer) {
	fmt.Fprintf(out, "kubeconfig       %s\n", s.Kubeconfig)
	if ended := s.ended(); len(ended) > 0 {
		fmt.Fprintf(out, "cluster          %s does not run: lab up mends it\n", strings.Join(ended, ", "))
	} else if len(s.Programs) > 0 {
		fmt.Fprintf(out, "cluster          all %d programs run\n", len(s.Programs))
	}
	fmt.Fprintf(out, "namespace        %s\n", s.Namespace)
	if s.Shape == "" {
		fmt.Fprintln(out, "no workload: run lab up")
		return
	}
	fmt.Fprintf(out, "shape            %s\n", s.Shape)
	for _, part := range []struct {
		name string
		workload.Part
	}{{workload.Redis, s.Redis}, {workload.Agent, s.Agent}} {
		fmt.Fprintf(out, "%-16s %d of %d ready  %s\n", part.name, part.Ready, part.Wanted, part.Why)
	}
}
