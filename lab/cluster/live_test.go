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
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/vishvananda/netlink"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"redis-session-bot/lab/workload"
)

// inside is set for the copy of this test that runs in namespaces of its own.
const inside = "LAB_TEST_DISK"

// TestLife takes a cluster of its own through its life. It runs in network,
// mount and process namespaces of its own: a cluster that somebody uses on this
// machine is not touched, and when the test is killed the kernel ends all of it.
func TestLife(t *testing.T) {
	if disk := os.Getenv(inside); disk != "" {
		enter(t, disk)
		life(t, filepath.Join("/mnt", filepath.Base(filepath.Dir(disk)))) // no other test's name
		return
	}
	if os.Geteuid() != 0 {
		t.Fatal("this test needs root: run it with sudo")
	}
	if err := Install(t.Context(), t.Output(), debianPackages); err != nil {
		t.Fatal(err)
	}
	// Inside there is no network to load modules by.
	if _, err := buildKube(t.Context(), "../..", t.Output()); err != nil {
		t.Fatal(err)
	}
	again := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestLife$", "-test.v")
	again.Env = append(os.Environ(), inside+"="+t.TempDir())
	again.Stdout, again.Stderr = t.Output(), t.Output()
	again.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWNS | syscall.CLONE_NEWNET | syscall.CLONE_NEWPID,
		Pdeathsig:  syscall.SIGKILL,
	}
	if err := again.Run(); err != nil {
		t.Fatal(err)
	}
}

// enter makes the namespaces what a cluster expects of a machine: folders that
// all clusters of a machine share are empty, and the disk for the state is at
// /mnt.
func enter(t *testing.T, disk string) {
	t.Helper()
	mount := func(source, target, kind string, flags uintptr) {
		t.Helper()
		if err := os.MkdirAll(target, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := syscall.Mount(source, target, kind, flags, ""); err != nil {
			t.Fatalf("mount %s: %v", target, err)
		}
	}
	mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE)
	mount("proc", "/proc", "proc", 0)
	mount(disk, "/mnt", "", syscall.MS_BIND)
	mount("tmpfs", "/run", "tmpfs", 0)
	mount("/var/lib/dpkg", "/run/dpkg", "", syscall.MS_BIND)
	for _, folder := range []string{"/tmp", "/var/lib", "/var/log"} {
		mount("tmpfs", folder, "tmpfs", 0)
	}
	mount("/run/dpkg", "/var/lib/dpkg", "", syscall.MS_MOVE)
	loopback, err := netlink.LinkByName("lo")
	if err != nil {
		t.Fatal(err)
	}
	if err := netlink.LinkSetUp(loopback); err != nil {
		t.Fatal(err)
	}
}

func life(t *testing.T, state string) {
	repo, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	options := Options{State: state, Repo: repo, Images: workload.Images, Out: t.Output()}
	before := look(t, options)

	c := up(t, options)
	store := workload.Options{Kubeconfig: c.Kubeconfig, Namespace: "life", Shape: workload.StatefulSet, Out: t.Output()}
	if err := workload.Up(t.Context(), store); err != nil {
		t.Fatal(err)
	}
	openPort(t, c)
	listensWithin(t)
	otherStateRefused(t, options)

	first := notes(t, c)
	if err := os.Remove(c.path("pids", "etcd")); err != nil { // as if lab had been killed before it could note it
		t.Fatal(err)
	}
	up(t, options)
	delete(first, "etcd")
	second := notes(t, c)
	delete(second, "etcd")
	if diff := cmp.Diff(first, second); diff != "" {
		t.Errorf("a second up started something anew:\n%s", diff)
	}
	serverDown(t, c)

	killAll(t, c)
	c = up(t, options)
	if err := workload.Up(t.Context(), store); err != nil {
		t.Fatalf("the workload after everything was killed: %v", err)
	}
	killAll(t, c)
	if err := c.Down(t.Context()); err != nil {
		t.Fatalf("down after everything was killed: %v", err)
	}
	if diff := cmp.Diff(before, look(t, options)); diff != "" {
		t.Errorf("down leaves something:\n%s", diff)
	}
}

func up(t *testing.T, options Options) *Cluster {
	t.Helper()
	began := time.Now()
	c, err := Up(t.Context(), options)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("up after %.1f s", time.Since(began).Seconds())
	return c
}

