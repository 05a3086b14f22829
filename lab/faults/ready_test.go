package faults_test

import (
	"strconv"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
)

func seeFullDisk(p *patient) {
	p.staysReady()
	p.repliesWith("MISCONF Errors writing to the AOF file: No space left on device", "PING")
	if out := p.inStore("df", "-k", "/data"); !strings.Contains(out, "100%") {
		p.Errorf("the disk is not full:\n%s", out)
	}
}

func seeReplica(p *patient) {
	p.staysReady()
	p.repliesWith("READONLY", "SET", "session:x", "y")
	info := p.inStore("redis-cli", "INFO", "replication")
	for _, line := range []string{"role:slave", "master_host:redis-session-old", "master_link_status:down"} {
		if !strings.Contains(info, line) {
			p.Errorf("INFO replication holds no %s:\n%s", line, info)
		}
	}
}

// promote makes the store its own master again.
func promote(p *patient) { p.inStore("redis-cli", "-e", "REPLICAOF", "NO", "ONE") }

func seeEmptied(p *patient) {
	p.staysReady()
	p.repliesWith("PONG", "PING")
	keys, err := strconv.Atoi(strings.TrimSpace(p.inStore("redis-cli", "DBSIZE")))
	if err != nil || keys > 500 {
		p.Errorf("%d sessions are left, %v", keys, err)
	}
	if out := p.inStore("redis-check-rdb", "/data/dump.rdb"); !strings.Contains(out, " keys read\n") {
		p.Errorf("the last snapshot cannot be read:\n%s", out)
	}
}

func seeOnlyExporterGone(p *patient) {
	p.staysReady()
	p.repliesWith("PONG", "PING")
	exporter, err := p.copy.Clients.AppsV1().Deployments(p.copy.Namespace).Get(p.Context(), "redis-exporter", metav1.GetOptions{})
	if err != nil {
		p.Fatal(err)
	}
	if exporter.Status.ReadyReplicas > 0 {
		p.Error("the exporter is ready")
	}
}

// staysReady: the store's pod is ready, and has not been started again.
func (p *patient) staysReady() {
	p.Helper()
	s, there, err := p.copy.Store(p.Context())
	if err != nil {
		p.Fatal(err)
	}
	if !there || !s.Container.Ready || s.Container.RestartCount > 0 {
		p.Errorf("there is a pod: %t, ready: %t, with %d restarts", there, s.Container.Ready, s.Container.RestartCount)
	}
}

// repliesWith: Redis answers a command so, if it begins so.
func (p *patient) repliesWith(want string, command ...string) {
	p.Helper()
	var got string
	p.until("the answer "+want, func() bool {
		got = p.inStore(append([]string{"redis-cli"}, command...)...)
		return strings.HasPrefix(got, want)
	})
}

// inStore runs a command in the store's container.
func (p *patient) inStore(command ...string) string {
	p.Helper()
	s, there, err := p.copy.Store(p.Context())
	if err != nil || !there {
		p.Fatalf("there is a pod: %t, %v", there, err)
	}
	out, err := p.copy.Exec(p.Context(), s.Pod.Name, command...)
	if err != nil {
		p.Fatal(err)
	}
	return out
}

func seeNoConnectionFree(p *patient) {
	p.staysReady()
	p.until("a refusal for want of a connection", func() bool {
		// A server that hangs up while redis-cli still writes is heard as that.
		return strings.Contains(p.inStore("sh", "-c", "redis-cli PING 2>&1 || true"), "ERR max number of clients reached")
	})
}

func seeBlocked(p *patient) {
	p.staysReady()
	p.repliesWith("BUSY Redis is busy running a script", "PING")
}

// killScript stops the report, and what it has left running in Redis.
func killScript(p *patient) {
	err := p.copy.Clients.BatchV1().Jobs(p.copy.Namespace).Delete(p.Context(), "session-report",
		metav1.DeleteOptions{PropagationPolicy: ptr.To(metav1.DeletePropagationForeground)})
	if err != nil {
		p.Fatal(err)
	}
	p.until("the report to end", func() bool {
		pods, err := p.copy.Pods(p.Context(), "session-report")
		if err != nil {
			p.Fatal(err)
		}
		return len(pods) == 0
	})
	p.inStore("redis-cli", "-e", "SCRIPT", "KILL")
}

// seeBlockedNetwork: the pod answers itself, and nobody else.
func seeBlockedNetwork(p *patient) {
	p.staysReady()
	p.repliesWith("PONG", "PING")
	policies, err := p.copy.Clients.NetworkingV1().NetworkPolicies(p.copy.Namespace).List(p.Context(), metav1.ListOptions{})
	if err != nil || len(policies.Items) != 1 {
		p.Errorf("the policies are %v, %v", policies.Items, err)
	}
}

// losePod takes the policy away. What enforces it in the lab goes with the pod.
func losePod(p *patient) {
	err := p.copy.Clients.NetworkingV1().NetworkPolicies(p.copy.Namespace).Delete(p.Context(), "default-deny-ingress", metav1.DeleteOptions{})
	if err != nil {
		p.Fatal(err)
	}
	p.restart()
}
