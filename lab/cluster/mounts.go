package cluster

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"syscall"

	"github.com/moby/sys/mountinfo"
)

// volumesDir is where the host-path provisioner puts every volume; it is
// fixed in Kubernetes.
const volumesDir = "/tmp/hostpath_pv"

// mountVolumes lays a folder of the state over the provisioner's, so that
// volumes go with the state, and those of others are not touched.
func (c *Cluster) mountVolumes() error {
	for _, folder := range []string{c.path("volumes"), volumesDir} {
		if err := os.MkdirAll(folder, 0o755); err != nil {
			return err
		}
	}
	mounts, err := mountinfo.GetMounts(c.ownMount)
	if err != nil {
		return fmt.Errorf("list mounts: %w", err)
	}
	if slices.ContainsFunc(mounts, func(m *mountinfo.Info) bool { return m.Mountpoint == volumesDir }) {
		return nil
	}
	if err := syscall.Mount(c.path("volumes"), volumesDir, "", syscall.MS_BIND, ""); err != nil {
		return fmt.Errorf("mount the volumes' folder at %s: %w", volumesDir, err)
	}
	return nil
}

// unmount undoes every mount of the lab's, the last one first.
func (c *Cluster) unmount() error {
	mounts, err := mountinfo.GetMounts(c.ownMount)
	if err != nil {
		return fmt.Errorf("list mounts: %w", err)
	}
	var all []error
	for _, mount := range slices.Backward(mounts) {
		if err := syscall.Unmount(mount.Mountpoint, syscall.MNT_DETACH); err != nil && !errors.Is(err, syscall.EINVAL) {
			all = append(all, fmt.Errorf("unmount %s: %w", mount.Mountpoint, err))
		}
	}
	return errors.Join(all...)
}

// ownMount keeps the mounts under the lab's folders, and the one of its volumes.
func (c *Cluster) ownMount(mount *mountinfo.Info) (skip, stop bool) {
	own := strings.HasPrefix(mount.Mountpoint, c.state+"/") || strings.HasPrefix(mount.Mountpoint, c.sockets+"/") ||
		mount.Mountpoint == volumesDir && sameFile(volumesDir, c.path("volumes"))
	return !own, false
}

func sameFile(a, b string) bool {
	infoA, errA := os.Stat(a)
	infoB, errB := os.Stat(b)
	return errA == nil && errB == nil && os.SameFile(infoA, infoB)
}
