package trouble

import (
	"strings"
	"testing"
	"time"

	"redis-session-bot/lab/faults"
	"redis-session-bot/lab/live"
	"redis-session-bot/lab/workload"
)

// TestKilledInTheMiddle kills the bot while a plan is applied, and starts it
// again: nothing is done a second time, the message says that nobody knows,
// and a person decides with what the cluster shows.
func TestKilledInTheMiddle(t *testing.T) {
	t.Parallel()
	p := live.Admit(t, "trouble-killed", workload.Deployment, "")
	if err := faults.Break(t.Context(), faults.Options{Kubeconfig: p.Admin, Namespace: p.Namespace}, "config-error"); err != nil {
		t.Fatal(err)
	}
	r := p.Serve()
	r.Diagnose("U_RESPONDER")
	r.Press("U_RESPONDER", "Run all")
	r.Press("U_RESPONDER", "Plan:")
	apply := r.Wait("Apply")
	r.Click("U_APPROVER", apply, false)
	r.Until("the plan is being applied", 20*time.Second, func() bool { return strings.Contains(r.Seen(true), "being applied, approved by") })
	r.Kill()
	r.Start()
	r.Until("the doubt is told", time.Minute, func() bool { // where there may be other replicas, one is taken for dead after 30 s
		return strings.Contains(r.Seen(true), "The bot was restarted while this plan was applied") || strings.Contains(r.Seen(false), "Fixed at")
	})
	r.Click("U_SECOND", apply, true)
	r.Whispered("U_SECOND", "Nothing was changed")
	r.Press("U_RESPONDER", "See what arrived")
	r.Until("it is decided", 60*time.Second, func() bool {
		return r.Find("Go on") != nil || strings.Contains(r.Seen(false), "Fixed at")
	})
	if b := r.Find("Go on"); b != nil {
		r.Click("U_APPROVER", *b, false)
	}
	r.Until("the store is fixed", 120*time.Second, func() bool { return strings.Contains(r.Seen(false), "Fixed at") })
	if n := revisions(p); n != 2 {
		t.Errorf("the workload is at revision %d, want 2: one rollout, although the bot died", n)
	}
}
