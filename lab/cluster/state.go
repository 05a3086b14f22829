package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"syscall"
	"time"
)

// record is the first file of a state folder. It marks the folder as the
// lab's, to be removed as a whole, and keeps what must be put back.
type record struct {
	Boot      string            `json:"boot"`      // of the machine, as the kernel names it
	Kernel    map[string]string `json:"kernel"`    // settings as they were before
	NoDevices bool              `json:"noDevices"` // there was no devicesDir before
}

const recordFile = "lab.json"

// devicesDir gets the kubelet's socket for devices, wherever its root is.
const devicesDir = "/var/lib/kubelet/device-plugins"

// claimAlone claims the state folder where no other lab has this machine.
func (c *Cluster) claimAlone(ctx context.Context) error {
	if err := c.alone(); err != nil {
		return err
	}
	return c.claim(ctx)
}

// claim makes the state folder, or recognises its own. What it kept from
// before a restart of the machine is of no use and is removed first.
func (c *Cluster) claim(ctx context.Context) error {
	boot, err := bootID()
	if err != nil {
		return err
	}
	old, err := c.record()
	if err == nil && old.Boot == boot {
		return nil
	}
	if err == nil {
		fmt.Fprintln(c.out, "  the machine was restarted since: beginning anew")
		if err := c.clear(ctx, old); err != nil {
			return err
		}
	} else if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := os.MkdirAll(c.state, 0o755); err != nil {
		return fmt.Errorf("make the state folder: %w", err)
	}
	_ = os.Remove(c.path(recordFile + ".new")) // of a lab up that was killed here
	if entries, err := os.ReadDir(c.state); err != nil || len(entries) > 0 {
		return errors.Join(err, fmt.Errorf("%s is not empty and is not of a lab: name a new folder by --state or LAB_STATE", c.state))
	}
	_, err = os.Stat(devicesDir)
	data, err := json.Marshal(record{Boot: boot, Kernel: kernelSettings(), NoDevices: errors.Is(err, fs.ErrNotExist)})
	if err != nil {
		return err
	}
	return write(c.path(recordFile), string(data))
}

// record reads what claim has kept.
func (c *Cluster) record() (record, error) {
	data, err := os.ReadFile(c.path(recordFile))
	if err != nil {
		return record{}, err
	}
	var r record
	if err := json.Unmarshal(data, &r); err != nil {
		return record{}, fmt.Errorf("%s: %w", c.path(recordFile), err)
	}
	return r, nil
}

// Exists reports whether there is anything of a cluster on this machine.
func (c *Cluster) Exists() bool {
	_, err := os.Stat(c.path(recordFile))
	return err == nil
}

func bootID() (string, error) {
	data, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	return strings.TrimSpace(string(data)), err
}

// lockFile is held by the one lab command that changes this machine.
const lockFile = "/run/redis-session-lab.lock"

// lock holds the machine against other lab commands until unlock, or the end
// of the process. It waits for them until ctx ends.
func (c *Cluster) lock(ctx context.Context) (unlock func(), err error) {
	said := false
	ticker := time.NewTicker(100 * time.Millisecond)
	defer ticker.Stop()
	for {
		file, held, err := tryLock(lockFile)
		if err != nil {
			return nil, fmt.Errorf("lock the machine's lab: %w", err)
		}
		if held {
			return func() { _ = file.Close() }, nil
		}
		if !said {
			fmt.Fprintln(c.out, "  waiting for another lab command to end")
			said = true
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("another lab command holds %s: %w", lockFile, ctx.Err())
		case <-ticker.C:
		}
	}
}

// tryLock locks the file that the path names now: Down removes it, and a lock
// on a removed file excludes nobody.
func tryLock(path string) (file *os.File, held bool, err error) {
	file, err = os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, false, err
	}
	err = syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if err == nil {
		mine, err1 := file.Stat()
		named, err2 := os.Stat(path)
		if err1 == nil && err2 == nil && os.SameFile(mine, named) {
			return file, true, nil
		}
	}
	_ = file.Close()
	if err != nil && !errors.Is(err, syscall.EWOULDBLOCK) {
		return nil, false, err
	}
	return nil, false, nil
}
