package incident_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"redis-session-bot/internal/incident"
	"redis-session-bot/internal/runbook"
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

// TestTheGlass: what needs a second person is applied alone only in the hours
// that the configuration gives, and with a reason that the timeline keeps.
func TestTheGlass(t *testing.T) {
	d := newDesk(t)
	ctx := context.Background()
	d.Second = incident.SecondAlways
	id := d.open()
	d.must(d.RunAll(ctx, id, ada))
	d.Wait()
	d.must(d.MakePlan(ctx, id, bob, "broken", nil))
	d.Wait()
	plan := d.get(id).Plans[0]
	alone := consentTo(plan)
	alone.Reason = "nobody else answers since 03:00"
	d.refused(d.ApplyPlan(ctx, id, bob, alone), "a second person must apply it")
	d.BreakGlass = incident.BreakGlass{To: 24 * time.Hour, Zone: time.UTC}
	d.refused(d.ApplyPlan(ctx, id, ada, alone), "may not")
	for _, reason := range []string{"", "   ", "hurry"} {
		without := alone
		without.Reason = reason
		var bad *runbook.BadInput
		if err := d.ApplyPlan(ctx, id, bob, without); !errors.As(err, &bad) || bad.Input != incident.InputReason {
			t.Errorf("reason %q: %v", reason, err)
		}
	}
	if len(d.cluster.sent) > 0 {
		t.Fatalf("sent: %q", d.cluster.sent)
	}
	d.must(d.ApplyPlan(ctx, id, bob, alone))
	d.Wait()
	got := d.get(id)
	if got.Plans[0].State != incident.Applied || got.Plans[0].Alone != alone.Reason {
		t.Errorf("%s, alone because %q", got.Plans[0].State, got.Plans[0].Alone)
	}
	if !slices.ContainsFunc(got.Timeline, func(e incident.Entry) bool {
		return e.Actor.ID == bob.ID && strings.Contains(e.Text, "broke the glass") && strings.Contains(e.Text, alone.Reason)
	}) {
		t.Errorf("the timeline does not tell: %v", got.Timeline)
	}
}

// TestWhenTheGlassMayBeBroken: by the clock of the zone, over midnight too.
func TestWhenTheGlassMayBeBroken(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	night := incident.BreakGlass{From: 22 * time.Hour, To: 7 * time.Hour, Zone: berlin}
	noon := incident.BreakGlass{From: 12 * time.Hour, To: 13 * time.Hour, Zone: berlin}
	for _, test := range []struct {
		glass incident.BreakGlass
		at    string
		open  bool
	}{
		{night, "2026-01-10T20:59:59Z", false}, {night, "2026-01-10T21:00:00Z", true}, // winter: an hour ahead
		{night, "2026-01-10T05:59:59Z", true}, {night, "2026-01-10T06:00:00Z", false},
		{night, "2026-07-10T20:00:00Z", true}, // summer: two hours ahead
		{noon, "2026-01-10T11:30:00Z", true}, {noon, "2026-01-10T12:00:00Z", false},
		{incident.BreakGlass{}, "2026-01-10T00:00:00Z", false},
		{incident.BreakGlass{From: time.Hour, To: time.Hour, Zone: berlin}, "2026-01-10T00:00:00Z", false},
	} {
		at, err := time.Parse(time.RFC3339, test.at)
		if err != nil {
			t.Fatal(err)
		}
		if got := test.glass.Open(at); got != test.open {
			t.Errorf("%v at %s: open %v", test.glass, test.at, got)
		}
	}
}
