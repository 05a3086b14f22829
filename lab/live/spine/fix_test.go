package spine

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"redis-session-bot/lab/faults"
	"redis-session-bot/lab/workload"
)

// fixable are the faults that the bot mends.
var fixable = map[string]bool{"config-error": true, "out-of-memory": true, "bad-rollout": true}

// walked are the faults that are walked through Slack; package verdicts tries
// the verdict on every one.
var walked = []string{"config-error", "out-of-memory", "bad-rollout", "corrupt-aof", "scaled-to-zero"}

// TestFaults breaks the store in five ways on both shapes. The verdict in
// a terminal is right; where there is a fix, it is applied through Slack,
// verified, and put back to the byte.
func TestFaults(t *testing.T) {
	for _, shape := range workload.Shapes() {
		for _, fault := range walked {
			t.Run(shape+"/"+fault, func(t *testing.T) {
				t.Parallel()
				p := admit(t, "spine-"+shape[:4]+"-"+fault, shape, "")
				if d, code, output := p.diagnose(); code != 0 || d.Verdict.Scenario != "healthy" {
					t.Fatalf("before the fault: exit %d\n%s", code, output)
				}
				if err := faults.Break(t.Context(), faults.Options{Kubeconfig: p.kubeconfig, Namespace: p.namespace}, fault); err != nil {
					t.Fatal(err)
				}
				d, code, output := p.diagnose()
				if code != 1 || d.Healthy || d.Verdict.Scenario != fault {
					t.Fatalf("verdict %q, exit %d, want %q and 1\n%s", d.Verdict.Scenario, code, fault, output)
				}
				for _, step := range d.Steps {
					if step.Status == "" {
						t.Errorf("step %s has no status", step.ID)
					}
				}
				if fixable[fault] {
					p.fixAndUndo()
				}
			})
		}
	}
}

// fixAndUndo walks from the command to a verified fix and back.
func (p *patient) fixAndUndo() {
	p.t.Helper()
	before := p.objects()
	r := p.serve()
	r.diagnose("U_RESPONDER")
	r.click("U_RESPONDER", r.wait("Run all"), false)
	r.click("U_RESPONDER", r.wait("Plan:"), false)
	r.click("U_APPROVER", r.wait("Apply"), false)
	r.until("the store is fixed", 150*time.Second, func() bool { return strings.Contains(r.seen(false), "Fixed") })
	if d, code, output := p.diagnose(); code != 0 || d.Verdict.Scenario != "healthy" {
		p.t.Errorf("after the fix: exit %d\n%s", code, output)
	}
	r.click("U_APPROVER", r.wait("Undo"), false)
	r.until("the plan is undone", 120*time.Second, func() bool { return strings.Contains(r.seen(true), "undo plan 1 · applied") })
	if diff := cmp.Diff(before, p.objects()); diff != "" {
		p.t.Errorf("after the undo the objects are not what they were (-before +after):\n%s", diff)
	}
}

// objects is what a plan may change: the workload's spec and the file.
func (p *patient) objects() map[string]any {
	p.t.Helper()
	ctx := context.Background()
	configMap, err := p.copy.Clients.CoreV1().ConfigMaps(p.namespace).Get(ctx, workload.RedisConfig, metav1.GetOptions{})
	if err != nil {
		p.t.Fatal(err)
	}
	all := map[string]any{"config": configMap.Data}
	if deployment, err := p.copy.Clients.AppsV1().Deployments(p.namespace).Get(ctx, workload.Redis, metav1.GetOptions{}); err == nil {
		all["workload"] = deployment.Spec
		return all
	}
	set, err := p.copy.Clients.AppsV1().StatefulSets(p.namespace).Get(ctx, workload.Redis, metav1.GetOptions{})
	if err != nil {
		p.t.Fatal(err)
	}
	all["workload"] = set.Spec
	return all
}

// TestWithoutAnAPIServer: nobody answers, and the bot says so in one sentence.
func TestWithoutAnAPIServer(t *testing.T) {
	t.Parallel()
	b, err := set()
	if err != nil {
		t.Fatal(err)
	}
	p := &patient{bench: b, t: t, namespace: "anywhere"}
	p.kubeconfig = deadKubeconfig(t)
	_, code, output := p.diagnose()
	if code != 3 || strings.Count(strings.TrimSpace(output), "\n") != 0 || !strings.HasPrefix(output, "bot: ") {
		t.Errorf("exit %d, want 3 with one sentence:\n%s", code, output)
	}
}
