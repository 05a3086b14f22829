// Package spine holds the whole way of the bot on a real cluster: a fault, the
// diagnosis, the fix through Slack, the verification, and the way back.
package spine

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"redis-session-bot/lab/faults"
	"redis-session-bot/lab/live"
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
				p := live.Admit(t, "spine-"+shape[:4]+"-"+fault, shape, "")
				if d, code, output := p.Diagnose(); code != 0 || d.Verdict.Scenario != "healthy" {
					t.Fatalf("before the fault: exit %d\n%s", code, output)
				}
				if err := faults.Break(t.Context(), faults.Options{Kubeconfig: p.Admin, Namespace: p.Namespace}, fault); err != nil {
					t.Fatal(err)
				}
				d, code, output := p.Diagnose()
				if code != 1 || d.Healthy || d.Verdict.Scenario != fault {
					t.Fatalf("verdict %q, exit %d, want %q and 1\n%s", d.Verdict.Scenario, code, fault, output)
				}
				for _, step := range d.Steps {
					if step.Status == "" {
						t.Errorf("step %s has no status", step.ID)
					}
				}
				if fixable[fault] {
					fixAndUndo(p)
				}
			})
		}
	}
}

// fixAndUndo walks from the command to a verified fix and back.
func fixAndUndo(p *live.Patient) {
	p.T.Helper()
	before := p.Objects()
	r := p.Serve()
	r.Diagnose("U_RESPONDER")
	r.Click("U_RESPONDER", r.Wait("Run all"), false)
	r.Click("U_RESPONDER", r.Wait("Plan:"), false)
	r.Click("U_APPROVER", r.Wait("Apply"), false)
	r.Until("the store is fixed", 150*time.Second, func() bool { return strings.Contains(r.Seen(false), "Fixed") })
	if d, code, output := p.Diagnose(); code != 0 || d.Verdict.Scenario != "healthy" {
		p.T.Errorf("after the fix: exit %d\n%s", code, output)
	}
	r.Click("U_APPROVER", r.Wait("Undo"), false)
	r.Until("the plan is undone", 120*time.Second, func() bool { return strings.Contains(r.Seen(true), "undo plan 1 · applied") })
	if diff := cmp.Diff(before, p.Objects()); diff != "" {
		p.T.Errorf("after the undo the objects are not what they were (-before +after):\n%s", diff)
	}
}

// TestWithoutAnAPIServer: nobody answers, and the bot says so in one sentence.
func TestWithoutAnAPIServer(t *testing.T) {
	t.Parallel()
	b, err := live.Open()
	if err != nil {
		t.Fatal(err)
	}
	p := &live.Patient{Bench: b, T: t, Namespace: "anywhere"}
	p.Kubeconfig = deadKubeconfig(t)
	_, code, output := p.Diagnose()
	if code != 3 || strings.Count(strings.TrimSpace(output), "\n") != 0 || !strings.HasPrefix(output, "bot: ") {
		t.Errorf("exit %d, want 3 with one sentence:\n%s", code, output)
	}
}
