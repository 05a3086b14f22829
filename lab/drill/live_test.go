package drill_test

import (
	"bytes"
	"context"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"redis-session-bot/internal/incident"
	"redis-session-bot/internal/store/bolt"
	"redis-session-bot/lab/drill"
	"redis-session-bot/lab/live"
	"redis-session-bot/lab/workload"
)

const canary = "canary-drill-6f20c4"

// TestRun: a store is broken, people mend it in Slack, and the card has what they
// did; then the store is as the drill found it. One that is not well is not broken.
func TestRun(t *testing.T) {
	if testing.Short() {
		return // a minute and a half; what it judges by is tested without a cluster
	}
	p := live.Admit(t, "drill", workload.Deployment, canary)
	file := filepath.Join(t.TempDir(), "incidents.db")
	r := p.ServeWith("store: {path: " + file + "}\ndrills: [test]\n")
	said := &bytes.Buffer{}
	o := drill.Options{Workload: workload.Options{Kubeconfig: p.Admin, Namespace: p.Namespace}, Fault: "config-error", Target: "test", For: 5 * time.Minute, Out: said,
		Recent: func(ctx context.Context, since time.Time) ([]incident.Incident, error) {
			store, err := bolt.Peek(file)
			if err != nil {
				return nil, err
			}
			defer store.Close()
			return store.Recent(ctx, since)
		}}
	type result struct {
		card drill.Card
		err  error
	}
	ended := make(chan result, 1)
	before := p.Objects()
	go func() {
		card, err := drill.Run(t.Context(), o)
		ended <- result{card, err}
	}()
	r.Until("the store is broken", 2*time.Minute, func() bool {
		d, _, _ := p.Diagnose()
		return d.Verdict.Scenario == "config-error"
	})
	r.Diagnose("U_RESPONDER")
	r.Press("U_RESPONDER", "Run all")
	r.Press("U_RESPONDER", "Plan: repair")
	r.Press("U_APPROVER", "Apply")
	one := <-ended
	if one.err != nil {
		t.Fatal(one.err)
	}
	c := one.card
	if c.Incident != "INC-1" || c.Acknowledged == 0 || c.Right < c.Acknowledged || c.Fixed < c.Right || len(c.Wrong) > 0 || c.Channel == "" {
		t.Errorf("%+v\n%s", c, said)
	}
	if strings.Contains(said.String(), "config-error") {
		t.Errorf("the fault was told before the end:\n%s", said)
	}
	if status, err := workload.Look(t.Context(), o.Workload); err != nil || !status.Healthy() {
		t.Errorf("the store is not well: %+v, %v", status, err)
	}
	if after := p.Objects(); len(after) != len(before) {
		t.Errorf("%d objects of %d are there", len(after), len(before))
	}
	p.Type("kubectl scale deployment/redis-session -n drill --replicas=0")
	if _, err := drill.Run(t.Context(), o); err == nil || !strings.Contains(err.Error(), "a drill begins with a store that is") {
		t.Errorf("%v", err)
	}
}
