// Package faults breaks a healthy workload the way it breaks in the field: by
// the writes that people and disks make, never by painting a status.
//
// It owns what each fault writes and how one sees that it has taken. It never
// breaks what is broken already, touches nothing outside the workload's
// namespace, and mends nothing: workload.Heal does.
package faults

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"

	"redis-session-bot/lab/workload"
)

const (
	// The field managers that faults write under, as kubectl names itself.
	editor    = "kubectl-edit"
	scaler    = "kubectl"
	installer = "kubectl-create"
	setter    = "kubectl-set"
	labeller  = "kubectl-label"
	restarter = "kubectl-rollout"
	// patience is how long a fault may take until it shows.
	patience = 90 * time.Second
	// glance is how often it is looked for.
	glance = 300 * time.Millisecond
)

// fault is one way to break the store. To add one, write a file like
// scaled_to_zero.go and name it in all. A cause that comes in several kinds is
// one fault each, with the cause's name, a slash and the kind as its name:
// "volume/pending".
type fault struct {
	name string
	what string // one line for people: what is done
	// ready says that every pod is ready while it shows: only the clients, or
	// nobody, hear of it.
	ready bool
	// inject does it. The store is healthy before.
	inject func(ctx context.Context, c *workload.Copy) error
	// shows says in a line what a person would see of it now; empty when it
	// does not show.
	shows func(ctx context.Context, c *workload.Copy) (string, error)
}

func all() []fault {
	return []fault{
		configError(),
		outOfMemory(),
		corruptAOF(),
		badRollout(),
		scaledToZero(),
		authFailureStore(),
		authFailureApp(),
		authFailureNewline(),
		missingConfigSecretKey(),
		missingConfigMap(),
		imagePull(),
		unschedulableNodeSelector(),
		unschedulableMemory(),
		admissionQuota(),
		admissionLimitRange(),
		admissionPodSecurity(),
		serviceMismatch(),
		brokenProbeCommand(),
		brokenProbePort(),
		crashLoop(),
		volumePending(),
		volumeMissingClass(),
		volumeLost(),
		portConflictContainer(),
		portConflictOwner(),
		portConflictPod(),
		slowStart(),
		dataDirReadOnly(),
		dataDirFull(),
		replication(),
		corruptRDB(),
		emptied(),
		falseAlarm(),
		overloadedClients(),
		overloadedBlocked(),
		networkBlocked(),
	}
}

// Names lists the faults, such as "scaled-to-zero" and "volume/pending".
func Names() []string {
	var names []string
	for _, f := range all() {
		names = append(names, f.name)
	}
	return names
}

// Describe says in a line what a fault does; empty for an unknown name.
func Describe(name string) string {
	f, err := find(name)
	if err != nil {
		return ""
	}
	return f.what
}

// find looks for a fault by its name; the name of a cause alone is its first kind.
func find(name string) (fault, error) {
	for _, f := range all() {
		if f.name == name || strings.HasPrefix(f.name, name+"/") {
			return f, nil
		}
	}
	return fault{}, fmt.Errorf("unknown fault %q: use one of %s", name, strings.Join(Names(), ", "))
}

// Options name the copy of the workload that is to be broken.
type Options struct {
	Kubeconfig string    // a file; empty: as kubectl finds it
	Context    string    // empty: the kubeconfig's current one
	Namespace  string    // empty: workload.DefaultNamespace
	Out        io.Writer // for progress, a line each; nil: none
}

// ErrBroken says that the store is broken already, by something else.
var ErrBroken = errors.New("it is broken already")

// Break breaks a healthy store and waits until the fault shows. Where the same
// fault shows already it does nothing; where the store is not healthy for
// another reason it refuses with ErrBroken.
func Break(ctx context.Context, o Options, name string) error {
	f, err := find(name)
	if err != nil {
		return err
	}
	out := o.Out
	if out == nil {
		out = io.Discard
	}
	c, err := workload.Open(workload.Options{Kubeconfig: o.Kubeconfig, Context: o.Context, Namespace: o.Namespace, Out: out})
	if err != nil {
		return err
	}
	if err := c.Mine(ctx); err != nil {
		return err
	}
	status, err := c.Look(ctx)
	if err != nil {
		return err
	}
	store := c.Namespace + "/" + workload.Redis
	if status.Shape == "" {
		return fmt.Errorf("namespace %s: %w", c.Namespace, workload.ErrMissing)
	}
	if shown, err := f.shows(ctx, c); err == nil && shown != "" {
		fmt.Fprintf(out, "%s is broken so already: %s\n", store, shown)
		return nil
	}
	why := status.Redis.Why
	if why == "" {
		why = quietly(ctx, c)
	}
	if why != "" {
		return fmt.Errorf("%s: %w (%s); run lab heal first", store, ErrBroken, why)
	}
	fmt.Fprintf(out, "breaking %s: %s\n", store, f.what)
	if err := f.inject(ctx, c); err != nil {
		return fmt.Errorf("break %s by %s: %w", store, name, err)
	}
	return f.await(ctx, c, out)
}

// quietly says what a store whose pods are all ready suffers from; empty when
// nothing shows.
func quietly(ctx context.Context, c *workload.Copy) string {
	for _, f := range all() {
		if !f.ready {
			continue
		}
		if shown, err := f.shows(ctx, c); err == nil && shown != "" {
			return f.name + ": " + shown
		}
	}
	return ""
}

// await waits until the fault shows.
func (f fault) await(ctx context.Context, c *workload.Copy, out io.Writer) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var trouble error
	err := wait.PollUntilContextCancel(ctx, glance, true, func(ctx context.Context) (bool, error) {
		shown, err := f.shows(ctx, c)
		// A log is often not there yet, or just gone: the next look decides.
		trouble = err
		if shown != "" {
			fmt.Fprintln(out, shown)
		}
		return shown != "", nil
	})
	if err != nil {
		return fmt.Errorf("%s does not show within %s: %w", f.name, patience, errors.Join(err, trouble))
	}
	return nil
}

// dies says how the store's container dies when its last run printed the text;
// empty when it does not.
func dies(ctx context.Context, c *workload.Copy, text string) (string, error) {
	store, found, err := c.Store(ctx)
	if err != nil || !found || store.Container.Ready || store.Ended() == nil {
		return "", err
	}
	// The log of a run that is over is the previous one once the next has begun.
	log, err := c.Log(ctx, store.Pod.Name, store.Container.State.Running != nil)
	if err != nil {
		return "", err
	}
	for line := range strings.Lines(log) {
		if strings.Contains(line, text) {
			return fmt.Sprintf("pod %s ends with %d as it starts: %s", store.Pod.Name, store.Ended().ExitCode, strings.TrimSpace(line)), nil
		}
	}
	return "", nil
}
