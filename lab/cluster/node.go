package cluster

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

const nodeName = "lab"

// network is what the CNI plugins know the pods' network by.
const network = "lab"

// containerdConfig keeps containerd to folders of its own, the pods' network
// namespaces too: in /run/netns an "ip netns add" would hide them. The native
// snapshotter and the restricted OOM score are what a sandbox without overlay
// and without CAP_SYS_RESOURCE needs.
const containerdConfig = `version = 2
root = %q
state = %q
[grpc]
  address = %q
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "lab.local/pause:3.10"
  netns_mounts_under_state_dir = true
  restrict_oom_score_adj = true
  stream_server_address = "127.0.0.1"
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "native"
    default_runtime_name = "runc"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = %q
`

const cniConfig = `{
  "cniVersion": "0.4.0", "name": "` + network + `",
  "plugins": [
    {"type": "bridge", "bridge": "` + bridge + `", "isGateway": true, "hairpinMode": true,
     "ipam": {"type": "host-local", "dataDir": %q, "routes": [{"dst": "0.0.0.0/0"}],
              "ranges": [[{"subnet": "` + podRange + `", "rangeStart": "10.244.0.10", "gateway": "` + nodeIP + `"}]]}},
    {"type": "portmap", "capabilities": {"portMappings": true}}
  ]
}
`

const kubeletConfig = `apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
address: ` + nodeIP + `
healthzBindAddress: 127.0.0.1
healthzPort: 20248
port: 20250
readOnlyPort: 0
authentication:
  anonymous: {enabled: false}
  webhook: {enabled: true}
  x509: {clientCAFile: %[1]s/pki/ca.crt}
authorization: {mode: AlwaysAllow}
containerRuntimeEndpoint: unix://%[2]s
cgroupDriver: cgroupfs
cgroupRoot: %[3]s
failCgroupV1: false
enforceNodeAllocatable: []
failSwapOn: false
oomScoreAdj: 0
clusterDNS: [` + dnsIP + `]
clusterDomain: cluster.local
resolvConf: %[1]s/resolv.conf
podLogsDir: %[1]s/pod-logs
volumePluginDir: %[1]s/volume-plugins
evictionHard: {memory.available: 100Mi, nodefs.available: "0%%", nodefs.inodesFree: "0%%", imagefs.available: "0%%", imagefs.inodesFree: "0%%"}
imageGCHighThresholdPercent: 100
imageGCLowThresholdPercent: 99
maxPods: 200
syncFrequency: 10s
fileCheckFrequency: 0s
httpCheckFrequency: 0s
nodeStatusUpdateFrequency: 5s
configMapAndSecretChangeDetectionStrategy: Watch
shutdownGracePeriod: 0s
registryPullQPS: 0
`

const proxyConfig = `apiVersion: kubeproxy.config.k8s.io/v1alpha1
kind: KubeProxyConfiguration
bindAddress: ` + nodeIP + `
healthzBindAddress: 127.0.0.1:20256
metricsBindAddress: 127.0.0.1:20249
clientConnection: {kubeconfig: %s}
clusterCIDR: ` + podRange + `
hostnameOverride: ` + nodeName + `
mode: iptables
nodePortAddresses: [` + podRange + `]
iptables: {masqueradeAll: true, syncPeriod: 10s, minSyncPeriod: 100ms}
conntrack: {maxPerCore: 0, min: 0, tcpEstablishedTimeout: 0s, tcpCloseWaitTimeout: 0s, udpTimeout: 0s, udpStreamTimeout: 0s}
`

// socket is containerd's.
func (c *Cluster) socket() string { return filepath.Join(c.sockets, "containerd.sock") }

// runtime starts containerd and gives it the images.
func (c *Cluster) runtime(ctx context.Context, tars []string) error {
	for _, folder := range []string{c.path("cni"), c.sockets} {
		if err := os.MkdirAll(folder, 0o755); err != nil {
			return err
		}
	}
	files := map[string]string{
		c.path("containerd.toml"):     fmt.Sprintf(containerdConfig, c.path("containerd"), filepath.Join(c.sockets, "containerd"), c.socket(), c.path("cni")),
		c.path("cni", "lab.conflist"): fmt.Sprintf(cniConfig, c.path("cni-addresses")),
	}
	for path, content := range files {
		if err := write(path, content); err != nil {
			return err
		}
	}
	if err := c.startContainerd(ctx); err != nil {
		return err
	}
	return c.Import(ctx, tars...)
}

// startContainerd starts containerd, if it does not run, and returns when it
// answers.
func (c *Cluster) startContainerd(ctx context.Context) error {
	path, err := exec.LookPath("containerd")
	if err != nil {
		return err
	}
	if err := c.start("containerd", path, "--config", c.path("containerd.toml"), "--log-level", "warn"); err != nil {
		return err
	}
	return eventually(ctx, 30*time.Second, 200*time.Millisecond, func(ctx context.Context) error {
		if !c.running("containerd") {
			return fmt.Errorf("containerd has ended: %s", c.tail("containerd"))
		}
		return run(ctx, "ctr", "--address", c.socket(), "version")
	})
}

// Import gives containerd each tar once: a tar's name tells its content.
func (c *Cluster) Import(ctx context.Context, tars ...string) error {
	if err := os.MkdirAll(c.path("imported"), 0o755); err != nil {
		return err
	}
	for _, tar := range tars {
		mark := c.path("imported", filepath.Base(tar))
		if _, err := os.Stat(mark); err == nil {
			continue
		}
		if err := run(ctx, "ctr", "--address", c.socket(), "-n", "k8s.io", "images", "import", "--snapshotter", "native", tar); err != nil {
			return err
		}
		if err := os.WriteFile(mark, nil, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// node starts the kubelet and kube-proxy, and waits until the node is ready.
func (c *Cluster) node(ctx context.Context) error {
	files := map[string]string{
		"kubelet.yaml": fmt.Sprintf(kubeletConfig, c.state, c.socket(), c.cgroup),
		"proxy.yaml":   fmt.Sprintf(proxyConfig, c.Kubeconfig),
		"resolv.conf":  "nameserver " + nodeIP + "\n",
	}
	for name, content := range files {
		if err := write(c.path(name), content); err != nil {
			return err
		}
	}
	if err := c.makeCgroups(); err != nil {
		return err
	}
	if err := c.startKube("kubelet", "--config="+c.path("kubelet.yaml"), "--kubeconfig="+c.Kubeconfig, "--hostname-override="+nodeName,
		"--node-ip="+nodeIP, "--root-dir="+c.path("kubelet"), "--cert-dir="+c.path("certs")); err != nil {
		return err
	}
	if err := c.startKube("kube-proxy", "--config="+c.path("proxy.yaml")); err != nil {
		return err
	}
	client, err := c.Client()
	if err != nil {
		return err
	}
	return eventually(ctx, 90*time.Second, 300*time.Millisecond, func(ctx context.Context) error {
		if !c.running("kubelet") {
			return fmt.Errorf("kubelet has ended: %s", c.tail("kubelet"))
		}
		node, err := client.CoreV1().Nodes().Get(ctx, nodeName, metav1.GetOptions{})
		if err != nil {
			return err
		}
		for _, condition := range node.Status.Conditions {
			if condition.Type == corev1.NodeReady && condition.Status != corev1.ConditionTrue {
				return fmt.Errorf("node %s is not ready: %s", nodeName, condition.Message)
			}
			if condition.Type == corev1.NodeReady {
				return nil
			}
		}
		return fmt.Errorf("node %s has not reported yet", nodeName)
	})
}
