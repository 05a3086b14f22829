package incident_test

import (
	"context"
	"encoding/json"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"redis-session-bot/internal/evidence"
	"redis-session-bot/internal/incident"
	"redis-session-bot/internal/runbook"
)

// course stops a queue, works on its disk, and starts it again.
func course(wanted incident.Wanted) incident.Prepared {
	change := func(kind string) []runbook.Change {
		return []runbook.Change{{Kind: kind, Args: json.RawMessage(`{}`)}}
	}
	queue := incident.Object{Kind: "Queue", Name: "queue"}
	if wanted.Changes[0].Kind != "mend" {
		return incident.Prepared{Writes: []incident.Write{{Verb: incident.Update, Object: queue, Changes: wanted.Changes, Title: "put back",
			DryRun: incident.DryRunAccepted, Base: "3"}}, Holds: incident.Untold()}
	}
	return incident.Prepared{Holds: incident.Holds{Now: 7, After: 5}, Writes: []incident.Write{
		{Verb: incident.Update, Object: queue, Title: "stop", Part: 1, Base: "0", Changes: change("break"), Undo: change("mend"), Await: incident.Gone, Awaited: queue, DryRun: incident.DryRunAccepted},
		{Verb: incident.Create, Object: incident.Object{Kind: "Pod", Name: wanted.Name}, Title: "repair", Part: 1, Changes: change("break"), Undo: change("break"), Await: incident.Job, DryRun: incident.DryRunAccepted},
		{Verb: incident.Update, Object: queue, Title: "start", Part: 1, Base: "0", Changes: change("mend"), Await: incident.Rollout, Awaited: queue, DryRun: incident.DryRunAccepted},
	}}
}

func TestACourseWritesOneAfterAnother(t *testing.T) {
	d := newDesk(t)
	d.cluster.plan = course
	id, plan := d.planned()
	d.must(d.ApplyPlan(context.Background(), id, bob, consentTo(plan)))
	d.Wait()
	inc := d.get(id)
	// The second write of the queue finds it as the first one has left it.
	if diff := cmp.Diff([]string{"stop 0", "repair ", "start 1"}, d.cluster.sent); diff != "" {
		t.Errorf("sent: %s", diff)
	}
	if inc.State != incident.Fixed || inc.Plans[0].Writes[1].Object.Name != "inc-1-1" || !cmp.Equal(inc.Plans[0].Writes[1].Says, []string{"1 pod"}) {
		t.Errorf("%s, %+v", inc.State, inc.Plans[0].Writes[1])
	}
	if undo := incident.UndoOf(inc.Plans[0]); len(undo) != 1 || undo[0].Kind != "break" {
		t.Errorf("the last write that is written puts all back: %+v", undo)
	}
	d.must(d.UndoPlan(context.Background(), id, bob, plan.Number))
	d.Wait()
	if got := d.get(id).Plans[0].State; got != incident.Undone {
		t.Errorf("after the undo: %s", got)
	}
}

func TestAStopInTheMiddle(t *testing.T) {
	refusal := &incident.Refusal{Says: "The quota is used up."}
	for name, test := range map[string]struct {
		fail, unwell map[string]error
		state        incident.PlanState
		statuses     []incident.WriteStatus
		goOn         bool
		undo         string
	}{
		"refused before anything was written": {fail: map[string]error{"stop": refusal}, state: incident.Failed,
			statuses: []incident.WriteStatus{incident.Refused, incident.Planned, incident.Planned}},
		"refused in the middle": {fail: map[string]error{"repair": refusal}, state: incident.Failed, goOn: true, undo: "mend",
			statuses: []incident.WriteStatus{incident.Done, incident.Refused, incident.Planned}},
		"what it set going has failed": {unwell: map[string]error{"repair": refusal}, state: incident.Failed, undo: "break",
			statuses: []incident.WriteStatus{incident.Done, incident.Broken, incident.Planned}},
		"no answer in the middle": {fail: map[string]error{"repair": errors.New("connection reset")}, state: incident.Uncertain,
			undo: "mend", statuses: []incident.WriteStatus{incident.Done, incident.Lost, incident.Planned}},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDesk(t)
			d.cluster.plan, d.cluster.fail, d.cluster.unwell = course, test.fail, test.unwell
			id, plan := d.planned()
			d.must(d.ApplyPlan(context.Background(), id, bob, consentTo(plan)))
			d.Wait()
			got := d.get(id).Plans[0]
			var statuses []incident.WriteStatus
			for _, write := range got.Writes {
				statuses = append(statuses, write.Status)
			}
			if diff := cmp.Diff(test.statuses, statuses); diff != "" || got.State != test.state || incident.CanGoOn(got) != test.goOn {
				t.Errorf("%s, can go on %t, statuses %s", got.State, incident.CanGoOn(got), diff)
			}
			undo := ""
			for _, change := range incident.UndoOf(got) {
				undo += change.Kind
			}
			if undo != test.undo {
				t.Errorf("undo %q, want %q", undo, test.undo)
			}
			if !test.goOn {
				d.refused(d.GoOn(context.Background(), id, bob, plan.Number, plan.Digest), "cannot be taken up again")
			}
		})
	}
}

