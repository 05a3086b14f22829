package incident_test

import (
	"context"
	"testing"

	"redis-session-bot/internal/incident"
)

// TestASecondPerson: who asked for a plan does not apply it where the rule asks
// for somebody else.
func TestASecondPerson(t *testing.T) {
	for name, test := range map[string]struct {
		rule  incident.SecondPerson
		after int64 // keys that the store holds afterwards
		says  string
	}{
		"nobody asks for one":           {rule: incident.SecondNever, after: 0},
		"for loss, and nothing is lost": {rule: incident.SecondForLoss, after: 5},
		"for loss, and all is lost":     {rule: incident.SecondForLoss, after: 0, says: "a second person must apply it: it loses data"},
		"always":                        {rule: incident.SecondAlways, after: 5, says: "a second person must apply it: the configuration asks for it"},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDesk(t)
			ctx := context.Background()
			d.Second = test.rule
			d.cluster.plan = func(wanted incident.Wanted) incident.Prepared {
				prepared := course(wanted)
				prepared.Holds = incident.Holds{Now: 5, After: test.after}
				return prepared
			}
			id := d.open()
			d.must(d.RunAll(ctx, id, ada))
			d.Wait()
			d.must(d.MakePlan(ctx, id, bob, "broken", nil))
			d.Wait()
			plan := d.get(id).Plans[0]
			err := d.ApplyPlan(ctx, id, bob, consentTo(plan))
			if test.says == "" {
				d.must(err)
				return
			}
			d.refused(err, test.says)
			if len(d.cluster.sent) > 0 {
				t.Errorf("sent: %q", d.cluster.sent)
			}
			d.must(d.ApplyPlan(ctx, id, cy, consentTo(plan)))
			d.Wait()
			if got := d.get(id).Plans[0]; got.State != incident.Applied || got.Approved.ID != "cy" {
				t.Errorf("%s, approved by %s", got.State, got.Approved.ID)
			}
		})
	}
}
