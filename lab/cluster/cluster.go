// Package cluster runs a real single-node Kubernetes on this machine: etcd,
// the API server, the controllers, a kubelet on containerd, kube-proxy,
// CoreDNS and metrics-server.
//
// It owns every process, mount, address and folder that it makes, and removes
// them all again. It listens on loopback and on its own bridge only. It knows
// nothing of the workload that runs on it.
package cluster

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"time"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
)

// DefaultState is where a machine's one cluster keeps what it needs.
const DefaultState = "/var/lib/redis-session-lab"

// Options say where a cluster lives and where its images come from.
type Options struct {
	State  string // folder of the cluster's state; empty: $LAB_STATE, then DefaultState
	Repo   string // root of the repository; its .tools folder holds what is built once
	Images func(ctx context.Context, dir string) ([]string, error)
	Out    io.Writer // progress, one line a stage
}

// Cluster is a handle on a cluster, running or not.
type Cluster struct {
	Kubeconfig string // path of an administrator's kubeconfig
	APIServer  string // URL of the API server
	state      string
	sockets    string // folder of containerd's socket and mounts; short, since a socket's path may have 107 bytes
	cgroup     string // path of the pods' cgroup in every hierarchy
	kube       string // the binary that is every program
	out        io.Writer
}

// NodeIP is the address of the node's bridge: pods reach what listens there.
const NodeIP = nodeIP

// New gives a handle on the cluster of opts, running or not.
func New(opts Options) *Cluster {
	state := cmp.Or(opts.State, os.Getenv("LAB_STATE"), DefaultState)
	if whole, err := filepath.Abs(state); err == nil { // it fails only in a working directory that is gone
		state = whole
	}
	name := "redis-session-lab"
	if state != DefaultState {
		name += fmt.Sprintf("-%.3x", sha256.Sum256([]byte(state)))
	}
	out := opts.Out
	if out == nil {
		out = io.Discard
	}
	return &Cluster{
		Kubeconfig: filepath.Join(state, "kubeconfig"),
		APIServer:  "https://" + net.JoinHostPort(nodeIP, apiPort),
		state:      state,
		sockets:    "/run/" + name,
		cgroup:     "/" + name,
		out:        out,
	}
}

// Up brings the cluster and returns when a pod can run on it. It is
// idempotent, and it mends a cluster of which something was killed. Two calls
// at once take turns.
func Up(ctx context.Context, opts Options) (*Cluster, error) {
	c := New(opts)
	if os.Geteuid() != 0 {
		return nil, errors.New("lab up needs root: it makes a bridge, mounts and cgroups. Run it with sudo, or use --kubeconfig with a throwaway cluster")
	}
	var err error
	if opts.Repo, err = filepath.Abs(opts.Repo); err != nil {
		return nil, fmt.Errorf("find the repository: %w", err)
	}
	unlock, err := c.lock(ctx)
	if err != nil {
		return nil, err
	}
	defer unlock()
	if err := c.up(ctx, opts); err != nil {
		return nil, err
	}
	return c, nil
}

// up runs the stages in order; each does nothing where all is well.
func (c *Cluster) up(ctx context.Context, opts Options) error {
	var tars []string
	stages := []struct {
		name string
		run  func() error
	}{
		{"state folder", func() error { return c.claimAlone(ctx) }},
		{"packages", func() error { return Install(ctx, c.out, debianPackages) }},
		{"kubernetes binary", func() (err error) { c.kube, err = buildKube(ctx, opts.Repo, c.out); return err }},
		{"images", func() (err error) {
			tars, err = opts.Images(ctx, filepath.Join(opts.Repo, ".tools", "images"))
			return err
		}},
		{"network", c.bridgeUp},
		{"certificates", c.certificates},
		{"control plane", func() error { return c.controlPlane(ctx) }},
		{"container runtime", func() error { return c.runtime(ctx, tars) }},
		{"node", func() error { return c.node(ctx) }},
		{"add-ons", func() error { return c.addons(ctx) }},
	}
	for _, stage := range stages {
		began := time.Now()
		if err := stage.run(); err != nil {
			return fmt.Errorf("%s: %w (logs: %s)", stage.name, err, c.path("logs"))
		}
		fmt.Fprintf(c.out, "  %-18s ready, %.1f s\n", stage.name, time.Since(began).Seconds())
	}
	return nil
}

func (c *Cluster) path(elements ...string) string {
	return filepath.Join(append([]string{c.state}, elements...)...)
}

// Client talks to the cluster as its administrator.
func (c *Cluster) Client() (*kubernetes.Clientset, error) {
	config, err := clientcmd.BuildConfigFromFlags("", c.Kubeconfig)
	if err != nil {
		return nil, fmt.Errorf("read the lab's kubeconfig: %w", err)
	}
	config.QPS, config.Burst = 100, 200
	return kubernetes.NewForConfig(config)
}

// eventually runs try every interval until it succeeds or ctx ends; the error
// is then the last one of try.
func eventually(ctx context.Context, limit, interval time.Duration, try func(ctx context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for {
		err := try(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("not within %s: %w", limit, err)
		case <-ticker.C:
		}
	}
}

// write puts content into a file as a whole, unless it holds it already:
// kube-proxy ends whenever its configuration file is touched.
func write(path, content string) error {
	if have, err := os.ReadFile(path); err == nil && string(have) == content {
		return nil
	}
	if err := os.WriteFile(path+".new", []byte(content), 0o600); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}
