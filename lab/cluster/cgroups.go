package cluster

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// cgroupsDir is where the kernel's cgroups are mounted.
const cgroupsDir = "/sys/fs/cgroup"

// cgroupRoots are the folders of the cgroup hierarchies: one for version 2,
// one for each controller for version 1.
func cgroupRoots() (roots []string, unified bool, err error) {
	if _, err := os.Stat(filepath.Join(cgroupsDir, "cgroup.controllers")); err == nil {
		return []string{cgroupsDir}, true, nil
	}
	entries, err := os.ReadDir(cgroupsDir)
	if err != nil {
		return nil, false, err
	}
	for _, entry := range entries {
		if entry.IsDir() && entry.Name() != "unified" {
			roots = append(roots, filepath.Join(cgroupsDir, entry.Name()))
		}
	}
	return roots, false, nil
}

// makeCgroups makes the lab's own folder in every hierarchy: the kubelet
// wants its root to be there, with every controller.
func (c *Cluster) makeCgroups() error {
	roots, unified, err := cgroupRoots()
	if err != nil {
		return err
	}
	if unified {
		return c.makeUnified()
	}
	for _, root := range roots {
		if err := os.MkdirAll(root+c.cgroup, 0o755); err != nil {
			return err
		}
		if !strings.HasSuffix(root, "cpuset") {
			continue
		}
		for _, file := range []string{"cpuset.cpus", "cpuset.mems"} {
			value, err := os.ReadFile(filepath.Join(root, file))
			if err != nil {
				return err
			}
			if err := os.WriteFile(filepath.Join(root+c.cgroup, file), value, 0o644); err != nil {
				return err
			}
		}
	}
	return nil
}

// makeUnified makes the lab's folder in the one hierarchy of version 2. What
// the kubelet may limit must be handed down from the root.
func (c *Cluster) makeUnified() error {
	data, err := os.ReadFile(filepath.Join(cgroupsDir, "cgroup.controllers"))
	if err != nil {
		return err
	}
	for _, controller := range strings.Fields(string(data)) {
		err := os.WriteFile(filepath.Join(cgroupsDir, "cgroup.subtree_control"), []byte("+"+controller), 0o644)
		needed := slices.Contains([]string{"cpu", "cpuset", "memory", "pids"}, controller)
		if err != nil && needed {
			return fmt.Errorf("hand down the cgroup controller %s: %w; inside a container, run the lab outside of it", controller, err)
		}
	}
	return os.MkdirAll(cgroupsDir+c.cgroup, 0o755)
}

// killCgroups ends every process in the lab's own cgroups.
func (c *Cluster) killCgroups(ctx context.Context) error {
	folders, err := c.cgroups()
	if err != nil {
		return err
	}
	return eventually(ctx, 10*time.Second, 50*time.Millisecond, func(context.Context) error {
		left := 0
		for _, folder := range folders {
			data, err := os.ReadFile(filepath.Join(folder, "cgroup.procs"))
			if err != nil {
				continue // it went away, and its processes before it
			}
			for _, word := range strings.Fields(string(data)) {
				if pid, err := strconv.Atoi(word); err == nil && pid > 1 {
					left++
					_ = syscall.Kill(pid, syscall.SIGKILL) // one that is gone is looked for again
				}
			}
		}
		if left > 0 {
			return fmt.Errorf("%d processes of pods do not end", left)
		}
		return nil
	})
}

func (c *Cluster) removeCgroups() error {
	folders, err := c.cgroups()
	if err != nil {
		return err
	}
	var all []error
	for _, folder := range slices.Backward(folders) {
		if err := syscall.Rmdir(folder); err != nil && !errors.Is(err, syscall.ENOENT) {
			all = append(all, fmt.Errorf("remove cgroup %s: %w", folder, err))
		}
	}
	return errors.Join(all...)
}

// cgroups lists the lab's own cgroups, each behind its parent.
func (c *Cluster) cgroups() ([]string, error) {
	roots, unified, err := cgroupRoots()
	if err != nil {
		return nil, err
	}
	if !unified {
		roots = append(roots, filepath.Join(cgroupsDir, "unified")) // runc makes them there too, where it exists
	}
	var folders []string
	for _, root := range roots {
		// A cgroup may go away under the walk, and its error with it.
		_ = filepath.WalkDir(root+c.cgroup, func(path string, entry fs.DirEntry, err error) error {
			if err == nil && entry.IsDir() {
				folders = append(folders, path)
			}
			return nil
		})
	}
	return folders, nil
}
