package cluster

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"

	"github.com/vishvananda/netlink"
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
)

// alone says whose lab this machine runs, if another's: the bridge's alias
// names its state folder.
func (c *Cluster) alone() error {
	link, err := findBridge()
	if err != nil || link == nil {
		return err
	}
	if owner := link.Attrs().Alias; owner != "" && owner != c.state {
		return fmt.Errorf("this machine runs another lab, with its state in %s: use it (--state %[1]s), or stop it first (lab down --state %[1]s)", owner)
	}
	return nil
}

// bridgeUp makes the bridge that carries node and pods.
func (c *Cluster) bridgeUp() error {
	link, err := findBridge()
	if err != nil {
		return err
	}
	if link == nil {
		if err := netlink.LinkAdd(&netlink.Bridge{LinkAttrs: netlink.LinkAttrs{Name: bridge}}); err != nil {
			return fmt.Errorf("make bridge %s: %w", bridge, err)
		}
		if link, err = netlink.LinkByName(bridge); err != nil {
			return fmt.Errorf("bridge %s: %w", bridge, err)
		}
	}
	address := &netlink.Addr{IPNet: &net.IPNet{IP: net.ParseIP(nodeIP), Mask: net.CIDRMask(24, 32)}}
	if err := errors.Join(netlink.LinkSetAlias(link, c.state), netlink.AddrReplace(link, address), netlink.LinkSetUp(link)); err != nil {
		return fmt.Errorf("set up bridge %s: %w", bridge, err)
	}
	for _, setting := range []string{"/proc/sys/net/ipv4/ip_forward", "/proc/sys/net/bridge/bridge-nf-call-iptables"} {
		if err := os.WriteFile(setting, []byte("1"), 0o644); err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("switch on %s: %w", setting, err)
		}
	}
	return nil
}

// findBridge gives the lab's bridge; nil where there is none.
func findBridge() (netlink.Link, error) {
	link, err := netlink.LinkByName(bridge)
	if errors.As(err, &netlink.LinkNotFoundError{}) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("look for bridge %s: %w", bridge, err)
	}
	return link, nil
}

func removeBridge() error {
	link, err := findBridge()
	if err != nil || link == nil {
		return err
	}
	if err := netlink.LinkDel(link); err != nil {
		return fmt.Errorf("remove bridge %s: %w", bridge, err)
	}
	return nil
}

// removeRules takes kube-proxy's, the kubelet's and the pods' chains out of
// iptables.
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
	kept, changed := withoutChains(string(output))
	if !changed {
		return nil
	}
	restore := exec.CommandContext(ctx, tool+"-restore", "-T", table)
	restore.Stdin = strings.NewReader(kept)
	if output, err := restore.CombinedOutput(); err != nil {
		return fmt.Errorf("%s-restore: %w: %s", tool, err, output)
	}
	return nil
}

// withoutChains takes the lab's lines out of what iptables-save prints. The
// chains for host ports are shared by all networks of CNI plugins, podman's
// for one: they stay while another network's rules are in them.
func withoutChains(saved string) (kept string, changed bool) {
	own := map[string]bool{} // chains of the lab's pods
	foreign := false
	for line := range strings.Lines(saved) {
		fields := strings.Fields(line)
		if len(fields) < 4 || fields[0] != "-A" {
			continue
		}
		chain, target := fields[1], after(fields, "-j")
		if chain != "CNI-HOSTPORT-DNAT" || !strings.HasPrefix(target, "CNI-DN-") {
			continue
		}
		if strings.Contains(line, `name: \"`+network+`\"`) {
			own[target] = true
		} else {
			foreign = true
		}
	}
	var b strings.Builder
	for line := range strings.Lines(saved) {
		ours := strings.Contains(line, "KUBE-") || !foreign && strings.Contains(line, "CNI-HOSTPORT-")
		for _, word := range strings.Fields(line) {
			ours = ours || own[strings.TrimPrefix(word, ":")]
		}
		if ours {
			changed = true
			continue
		}
		b.WriteString(line)
	}
	return b.String(), changed
}

// after gives the word behind a flag; "" where there is none.
func after(words []string, flag string) string {
	for i, word := range words[:max(0, len(words)-1)] {
		if word == flag {
			return words[i+1]
		}
	}
	return ""
}

func run(ctx context.Context, name string, args ...string) error {
	output, err := exec.CommandContext(ctx, name, args...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s %s: %w: %s", name, strings.Join(args, " "), err, strings.TrimSpace(string(output)))
	}
	return nil
}
