package incident_test

import (
	"context"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"redis-session-bot/internal/incident"
)

// lost applies a plan of which one write gets no answer, and says what of it the
// cluster shows from then on.
func lost(t *testing.T, write string, arrived bool, left string) (d desk, id string, plan incident.Plan) {
	t.Helper()
	d = newDesk(t)
	d.cluster.plan, d.cluster.fail = course, map[string]error{write: errors.New("connection reset")}
	id, plan = d.planned()
	d.must(d.ApplyPlan(context.Background(), id, bob, consentTo(plan)))
	d.Wait()
	d.cluster.mu.Lock()
	defer d.cluster.mu.Unlock()
	d.cluster.fail, d.cluster.arrived, d.cluster.left = nil, arrived, left
	return d, id, plan
}

// TestGoOnAfterAWriteThatArrived: what comes after it finds the object as it has
// left it, and so does the undo.
func TestGoOnAfterAWriteThatArrived(t *testing.T) {
	ctx := context.Background()
	d, id, plan := lost(t, "stop", true, "3")
	d.refused(d.UndoPlan(ctx, id, bob, plan.Number), "See first what arrived")
	d.must(d.Decide(ctx, id, ada, plan.Number))
	d.must(d.GoOn(ctx, id, bob, plan.Number, plan.Digest))
	d.Wait()
	if diff := cmp.Diff([]string{"repair ", "start 3"}, d.cluster.sent); diff != "" {
		t.Errorf("sent: %s", diff)
	}
	if inc := d.get(id); inc.State != incident.Fixed {
		t.Errorf("%s, plan %s: %s", inc.State, inc.Plans[0].State, inc.Plans[0].Trouble)
	}
}

// TestEveryWriteHasArrived: nothing is sent, what the last one set going is
// waited for, and the plan ends as it would have.
func TestEveryWriteHasArrived(t *testing.T) {
	ctx := context.Background()
	d, id, plan := lost(t, "start", true, "3")
	d.cluster.unwell = map[string]error{"start": &incident.Refusal{Says: "The new pod does not start."}}
	d.cluster.mended = true
	d.must(d.Decide(ctx, id, ada, plan.Number))
	d.Wait()
	inc := d.get(id)
	if got := inc.Plans[0]; got.State != incident.Applied || got.Approved.ID != bob.ID || got.Trouble != "The new pod does not start." || inc.State != incident.Fixed {
		t.Errorf("%s, plan %s by %s: %q", inc.State, got.State, got.Approved.ID, got.Trouble)
	}
	if diff := cmp.Diff([]string{"stop 0", "repair "}, d.cluster.sent); diff != "" {
		t.Errorf("sent: %s", diff)
	}
}

// TestAnUndoThatArrived: the plan that it puts back is undone.
func TestAnUndoThatArrived(t *testing.T) {
	ctx := context.Background()
	d := newDesk(t)
	id, plan := d.planned()
	d.must(d.ApplyPlan(ctx, id, bob, consentTo(plan)))
	d.Wait()
	d.cluster.failure = errors.New("connection reset")
	d.must(d.UndoPlan(ctx, id, bob, plan.Number))
	d.Wait()
	d.cluster.failure, d.cluster.arrived = nil, true
	d.refused(d.UndoPlan(ctx, id, bob, plan.Number), "what plan 2 has put back")
	d.must(d.Decide(ctx, id, ada, 2))
	d.Wait()
	if inc := d.get(id); inc.Plans[0].State != incident.Undone || inc.Plans[1].State != incident.Applied || inc.State != incident.Walking {
		t.Errorf("%s, plan 1 %s, plan 2 %s", inc.State, inc.Plans[0].State, inc.Plans[1].State)
	}
	if d.cluster.writes != 1 {
		t.Errorf("%d writes", d.cluster.writes)
	}
}
