package cluster

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// nodePrograms make pods; they are stopped before the pods are removed.
func nodePrograms() []string {
	return []string{"metrics-server", "coredns", "kube-proxy", "kubelet", "kube-scheduler", "kube-controller-manager"}
}

// lastPrograms are stopped in this order: etcd after the API server, or the
// latter lingers.
func lastPrograms() []string { return []string{"containerd", "kube-apiserver", "etcd"} }

// Down stops everything that the cluster has started and removes everything
// that it has made, whatever was killed of it. It stops nothing else.
func (c *Cluster) Down(ctx context.Context) error {
	unlock, err := c.lock(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	kept, err := c.record()
	if errors.Is(err, fs.ErrNotExist) {
		return os.Remove(lockFile) // there is none, or another lab was faster
	}
	if err != nil {
		return err
	}
	if err := c.clear(ctx, kept); err != nil {
		return err
	}
	return os.Remove(lockFile)
}

// clear stops and removes all there is of a cluster. What cannot be removed
// does not keep the rest; the state folder stays then, for another try.
func (c *Cluster) clear(ctx context.Context, kept record) error {
	var all []error
	note := func(err error) { all = append(all, err) }
	for _, name := range nodePrograms() {
		note(c.stop(name, 10*time.Second))
	}
	if err := c.removePods(ctx); err != nil {
		fmt.Fprintf(c.out, "  containerd cannot remove its pods: they are killed (%v)\n", err)
	}
	for _, name := range lastPrograms() {
		note(c.stop(name, 20*time.Second))
	}
	note(c.killShims())
	note(c.killCgroups(ctx))
	note(removeStrays())
	note(c.unmount())
	note(c.removeCgroups())
	owner := c.alone() // another lab's bridge and rules stay
	if owner == nil {
		note(removeRules(ctx))
		note(removeBridge())
		note(restoreKernel(kept.Kernel))
	}
	note(os.RemoveAll(c.sockets))
	note(c.removePodLinks())
	if kept.NoDevices {
		note(os.RemoveAll(devicesDir))
	}
	removeEmpty()
	if err := errors.Join(all...); err != nil {
		return err
	}
	return os.RemoveAll(c.state)
}

// killShims ends what containerd has left: shims outlive it by design. They
// are told by the lab's own socket on their command line.
func (c *Cluster) killShims() error {
	for _, pid := range pids() {
		words := commandLine(pid)
		if !strings.HasSuffix(words[0], "containerd-shim-runc-v2") || !slices.Contains(words, c.socket()) {
			continue
		}
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
			return fmt.Errorf("end shim %d: %w", pid, err)
		}
	}
	return nil
}

// removePodLinks removes the links that the kubelet keeps to the lab's logs.
func (c *Cluster) removePodLinks() error {
	entries, err := os.ReadDir(podLinksDir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, entry := range entries {
		path := filepath.Join(podLinksDir, entry.Name())
		if target, err := os.Readlink(path); err == nil && strings.HasPrefix(target, c.state+"/") {
			if err := os.Remove(path); err != nil {
				return err
			}
		}
	}
	return nil
}

// removeStrays removes what is left of pods whose shim or containerd was
// killed: what the CNI plugins noted, and sockets that nobody listens on.
func removeStrays() error {
	const results = "/var/lib/cni/results/"
	strays, err := filepath.Glob(results + network + "-*")
	if err != nil {
		return err
	}
	for _, stray := range strays {
		id, _, _ := strings.Cut(strings.TrimPrefix(stray, results+network+"-"), "-")
		strays = append(strays, results+"cni-loopback-"+id+"-lo")
	}
	sockets, err := filepath.Glob("/run/containerd/s/*")
	if err != nil {
		return err
	}
	for _, socket := range sockets {
		connection, err := net.Dial("unix", socket)
		if errors.Is(err, syscall.ECONNREFUSED) {
			strays = append(strays, socket)
		}
		if err == nil {
			_ = connection.Close() // the shim of another containerd
		}
	}
	var all []error
	for _, stray := range strays {
		if err := os.Remove(stray); !errors.Is(err, fs.ErrNotExist) {
			all = append(all, err)
		}
	}
	return errors.Join(all...)
}

const podLinksDir = "/var/log/containers"

// removeEmpty removes the folders that containerd, the CNI plugins and the
// kubelet make in places of their own choice, unless something is in them.
func removeEmpty() {
	for _, folder := range []string{
		podLinksDir, volumesDir, filepath.Dir(devicesDir), "/var/lib/cni/results", "/var/lib/cni",
		"/run/containerd/runc/k8s.io", "/run/containerd/runc", "/run/containerd/s", "/run/containerd",
	} {
		_ = syscall.Rmdir(folder) // not empty: not ours alone
	}
}