// openPort runs a pod with a port of the node, so that there are rules of the
// CNI plugins to clean up.
func openPort(t *testing.T, c *Cluster) {
	t.Helper()
	client, err := c.Client()
	if err != nil {
		t.Fatal(err)
	}
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "port"}, Spec: corev1.PodSpec{Containers: []corev1.Container{{
		Name: "pause", Image: "lab.local/pause:3.10", ImagePullPolicy: corev1.PullNever,
		Ports: []corev1.ContainerPort{{ContainerPort: 80, HostPort: 8080, HostIP: nodeIP}},
	}}}}
	pods := client.CoreV1().Pods("default")
	if _, err := pods.Create(t.Context(), pod, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := eventually(t.Context(), time.Minute, 200*time.Millisecond, func(ctx context.Context) error {
		got, err := pods.Get(ctx, pod.Name, metav1.GetOptions{})
		if err == nil && got.Status.Phase != corev1.PodRunning {
			return fmt.Errorf("it is %s", got.Status.Phase)
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
}

// listensWithin wants every listener on loopback or the lab's bridge.
func listensWithin(t *testing.T) {
	t.Helper()
	output, err := exec.Command("ss", "-H", "-ltun").Output()
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(output)) {
		fields := strings.Fields(line)
		host, _, err := net.SplitHostPort(fields[4])
		if err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		if address := net.ParseIP(host); address == nil || !address.IsLoopback() && host != nodeIP {
			t.Errorf("it listens elsewhere: %s", line)
		}
	}
}

// otherStateRefused tries a second lab on the machine.
func otherStateRefused(t *testing.T, options Options) {
	t.Helper()
	options.State += "-other"
	if _, err := Up(t.Context(), options); err == nil || !strings.Contains(err.Error(), "runs another lab") {
		t.Errorf("a second lab: %v", err)
	}
	if err := New(options).Down(t.Context()); err != nil {
		t.Errorf("down of a lab that is not there: %v", err)
	}
}

// serverDown stops the API server alone and starts it by another handle.
func serverDown(t *testing.T, c *Cluster) {
	t.Helper()
	if err := c.StopAPIServer(); err != nil {
		t.Fatal(err)
	}
	client, err := c.Client()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.Discovery().ServerVersion(); err == nil {
		t.Error("the API server answers after its stop")
	}
	if err := New(Options{State: c.state}).StartAPIServer(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := client.Discovery().ServerVersion(); err != nil {
		t.Error(err)
	}
}

// notes reads which process is which program.
func notes(t *testing.T, c *Cluster) map[string]process {
	t.Helper()
	found := map[string]process{}
	for _, name := range slices.Concat(nodePrograms(), lastPrograms()) {
		p, ok := c.find(name)
		if !ok {
			t.Errorf("%s does not run: %s", name, c.tail(name))
		}
		found[name] = p
	}
	return found
}

// killAll kills every program and one pod's shim, the rough way.
func killAll(t *testing.T, c *Cluster) {
	t.Helper()
	all := notes(t, c)
	for _, pid := range pids() {
		if words := commandLine(pid); strings.HasSuffix(words[0], "containerd-shim-runc-v2") {
			all["a shim"] = process{PID: pid, Started: startTime(pid)}
			break
		}
	}
	for name, p := range all {
		if err := syscall.Kill(p.PID, syscall.SIGKILL); err != nil {
			t.Errorf("kill %s: %v", name, err)
		}
	}
	for _, p := range all {
		if err := eventually(t.Context(), 10*time.Second, 10*time.Millisecond, func(context.Context) error {
			if p.alive() {
				return errors.New("it survived SIGKILL")
			}
			return nil
		}); err != nil {
			t.Error(err)
		}
	}
}

// look takes down what a cluster could leave on a machine.
func look(t *testing.T, options Options) map[string][]string {
	t.Helper()
	seen := map[string][]string{}
	lines := func(what string, data []byte, err error) {
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		for line := range strings.Lines(string(data)) {
			line, _, _ = strings.Cut(line, " [") // counters
			if !strings.HasPrefix(line, "#") {
				seen[what] = append(seen[what], strings.TrimSpace(line))
			}
		}
	}
	data, err := os.ReadFile("/proc/self/mountinfo")
	lines("mounts", data, err)
	for _, table := range []string{"nat", "filter", "mangle"} {
		data, err = exec.Command("iptables-save", "-t", table).Output()
		lines("rules in "+table, data, err)
	}
	links, err := netlink.LinkList()
	if err != nil {
		t.Fatal(err)
	}
	for _, link := range links {
		seen["links"] = append(seen["links"], link.Attrs().Name)
	}
	for _, pid := range pids() {
		if startTime(pid) != "" { // not a zombie: nobody reaps here
			seen["processes"] = append(seen["processes"], strings.Join(commandLine(pid), " "))
		}
	}
	for path, value := range kernelSettings() {
		seen["kernel"] = append(seen["kernel"], path+" "+value)
	}
	slices.Sort(seen["kernel"])
	cgroups, err := New(options).cgroups()
	if err != nil {
		t.Fatal(err)
	}
	seen["cgroups"] = cgroups
	for _, folder := range []string{"/mnt", "/run", "/tmp", "/var/lib", "/var/log", "/etc/cni", "/usr/libexec"} {
		_ = filepath.WalkDir(folder, func(path string, _ fs.DirEntry, err error) error {
			if path == "/var/lib/dpkg" {
				return fs.SkipDir
			}
			if err == nil && path != "/run/xtables.lock" && path != "/run/mount" { // iptables' own and mount's own
				seen["files"] = append(seen["files"], path)
			}
			return nil
		})
	}
	return seen
}
