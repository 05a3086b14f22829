package incident_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"redis-session-bot/internal/incident"
	"redis-session-bot/internal/runbook"
)

// beingUndone runs a test with an applied plan whose undo is being prepared: the
// cluster answers once it is let go.
func beingUndone(t *testing.T, try func(d desk, id string, letGo func())) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t)
		id, plan := d.planned()
		d.must(d.ApplyPlan(t.Context(), id, bob, consentTo(plan)))
		d.Wait()
		gate := make(chan struct{})
		d.cluster.plan = func(wanted incident.Wanted) incident.Prepared {
			wanted.Progress("reading the volume")
			<-gate
			return incident.Prepared{Writes: []incident.Write{{Verb: incident.Update, Object: incident.Object{Kind: "Queue", Name: "queue"}, Changes: wanted.Changes,
				Title: "break queue", DryRun: incident.DryRunAccepted, Base: "1", Undo: []runbook.Change{{Kind: "mend"}}}}, Holds: incident.Untold()}
		}
		d.must(d.UndoPlan(t.Context(), id, bob, plan.Number))
		synctest.Wait()
		if undo := d.get(id).Plans[1]; undo.State != incident.Preparing || undo.Progress != "reading the volume" || undo.Undoes != plan.Number {
			t.Fatalf("the undo is %s: %q", undo.State, undo.Progress)
		}
		try(d, id, func() { close(gate); d.Wait() })
	})
}

// TestAnUndoIsPreparedOnce: who presses as well is told so, and what is written is
// written once.
func TestAnUndoIsPreparedOnce(t *testing.T) {
	beingUndone(t, func(d desk, id string, letGo func()) {
		d.refused(d.UndoPlan(t.Context(), id, cy, 1), "Plan 2 puts plan 1 back already")
		letGo()
		inc := d.get(id)
		if inc.Plans[1].State != incident.Applied || inc.Plans[1].Approved.ID != "bob" || inc.Plans[0].State != incident.Undone || d.cluster.writes != 2 {
			t.Errorf("the undo is %s, the plan %s, %d writes", inc.Plans[1].State, inc.Plans[0].State, d.cluster.writes)
		}
	})
}

// TestAnUndoIsNotBegunAfterAll: it was cancelled, another plan was asked for, or
// another incident changes the target, while it was prepared.
func TestAnUndoIsNotBegunAfterAll(t *testing.T) {
	for name, test := range map[string]struct {
		happens func(d desk, id string)
		state   incident.PlanState
		says    string
	}{
		"cancelled": {func(d desk, id string) { d.must(d.CancelPlan(d.t.Context(), id, cy, 2)) }, incident.Cancelled, "Cancelled by Cy."},
		"the bot was restarted": {func(d desk, id string) { d.must(d.Recover(d.t.Context())) }, incident.Failed,
			"The bot was restarted while this plan was prepared. Nothing was changed."},
		"another incident applies": {func(d desk, id string) {
			other, _, err := d.Open(d.t.Context(), ada, "queue", d.target, incident.Place{Channel: "C2"})
			d.must(err)
			other = d.get(other.ID)
			other.State = incident.Applying
			_, err = d.Store.Update(d.t.Context(), other)
			d.must(err)
		}, incident.Failed, "Nothing was changed: A plan of INC-2 is being applied"},
	} {
		t.Run(name, func(t *testing.T) {
			beingUndone(t, func(d desk, id string, letGo func()) {
				test.happens(d, id)
				letGo()
				inc := d.get(id)
				if undo := inc.Plans[1]; undo.State != test.state || !strings.Contains(undo.Trouble, test.says) || inc.Plans[0].State != incident.Applied || d.cluster.writes != 1 {
					t.Errorf("the undo is %s: %q, the plan %s, %d writes", undo.State, undo.Trouble, inc.Plans[0].State, d.cluster.writes)
				}
			})
		})
	}
}

// TestAnUndoWaitsNoLongerThanItHelps: the store that it brings back was down, and
// may never be ready.
func TestAnUndoWaitsNoLongerThanItHelps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t)
		d.Limits.Settle, d.Limits.Undone = 3*time.Minute, time.Minute
		id, plan := d.planned()
		d.must(d.ApplyPlan(t.Context(), id, bob, consentTo(plan)))
		d.Wait()
		d.cluster.never = true
		began := time.Now()
		d.must(d.UndoPlan(t.Context(), id, bob, plan.Number))
		d.Wait()
		inc := d.get(id)
		if took := time.Since(began); took < time.Minute || took > 2*time.Minute {
			t.Errorf("it took %s", took)
		}
		if undo := inc.Plans[1]; undo.State != incident.Applied || undo.Trouble == "" || inc.Plans[0].State != incident.Undone {
			t.Errorf("the undo is %s: %q, the plan %s", undo.State, undo.Trouble, inc.Plans[0].State)
		}
	})
}
