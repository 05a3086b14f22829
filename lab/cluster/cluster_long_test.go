//go:build long

package cluster_test

import (
	"context"
	"encoding/json"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"redis-session-bot/lab/cluster"
	"redis-session-bot/lab/workload"
)

// TestKilledAndRemoved takes the machine's one cluster through its life: up,
// everything killed, up again, down with nothing left. It is not for a machine
// on which somebody uses the cluster.
func TestKilledAndRemoved(t *testing.T) {
	ctx := context.Background()
	options := cluster.Options{Repo: "../..", Images: workload.Images, Out: os.Stderr}
	if cluster.New(options).Exists() {
		t.Fatal("a cluster is up already: run lab down first")
	}
	c, err := cluster.Up(ctx, options)
	if err != nil {
		t.Fatal(err)
	}
	killed := killAll(t)
	if killed < 9 {
		t.Errorf("only %d programs were there to kill", killed)
	}
	if c, err = cluster.Up(ctx, options); err != nil {
		t.Fatalf("up after everything was killed: %v", err)
	}
	copied := workload.Options{Kubeconfig: c.Kubeconfig, Namespace: "after-the-kill"}
	if err := workload.Up(ctx, copied); err != nil {
		t.Fatalf("a pod after everything was killed: %v", err)
	}
	if err := c.Down(ctx); err != nil {
		t.Fatal(err)
	}
	nothingLeft(t)
}

// killAll kills every program of the cluster, the rough way.
func killAll(t *testing.T) int {
	t.Helper()
	notes, err := filepath.Glob(filepath.Join(cluster.DefaultState, "pids", "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, note := range notes {
		data, err := os.ReadFile(note)
		if err != nil {
			t.Fatal(err)
		}
		var p struct {
			PID int `json:"pid"`
		}
		if err := json.Unmarshal(data, &p); err != nil {
			t.Fatal(err)
		}
		if err := syscall.Kill(p.PID, syscall.SIGKILL); err != nil {
			t.Errorf("kill %s: %v", note, err)
		}
	}
	return len(notes)
}

// nothingLeft looks for what a cluster could leave behind.
func nothingLeft(t *testing.T) {
	t.Helper()
	for _, path := range []string{cluster.DefaultState, cluster.DefaultState + ".lock", "/run/redis-session-lab"} {
		if _, err := os.Lstat(path); err == nil {
			t.Errorf("%s is left", path)
		}
	}
	if _, err := net.InterfaceByName("rslab0"); err == nil {
		t.Error("the bridge is left")
	}
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	for _, word := range []string{"redis-session-lab", "/run/netns"} {
		if strings.Contains(string(mounts), word) {
			t.Errorf("a mount of %s is left", word)
		}
	}
	if rules, err := exec.Command("iptables-save").Output(); err == nil && strings.Contains(string(rules), "KUBE-") {
		t.Error("rules of kube-proxy are left")
	}
	cgroups, err := filepath.Glob("/sys/fs/cgroup/*/redis-session-lab")
	if err != nil || len(cgroups) > 0 {
		t.Errorf("cgroups are left: %v, %v", cgroups, err)
	}
	lines, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range lines {
		data, err := os.ReadFile(line)
		if err == nil && strings.Contains(string(data), "redis-session-lab") {
			t.Errorf("a process is left: %s", strings.ReplaceAll(string(data), "\x00", " "))
		}
	}
}