func TestGoOnSendsNothingTwice(t *testing.T) {
	d := newDesk(t)
	ctx := context.Background()
	d.cluster.plan, d.cluster.fail = course, map[string]error{"repair": &incident.Refusal{Says: "The quota is used up."}}
	id, plan := d.planned()
	d.must(d.ApplyPlan(ctx, id, bob, consentTo(plan)))
	d.Wait()
	d.cluster.mu.Lock()
	d.cluster.fail = nil
	d.cluster.mu.Unlock()
	d.refused(d.GoOn(ctx, id, ada, plan.Number, plan.Digest), "You may not.")
	d.refused(d.GoOn(ctx, id, bob, plan.Number, "0000"), "cannot be taken up again")
	d.must(d.GoOn(ctx, id, cy, plan.Number, plan.Digest))
	d.Wait()
	if diff := cmp.Diff([]string{"stop 0", "repair ", "start 1"}, d.cluster.sent); diff != "" {
		t.Errorf("sent: %s", diff)
	}
	if inc := d.get(id); inc.State != incident.Fixed || inc.Plans[0].State != incident.Applied {
		t.Errorf("%s, plan %s", inc.State, inc.Plans[0].State)
	}
	d.refused(d.GoOn(ctx, id, cy, plan.Number, plan.Digest), "cannot be taken up again")
}

func TestDecideWhatArrived(t *testing.T) {
	for name, test := range map[string]struct {
		arrived bool
		status  incident.WriteStatus
	}{"it has": {true, incident.Done}, "it has not": {false, incident.Planned}} {
		t.Run(name, func(t *testing.T) {
			d := newDesk(t)
			ctx := context.Background()
			d.cluster.plan, d.cluster.fail = course, map[string]error{"repair": errors.New("connection reset")}
			id, plan := d.planned()
			d.must(d.ApplyPlan(ctx, id, bob, consentTo(plan)))
			d.Wait()
			d.cluster.mu.Lock()
			d.cluster.arrived, d.cluster.fail = test.arrived, nil
			d.cluster.mu.Unlock()
			d.refused(d.Decide(ctx, id, eve, plan.Number), "You may not.")
			d.must(d.Decide(ctx, id, ada, plan.Number))
			d.Wait()
			got := d.get(id).Plans[0]
			if got.State != incident.Failed || got.Writes[1].Status != test.status || !incident.CanGoOn(got) {
				t.Errorf("%s, %s", got.State, got.Writes[1].Status)
			}
			d.refused(d.Decide(ctx, id, ada, plan.Number), "not in doubt")
			if len(d.cluster.sent) != 1 {
				t.Errorf("deciding has sent something: %q", d.cluster.sent)
			}
		})
	}
}

func TestTwoIncidentsOfOneTarget(t *testing.T) {
	d := newDesk(t)
	ctx := context.Background()
	first, plan := d.planned()
	d.must(d.ApplyPlan(ctx, first, bob, consentTo(plan)))
	d.Wait()
	second := d.open() // the first is fixed
	d.must(d.RunAll(ctx, second, ada))
	d.Wait()
	d.must(d.MakePlan(ctx, second, ada, "broken", nil))
	d.Wait()
	next := d.get(second).Plans[0]
	d.cluster.gate = make(chan struct{})
	d.must(d.UndoPlan(ctx, first, bob, plan.Number))
	for d.get(first).State != incident.Applying {
		time.Sleep(time.Millisecond)
	}
	d.refused(d.ApplyPlan(ctx, second, bob, consentTo(next)), first+" is being applied to shop/queue")
	d.refused(d.MakePlan(ctx, second, ada, "broken", nil), first+" is being applied to shop/queue")
	close(d.cluster.gate)
	d.Wait()
	replaced := func(number int, by string) {
		t.Helper()
		if got := d.get(second).Plans[number-1]; got.State != incident.Cancelled || got.Trouble != "Replaced by "+by+" of "+first+"." {
			t.Errorf("plan %d is %s: %s", number, got.State, got.Trouble)
		}
	}
	replaced(1, "plan 2")

	d.must(d.MakePlan(ctx, second, ada, "broken", nil))
	d.Wait()
	d.must(d.MakePlan(ctx, first, ada, "broken", nil))
	d.Wait()
	replaced(2, "plan 3")
	if got := d.get(first).Plans[2].State; got != incident.Proposed {
		t.Errorf("the newer plan is %s", got)
	}

	named := d.target
	named.Name = "the queue of the shop"
	if inc, existed, err := d.Open(ctx, ada, "queue", named, incident.Place{Channel: "C2"}); err != nil || !existed {
		t.Errorf("a second name of one workload opened %s: %v", inc.ID, err)
	}
}

// TestWhoChangedItIsToldInTheCluster: once for each write that arrived, with
// the person's name; that it cannot be told stops nothing.
func TestWhoChangedItIsToldInTheCluster(t *testing.T) {
	d := newDesk(t)
	var mu sync.Mutex
	var told []string
	d.Announce = func(_ context.Context, _ evidence.Target, object incident.Object, says string) error {
		mu.Lock()
		defer mu.Unlock()
		told = append(told, object.String()+": "+says)
		return errors.New("events are forbidden")
	}
	id, plan := d.planned()
	d.must(d.ApplyPlan(context.Background(), id, bob, consentTo(plan)))
	d.Wait()
	if got := d.get(id); got.State != incident.Fixed {
		t.Errorf("it is %s", got.State)
	}
	if want := "Queue/queue: Bob (bob) by plan 1 of " + id + ": mend queue"; len(told) != 1 || told[0] != want {
		t.Errorf("told %q, want %q", told, want)
	}
}
