package trouble

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"redis-session-bot/lab/faults"
	"redis-session-bot/lab/live"
	"redis-session-bot/lab/workload"
)

// TestTheAPIServerGoesInTheMiddle loses a write, or the answer to it. The bot
// does not send it again and does not claim that it knows; asked, it looks, and
// goes on with what is left.
func TestTheAPIServerGoesInTheMiddle(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		arrive bool
		lose   func(*http.Request) bool
	}{
		"the first write is lost":   {false, live.IsWrite(http.MethodPut, "configmaps")},
		"its answer is lost":        {true, live.IsWrite(http.MethodPut, "configmaps")},
		"the second answer is lost": {true, live.IsWrite(http.MethodPut, "deployments")},
		"the second write is lost":  {false, live.IsWrite(http.MethodPut, "deployments")},
	}
	for name, test := range tests {
		// The short run tries the one that nobody can know.
		if testing.Short() && name != "the second answer is lost" {
			continue
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := live.Admit(t, "trouble-"+strings.ReplaceAll(name, " ", "-"), workload.Deployment, "")
			if err := faults.Break(t.Context(), faults.Options{Kubeconfig: p.Admin, Namespace: p.Namespace}, "config-error"); err != nil {
				t.Fatal(err)
			}
			gate := live.NewGate(t, p.Kubeconfig)
			direct := p.Kubeconfig
			p.Kubeconfig = gate.Kubeconfig
			r := p.Serve()
			p.Kubeconfig = direct
			r.Diagnose("U_RESPONDER")
			r.Press("U_RESPONDER", "Run all")
			r.Press("U_RESPONDER", "Plan:")
			apply := r.Wait("Apply")
			gate.Lose(test.arrive, test.lose)
			r.Click("U_APPROVER", apply, false)
			r.Until("the doubt is told", 30*time.Second, func() bool {
				return strings.Contains(r.Seen(true), "Nobody knows whether the last write arrived")
			})
			if lost := gate.Mend(); lost != 1 {
				t.Errorf("%d writes were sent, want one that was not repeated", lost)
			}
			r.Press("U_RESPONDER", "See what arrived")
			r.Until("it is decided", 60*time.Second, func() bool {
				return r.Find("Go on") != nil || r.Find("Plan again") != nil || strings.Contains(r.Seen(false), "Fixed at")
			})
			if b := r.Find("Go on"); b != nil {
				r.Click("U_APPROVER", *b, false)
			} else if b := r.Find("Plan again"); b != nil {
				if !strings.Contains(r.Seen(true), "Nothing was changed: the write has not arrived") {
					t.Errorf("it is not said that nothing was changed:\n%s", r.Seen(true))
				}
				r.Click("U_RESPONDER", *b, false)
				r.Press("U_APPROVER", "Apply")
			}
			r.Until("the store is fixed", 120*time.Second, func() bool { return strings.Contains(r.Seen(false), "Fixed at") })
			if n := revisions(p); n != 2 {
				t.Errorf("the workload is at revision %d, want 2: one rollout", n)
			}
		})
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
