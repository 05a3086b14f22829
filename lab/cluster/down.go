package cluster

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// programs are in the order in which they are stopped: the API server before
// etcd, or it lingers.
var programs = []string{"metrics-server", "coredns", "kube-proxy", "kubelet", "kube-scheduler", "kube-controller-manager", "kube-apiserver", "etcd", "containerd"}

// volumesDir is where the host-path provisioner puts every volume; it is
// fixed in Kubernetes.
const volumesDir = "/tmp/hostpath_pv"

// Down stops everything that the cluster has started and removes everything
// that it has made. It stops nothing else.
func (c *Cluster) Down(ctx context.Context) error {
	unlock, err := c.lock()
	if err != nil {
		return err
	}
	defer unlock()
	volumes := c.volumes(ctx)
	var all []error
	note := func(err error) { all = append(all, err) }
	for _, name := range programs[:4] {
		note(c.stop(name, 10*time.Second))
	}
	note(c.removeContainers(ctx))
	for _, name := range programs[4:] {
		note(c.stop(name, 20*time.Second))
	}
	note(killShims())
	note(c.unmount())
	note(removeRules(ctx))
	if _, err := net.InterfaceByName(bridge); err == nil {
		note(ip(ctx, "link", "delete", bridge))
	}
	note(removeCgroups())
	for _, volume := range volumes {
		if strings.HasPrefix(volume, volumesDir+"/") {
			note(os.RemoveAll(volume))
		}
	}
	_ = os.Remove(volumesDir) // only when nothing else is in it
	note(os.RemoveAll(runDir))
	note(removePodLinks(c.state))
	note(os.RemoveAll(c.state))
	if err := errors.Join(all...); err != nil {
		return err
	}
	return os.Remove(c.state + ".lock")
}

// volumes lists the folders of the cluster's volumes, while it can be asked.
func (c *Cluster) volumes(ctx context.Context) []string {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	client, err := c.Client()
	if err != nil {
		return nil
	}
	list, err := client.CoreV1().PersistentVolumes().List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil
	}
	var folders []string
	for _, volume := range list.Items {
		if volume.Spec.HostPath != nil {
			folders = append(folders, volume.Spec.HostPath.Path)
		}
	}
	return folders
}

// removeContainers ends every container by containerd, so that it cleans up
// their mounts and network.
func (c *Cluster) removeContainers(ctx context.Context) error {
	if !c.running("containerd") {
		return nil
	}
	ctr := func(args ...string) (string, error) {
		output, err := exec.CommandContext(ctx, "ctr", append([]string{"--address", filepath.Join(runDir, "containerd.sock"), "-n", "k8s.io"}, args...)...).Output()
		return string(output), err
	}
	tasks, err := ctr("tasks", "list", "-q")
	if err != nil {
		return fmt.Errorf("list the lab's containers: %w", err)
	}
	for _, id := range strings.Fields(tasks) {
		// What is gone by itself in between is fine; what stays is killed below.
		_, _ = ctr("tasks", "kill", "-s", "SIGKILL", "-a", id)
	}
	return nil
}

// killShims ends what containerd has left: shims outlive it by design. They
// are told by the lab's own socket on their command line.
func killShims() error {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return err
	}
	for _, entry := range entries {
		pid, err := strconv.Atoi(entry.Name())
		if err != nil {
			continue
		}
		line, err := os.ReadFile(filepath.Join("/proc", entry.Name(), "cmdline"))
		if err != nil {
			continue
		}
		words := strings.Split(string(line), "\x00")
		if strings.HasSuffix(words[0], "containerd-shim-runc-v2") && slices.Contains(words, filepath.Join(runDir, "containerd.sock")) {
			if err := syscall.Kill(pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
				return fmt.Errorf("end shim %d: %w", pid, err)
			}
		}
	}
	return killCgroups()
}

