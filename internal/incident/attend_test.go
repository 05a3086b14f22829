package incident_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"redis-session-bot/internal/incident"
)

// replicas are two bots on one store; the first carries out a plan that does not
// end before it is let go.
type replicas struct {
	first, second desk
	id            string
	die, letGo    func()
	store         *outage
}

func twoReplicas(t *testing.T, try func(r replicas)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		r := replicas{first: newDesk(t), second: newDesk(t)}
		alive, die := context.WithCancel(t.Context())
		r.die = die
		r.store = &outage{Store: r.first.Store}
		r.first.Store, r.second.Store, r.second.Cluster = r.store, r.store, r.first.cluster
		attends, over := context.WithCancel(t.Context())
		defer over()
		for name, d := range map[string]desk{"A": r.first, "B": r.second} {
			d.Replica, d.Now = name, time.Now
			d.Limits.Silence, d.Limits.PlanValid = 30*time.Second, time.Hour
		}
		id, plan := r.first.planned()
		r.id = id
		gate := make(chan struct{})
		r.first.cluster.gate = gate
		r.letGo = func() { close(gate) }
		r.first.must(r.first.ApplyPlan(t.Context(), id, bob, consentTo(plan)))
		r.second.must(r.second.Recover(t.Context()))
		go r.first.Attend(alive)
		go r.second.Attend(attends)
		try(r)
	})
}

func (r replicas) plan() incident.Plan { return r.second.get(r.id).Plans[0] }

// TestTheWorkOfALivingReplicaIsLeftToIt: another one that starts, and looks for
// minutes, does not end it.
func TestTheWorkOfALivingReplicaIsLeftToIt(t *testing.T) {
	twoReplicas(t, func(r replicas) {
		time.Sleep(5 * time.Minute)
		if got := r.plan().State; got != incident.Underway {
			t.Errorf("the plan is %s", got)
		}
		r.letGo()
		r.first.Wait()
		if inc := r.first.get(r.id); inc.State != incident.Fixed || inc.Plans[0].State != incident.Applied {
			t.Errorf("%s, plan %s", inc.State, inc.Plans[0].State)
		}
		r.die()
	})
}

// TestTheWorkOfADeadReplicaIsInterrupted: once it was not heard of for long enough,
// and no sooner.
func TestTheWorkOfADeadReplicaIsInterrupted(t *testing.T) {
	twoReplicas(t, func(r replicas) {
		time.Sleep(65 * time.Second) // its last word is of a minute then
		r.die()
		time.Sleep(20 * time.Second)
		if got := r.plan().State; got != incident.Underway {
			t.Errorf("after 25 s of silence the plan is %s", got)
		}
		time.Sleep(30 * time.Second)
		if got := r.plan(); got.State != incident.Uncertain || got.Writes[0].Status != incident.Lost {
			t.Errorf("after 55 s of silence the plan is %s, its write %s", got.State, got.Writes[0].Status)
		}
		r.letGo()
		r.first.Wait()
	})
}

// TestAStoreThatIsGoneSilencesEverybody: nobody is taken for dead because the store
// did not take a word.
func TestAStoreThatIsGoneSilencesEverybody(t *testing.T) {
	twoReplicas(t, func(r replicas) {
		time.Sleep(time.Minute)
		r.store.on.Store(true)
		time.Sleep(10 * time.Minute)
		r.store.on.Store(false)
		time.Sleep(5 * time.Minute)
		if got := r.plan().State; got != incident.Underway {
			t.Errorf("the plan is %s", got)
		}
		r.letGo()
		r.first.Wait()
		r.die()
	})
}

// outage is a store that does not answer for a while.
type outage struct {
	incident.Store
	on atomic.Bool
}

func (o *outage) Get(ctx context.Context, id string) (incident.Incident, error) {
	if o.on.Load() {
		return incident.Incident{}, errors.New("the store is gone")
	}
	return o.Store.Get(ctx, id)
}

func (o *outage) Recent(ctx context.Context, since time.Time) ([]incident.Incident, error) {
	if o.on.Load() {
		return nil, errors.New("the store is gone")
	}
	return o.Store.Recent(ctx, since)
}
