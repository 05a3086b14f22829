// Package install tries the Helm chart on the lab's cluster, with the bot as pods
// of an image that holds nothing but its binary, under their own account.
package install

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"redis-session-bot/lab/faults"
	"redis-session-bot/lab/live"
	"redis-session-bot/lab/workload"
)

// TestTheChartServes: two replicas of the bot under the chart's Role and nothing
// more. What the bot needs is there; a store is diagnosed, mended and put back; people
// are paged; one replica dies at once, and the other one goes on.
func TestTheChartServes(t *testing.T) {
	p := live.Admit(t, "install-store", workload.Deployment, "")
	paged := &pager{}
	receiver := httptest.NewServer(paged)
	t.Cleanup(receiver.Close)
	chart := live.Chart{Namespace: "install-ops", Replicas: 2, Secrets: map[string]string{"page-key": "a key of the test"}, Config: map[string]any{
		"pagers": []any{map[string]any{"name": "duty", "type": "webhook", "url": "http://" + live.Forward(t, receiver.Listener.Addr().String()).String(),
			"key_file": "/etc/redis-session-bot/secret/page-key"}},
		"escalation": map[string]any{"levels": []any{map[string]any{"who": "@sre-oncall", "pagers": []any{"duty"}}}},
	}}
	r := p.Install(chart)

	p.Type(chart.Run("check")) // it fails where anything is wrong
	if err := faults.Break(t.Context(), faults.Options{Kubeconfig: p.Admin, Namespace: p.Namespace}, "config-error"); err != nil {
		t.Fatal(err)
	}
	before := p.Objects()
	r.Diagnose("U_RESPONDER")
	r.Press("U_RESPONDER", "Run all")
	r.Until("the cause is named", time.Minute, func() bool { return strings.Contains(r.Seen(false), "Configuration error — certain") })
	r.Command("U_RESPONDER", "escalate")
	modal := r.WaitModal("U_RESPONDER")
	if wrong := r.Submit("U_RESPONDER", modal); len(wrong) > 0 {
		t.Fatalf("the page is refused: %v", wrong)
	}
	r.Until("somebody is paged", 30*time.Second, func() bool { return paged.pages.Load() == 1 })

	r.Press("U_RESPONDER", "Plan: repair the configuration")
	r.Press("U_APPROVER", "Apply")
	r.Until("the store is fixed", 5*time.Minute, func() bool { return strings.Contains(r.Seen(false), "Fixed at") })

	// One dies as on a node that is lost. Slack gives its clicks to the other one.
	p.Type(chart.Die())
	r.Press("U_APPROVER", "Undo")
	r.Until("the plan is undone", 4*time.Minute, func() bool { return strings.Contains(r.Seen(true), "undo plan 1 · applied") })
	if diff := cmp.Diff(before, p.Objects()); diff != "" {
		t.Errorf("after the undo the objects are not what they were (-before +after):\n%s", diff)
	}
	p.Type(chart.Rollout())
}

// pager counts the pages that come.
type pager struct{ pages atomic.Int32 }

func (p *pager) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var notice struct {
		Event string `json:"event"`
	}
	if err := json.NewDecoder(r.Body).Decode(&notice); err == nil && notice.Event == "page" {
		p.pages.Add(1)
	}
}
