package incident_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"redis-session-bot/internal/incident"
)

// troubled is a store that fails now and then.
type troubled struct {
	incident.Store
	mu      sync.Mutex
	refuses func(inc incident.Incident) bool // an update is not stored
	loses   func(inc incident.Incident) bool // it is, and nobody hears of it
	deaf    int                              // so many reads fail after an answer was lost
	lost    bool
}

var errStore = errors.New("the store does not answer")

func (s *troubled) Get(ctx context.Context, id string) (incident.Incident, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.lost && s.deaf > 0 {
		s.deaf--
		return incident.Incident{}, errStore
	}
	return s.Store.Get(ctx, id)
}

func (s *troubled) Update(ctx context.Context, inc incident.Incident) (incident.Incident, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.refuses != nil && s.refuses(inc) {
		return incident.Incident{}, errStore
	}
	stored, err := s.Store.Update(ctx, inc)
	if err == nil && s.loses != nil && s.loses(inc) {
		s.loses, s.lost = nil, true
		return incident.Incident{}, errStore
	}
	return stored, err
}

// begun reports whether a plan of an incident is underway.
func begun(inc incident.Incident) bool {
	return len(inc.Plans) > 0 && inc.Plans[0].State == incident.Underway
}

// inTrouble runs a test with a plan that waits, over a store that fails.
func inTrouble(t *testing.T, try func(d desk, store *troubled, id string, plan incident.Plan)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t)
		id, plan := d.planned()
		store := &troubled{Store: d.Store}
		d.Store = store
		try(d, store, id, plan)
	})
}

// TestWhatHasHappenedIsStoredInTheEnd: that a write has arrived, and that a plan
// is applied, are told to the store until it takes it.
func TestWhatHasHappenedIsStoredInTheEnd(t *testing.T) {
	for name, happened := range map[string]func(inc incident.Incident) bool{
		"the write":        func(inc incident.Incident) bool { return inc.Plans[0].Writes[0].Status == incident.Done },
		"the plan":         func(inc incident.Incident) bool { return inc.Plans[0].State == incident.Applied },
		"the verification": func(inc incident.Incident) bool { return inc.State == incident.Fixed },
	} {
		t.Run(name, func(t *testing.T) {
			inTrouble(t, func(d desk, store *troubled, id string, plan incident.Plan) {
				left := 3
				store.refuses = func(inc incident.Incident) bool {
					if !happened(inc) || left == 0 {
						return false
					}
					left--
					return true
				}
				d.must(d.ApplyPlan(t.Context(), id, bob, consentTo(plan)))
				d.Wait()
				if inc := d.get(id); inc.State != incident.Fixed || inc.Plans[0].State != incident.Applied || d.cluster.writes != 1 || left != 0 {
					t.Errorf("%s, plan %s, %d writes, %d refusals left", inc.State, inc.Plans[0].State, d.cluster.writes, left)
				}
			})
		})
	}
}

// TestALostAnswerOfTheStore: what was stored counts as such.
func TestALostAnswerOfTheStore(t *testing.T) {
	inTrouble(t, func(d desk, store *troubled, id string, plan incident.Plan) {
		store.loses = begun
		d.must(d.ApplyPlan(t.Context(), id, bob, consentTo(plan)))
		d.Wait()
		if inc := d.get(id); inc.State != incident.Fixed || d.cluster.writes != 1 || !store.lost {
			t.Errorf("%s, %d writes, lost %t", inc.State, d.cluster.writes, store.lost)
		}
	})
}

// TestNothingIsDoneForWhoeverWasToldSo: a plan that is stored as begun, and steps
// that are stored as running, are taken back where nobody could be told.
func TestNothingIsDoneForWhoeverWasToldSo(t *testing.T) {
	inTrouble(t, func(d desk, store *troubled, id string, plan incident.Plan) {
		store.loses, store.deaf = begun, 2
		if err := d.ApplyPlan(t.Context(), id, bob, consentTo(plan)); !errors.Is(err, errStore) {
			t.Errorf("apply: %v", err)
		}
		d.Wait()
		inc := d.get(id)
		if got := inc.Plans[0]; got.State != incident.Failed || !strings.HasPrefix(got.Trouble, "Nothing was changed: ") || inc.State != incident.Walking || d.cluster.writes != 0 {
			t.Errorf("%s, plan %s: %q, %d writes", inc.State, got.State, got.Trouble, d.cluster.writes)
		}

		store.lost, store.deaf = false, 2
		store.loses = func(inc incident.Incident) bool { return inc.Steps[0].Status == incident.Running }
		if err := d.RunStep(t.Context(), id, ada, "pods"); !errors.Is(err, errStore) {
			t.Errorf("run: %v", err)
		}
		d.Wait()
		if got := d.get(id).Steps[0].Status; got != incident.Pending {
			t.Errorf("the step is %s", got)
		}
	})
}