// killCgroups ends every process in the lab's own cgroups.
func killCgroups() error {
	roots, err := cgroupRoots()
	if err != nil {
		return err
	}
	return eventually(context.Background(), 10*time.Second, 50*time.Millisecond, func(context.Context) error {
		left := 0
		for _, root := range roots {
			err := filepath.WalkDir(root+cgroup, func(path string, entry fs.DirEntry, err error) error {
				if err != nil || entry.Name() != "cgroup.procs" {
					return nil // a cgroup may go away under the walk
				}
				data, err := os.ReadFile(path)
				if err != nil {
					return nil
				}
				for _, word := range strings.Fields(string(data)) {
					pid, _ := strconv.Atoi(word)
					if pid > 1 {
						left++
						_ = syscall.Kill(pid, syscall.SIGKILL)
					}
				}
				return nil
			})
			if err != nil {
				return err
			}
		}
		if left > 0 {
			return fmt.Errorf("%d processes of pods do not end", left)
		}
		return nil
	})
}

func removeCgroups() error {
	roots, err := cgroupRoots()
	if err != nil {
		return err
	}
	roots = append(roots, "/sys/fs/cgroup/unified") // runc makes one there too, where it exists
	for _, root := range roots {
		var folders []string
		err := filepath.WalkDir(root+cgroup, func(path string, entry fs.DirEntry, err error) error {
			if err == nil && entry.IsDir() {
				folders = append(folders, path)
			}
			return nil
		})
		if err != nil {
			return err
		}
		for _, folder := range slices.Backward(folders) {
			if err := syscall.Rmdir(folder); err != nil && !errors.Is(err, syscall.ENOENT) {
				return fmt.Errorf("remove cgroup %s: %w", folder, err)
			}
		}
	}
	return nil
}

// unmount undoes every mount under the lab's folders, and those of the network
// namespaces that its pods had.
func (c *Cluster) unmount() error {
	mounts, err := mountPoints()
	if err != nil {
		return err
	}
	var all []error
	for _, point := range slices.Backward(mounts) {
		own := strings.HasPrefix(point, c.state+"/") || strings.HasPrefix(point, runDir+"/")
		namespace := strings.HasPrefix(point, "/run/netns/cni-")
		if !own && !namespace && point != "/run/netns" {
			continue
		}
		if err := syscall.Unmount(point, syscall.MNT_DETACH); err != nil && !errors.Is(err, syscall.EINVAL) {
			all = append(all, fmt.Errorf("unmount %s: %w", point, err))
		}
		if namespace {
			_ = os.Remove(point)
		}
	}
	return errors.Join(all...)
}

// removeRules takes kube-proxy's and the CNI's chains out of iptables.
func removeRules(ctx context.Context) error {
	for _, tool := range []string{"iptables", "ip6tables"} {
		if _, err := exec.LookPath(tool); err != nil {
			continue
		}
		for _, table := range []string{"filter", "nat", "mangle"} {
			if err := removeChains(ctx, tool, table); err != nil {
				return err
			}
		}
	}
	return nil
}

// removeChains restores a table without the lab's chains and the rules that
// name them.
func removeChains(ctx context.Context, tool, table string) error {
	output, err := exec.CommandContext(ctx, tool+"-save", "-t", table).Output()
	if err != nil {
		return nil // the table does not exist here
	}
	ours := func(line string) bool {
		return strings.Contains(line, "KUBE-") || strings.Contains(line, "CNI-")
	}
	if !ours(string(output)) {
		return nil
	}
	var kept []string
	for line := range strings.Lines(string(output)) {
		if !ours(line) {
			kept = append(kept, line)
		}
	}
	restore := exec.CommandContext(ctx, tool+"-restore", "-T", table)
	restore.Stdin = strings.NewReader(strings.Join(kept, ""))
	if output, err := restore.CombinedOutput(); err != nil {
		return fmt.Errorf("%s-restore: %w: %s", tool, err, output)
	}
	return nil
}

// removePodLinks removes the links that the kubelet keeps to the lab's logs.
func removePodLinks(state string) error {
	const dir = "/var/log/containers"
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, entry := range entries {
		path := filepath.Join(dir, entry.Name())
		if target, err := os.Readlink(path); err == nil && strings.HasPrefix(target, state+"/") {
			if err := os.Remove(path); err != nil {
				return err
			}
		}
	}
	_ = os.Remove(dir) // only when it is empty
	return nil
}
