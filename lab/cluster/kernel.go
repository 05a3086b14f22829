package cluster

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
)

// kernelSettings reads the settings of the kernel that the lab, the kubelet
// and kube-proxy change. One that this kernel does not have is left out.
func kernelSettings() map[string]string {
	settings := map[string]string{}
	for _, path := range []string{
		"/proc/sys/net/ipv4/ip_forward",
		"/proc/sys/net/ipv4/conf/all/route_localnet",
		"/proc/sys/net/bridge/bridge-nf-call-iptables",
		"/proc/sys/vm/overcommit_memory",
		"/proc/sys/vm/panic_on_oom",
		"/proc/sys/kernel/panic",
		"/proc/sys/kernel/panic_on_oops",
		"/proc/sys/kernel/keys/root_maxkeys",
		"/proc/sys/kernel/keys/root_maxbytes",
	} {
		if value, err := os.ReadFile(path); err == nil {
			settings[path] = strings.TrimSpace(string(value))
		}
	}
	return settings
}

// restoreKernel puts settings back that are not as they were.
func restoreKernel(before map[string]string) error {
	now := kernelSettings()
	var all []error
	for path, value := range before {
		if now[path] == value {
			continue
		}
		if err := os.WriteFile(path, []byte(value), 0o644); err != nil && !errors.Is(err, fs.ErrNotExist) {
			all = append(all, fmt.Errorf("set %s back to %s: %w", path, value, err))
		}
	}
	return errors.Join(all...)
}