// TestNobodyWritesOnAPlanThatSomebodyElseHasFound: somebody who knows of no replica
// takes a plan for interrupted. What was on its way is recorded; nothing more is sent.
func TestNobodyWritesOnAPlanThatSomebodyElseHasFound(t *testing.T) {
	d := newDesk(t)
	d.cluster.plan = course
	id, plan := d.planned()
	d.cluster.gate = make(chan struct{})
	d.must(d.ApplyPlan(t.Context(), id, bob, consentTo(plan)))
	for d.get(id).Plans[0].Writes[0].Status != incident.Sending { // it waits for the gate then
	}
	other := newDesk(t)
	other.Store, other.Cluster = d.Store, d.cluster
	d.must(other.Recover(t.Context()))
	inc := d.get(id)
	if last := inc.Timeline[len(inc.Timeline)-1]; last.Actor != incident.Bot() || !strings.HasPrefix(last.Text, "plan 1 ended: The bot was restarted") {
		t.Errorf("the timeline ends with %+v", last)
	}
	close(d.cluster.gate)
	d.Wait()
	if diff := cmp.Diff([]string{"stop 0"}, d.cluster.sent); diff != "" {
		t.Errorf("sent: %s", diff)
	}
	if got := d.get(id).Plans[0]; got.State != incident.Uncertain || got.Writes[0].Status != incident.Done || got.Writes[1].Status != incident.Planned {
		t.Errorf("plan %s, writes %s and %q", got.State, got.Writes[0].Status, got.Writes[1].Status)
	}
}

// TestABotThatIsStoppedSaysNothingOfARollout: it is told to stop while it waits for
// what its last write set going. The next one finds the plan interrupted; the cluster
// shows that the write arrived, the rollout is waited for, and the fix is verified.
func TestABotThatIsStoppedSaysNothingOfARollout(t *testing.T) {
	d := newDesk(t)
	id, plan := d.planned()
	running, stop := context.WithCancel(context.Background())
	d.Background = running
	d.cluster.never, d.Limits.Settle = true, time.Minute
	d.must(d.ApplyPlan(t.Context(), id, bob, consentTo(plan)))
	for d.get(id).Plans[0].Writes[0].Status != incident.Done { // it waits for the rollout then
	}
	stop()
	d.Wait()
	if got := d.get(id).Plans[0]; got.State != incident.Underway || got.Writes[0].Status != incident.Done {
		t.Fatalf("plan %s, its write %s: %s", got.State, got.Writes[0].Status, got.Writes[0].Error)
	}
	other := newDesk(t)
	other.Store, other.Cluster = d.Store, d.cluster
	d.cluster.never = false
	d.must(other.Recover(t.Context()))
	if got := d.get(id).Plans[0]; got.State != incident.Uncertain {
		t.Fatalf("after the start plan 1 is %s", got.State)
	}
	d.must(other.Decide(t.Context(), id, ada, 1))
	other.Wait()
	if inc := d.get(id); inc.State != incident.Fixed || inc.Plans[0].State != incident.Applied || d.cluster.writes != 1 {
		t.Errorf("%s, plan %s, %d writes", inc.State, inc.Plans[0].State, d.cluster.writes)
	}
}

// TestAClosedIncidentThatFiresAnewCanBeWalked: a step that ran when its bot died is
// run again, although nobody has looked at what was closed.
func TestAClosedIncidentThatFiresAnewCanBeWalked(t *testing.T) {
	d := alertDesk(t)
	ctx := context.Background()
	d.alerted(firing("one", 0))
	id := d.all()[0].ID
	d.must(d.Close(ctx, id, bob))
	inc := d.get(id)
	inc.Steps[0].Status = incident.Running // nobody runs it
	_, err := d.Store.Update(ctx, inc)
	d.must(err)
	d.must(d.Recover(ctx))
	d.clock.forward(time.Minute)
	d.alerted(resolved("one", 0, 0.5))
	d.alerted(firing("one", 1))
	if got := d.get(id); !got.Open() || got.Steps[0].Status == incident.Running || got.Steps[0].Runs != 2 {
		t.Errorf("%s, its step is %s after %d runs", got.State, got.Steps[0].Status, got.Steps[0].Runs)
	}
}

// TestAReceiverOfWhichNothingWasHeardIsToldThatItIsOver: a bot died with a page on
// its way; the next one finds duty overloaded, and the channel takes the page. Duty
// may have it all the same.
func TestAReceiverOfWhichNothingWasHeardIsToldThatItIsOver(t *testing.T) {
	w := newTower(t)
	dying, die := context.WithCancel(context.Background())
	w.Background = dying
	w.duty.set(func(r *receiver) { r.gate = make(chan struct{}) })
	w.clock.forward(30 * time.Minute)
	_, err := w.Escalate(context.Background(), w.id)
	w.must(err)
	die()
	w.Wait()
	w.duty.set(func(r *receiver) { r.gate, r.fails = nil, incident.ErrNotTaken })
	other := w.replica()
	look := func() {
		_, err := other.Escalate(context.Background(), w.id)
		w.must(err)
		other.Wait()
	}
	w.clock.forward(2 * time.Minute)
	look()
	w.heard("", "page", "")
	w.duty.set(func(r *receiver) { r.fails = nil })
	w.must(other.Close(context.Background(), w.id, bob))
	look()
	if got := w.duty.heard(); got != "resolve" {
		t.Errorf("duty was told %q, want that it is over", got)
	}
}
