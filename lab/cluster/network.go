package cluster

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"syscall"
)

// The addresses of the lab. The node is the bridge's own address.
const (
	bridge      = "rslab0"
	nodeIP      = "10.244.0.1"
	podRange    = "10.244.0.0/24"
	serviceNet  = "10.96.0.0/16"
	dnsIP       = "10.96.0.10"
	apiPort     = "16443"
	etcdClient  = "127.0.0.1:22379"
	etcdPeer    = "127.0.0.1:22380"
	metricsPort = "10443"
	// runDir is short: a socket's path may have 107 bytes.
	runDir = "/run/redis-session-lab"
)

// network makes the bridge that carries node and pods, and a folder for
// network namespaces whose mounts everybody sees.
func (c *Cluster) network(ctx context.Context) error {
	if _, err := net.InterfaceByName(bridge); err != nil {
		if err := ip(ctx, "link", "add", bridge, "type", "bridge"); err != nil {
			return err
		}
	}
	if err := ip(ctx, "addr", "replace", nodeIP+"/24", "dev", bridge); err != nil {
		return err
	}
	if err := ip(ctx, "link", "set", bridge, "up"); err != nil {
		return err
	}
	for _, setting := range []string{"/proc/sys/net/ipv4/ip_forward", "/proc/sys/net/bridge/bridge-nf-call-iptables"} {
		if err := os.WriteFile(setting, []byte("1"), 0o644); err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("switch on %s: %w", setting, err)
		}
	}
	return shareNamespaces()
}

// shareNamespaces makes /run/netns a shared mount of its own: otherwise a
// later `ip netns add` hides the pods' namespaces from containerd, and their
// sandboxes can never be removed.
func shareNamespaces() error {
	const dir = "/run/netns"
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	mounted, err := mountedAt(dir)
	if err != nil || mounted {
		return err
	}
	if err := syscall.Mount(dir, dir, "", syscall.MS_BIND|syscall.MS_REC, ""); err != nil {
		return fmt.Errorf("mount %s: %w", dir, err)
	}
	return syscall.Mount("", dir, "", syscall.MS_SHARED|syscall.MS_REC, "")
}

func mountedAt(dir string) (bool, error) {
	mounts, err := mountPoints()
	if err != nil {
		return false, err
	}
	for _, point := range mounts {
		if point == dir {
			return true, nil
		}
	}
	return false, nil
}

// mountPoints lists every mount of this machine, in the order of mounting.
func mountPoints() ([]string, error) {
	data, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return nil, err
	}
	var points []string
	for line := range strings.Lines(string(data)) {
		if fields := strings.Fields(line); len(fields) > 4 {
			points = append(points, fields[4])
		}
	}
	return points, nil
}

func ip(ctx context.Context, args ...string) error { return run(ctx, "ip", args...) }

func run(ctx context.Context, name string, args ...string) error {
	output, err := exec.CommandContext(ctx, name, args...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s %s: %w: %s", name, strings.Join(args, " "), err, strings.TrimSpace(string(output)))
	}
	return nil
}
