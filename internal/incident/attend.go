package incident

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"
)

// hands counts what goes on in the background for each incident.
type hands struct {
	mu  sync.Mutex
	ids map[string]int
}

func (h *hands) on(id string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.ids == nil {
		h.ids = map[string]int{}
	}
	h.ids[id]++
}

func (h *hands) off(id string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.ids[id]--; h.ids[id] == 0 {
		delete(h.ids, id)
	}
}

func (h *hands) all() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Sorted(maps.Keys(h.ids))
}

// underWay reports whether a replica is at work on a plan.
func underWay(plan Plan) bool { return plan.State == Preparing || plan.State == Underway }

// workers are the replicas that work on the incident.
func (i Incident) workers() map[string]bool {
	all := map[string]bool{}
	for _, step := range i.Steps {
		if step.Status == Running {
			all[step.Replica] = true
		}
	}
	for _, plan := range i.Plans {
		if underWay(plan) {
			all[plan.Replica] = true
		}
	}
	if i.State == Verifying {
		all[i.Verifier] = true
	}
	return all
}

// beatsIn says in the incident that this replica lives, and forgets those that do
// not work on it any more.
func (s *Service) beatsIn(inc *Incident) {
	if s.Limits.Silence <= 0 {
		return
	}
	workers := inc.workers()
	beats := map[string]time.Time{s.Replica: s.Now()} // a copy: the map is shared with what was read
	for replica, at := range inc.Beats {
		if replica != s.Replica && workers[replica] {
			beats[replica] = at
		}
	}
	inc.Beats = beats
}

// Attend keeps the work of several replicas apart until ctx is over: it lets the
// others know that this one lives, and takes the work of one that is not heard of
// any more for interrupted. Their clocks need not agree.
func (s *Service) Attend(ctx context.Context) {
	if s.Limits.Silence <= 0 {
		return
	}
	heard := map[worker]heartbeat{}
	tick := time.NewTicker(s.Limits.Silence / 3)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		err := s.beat(ctx)
		if err == nil {
			err = s.listen(ctx, heard)
		}
		if err != nil && ctx.Err() == nil {
			s.Log.Warn("the other replicas cannot be heard", "err", err)
			clear(heard) // nor could they say anything
		}
	}
}

// worker is a replica at work on an incident.
type worker struct{ incident, replica string }

// heartbeat is the last word of a worker, and since when it is.
type heartbeat struct{ at, since time.Time }

// beat says in each incident that this replica works on that it lives.
func (s *Service) beat(ctx context.Context) error {
	var all error
	for _, id := range s.hands.all() {
		_, err := s.change(ctx, id, func(inc *Incident) error {
			if !inc.workers()[s.Replica] {
				return errNothing
			}
			s.beatsIn(inc)
			return nil
		})
		if !errors.Is(err, errNothing) {
			all = errors.Join(all, err)
		}
	}
	return all
}

// listen keeps what is heard of the other replicas, and ends the work of those
// that are silent.
func (s *Service) listen(ctx context.Context, heard map[worker]heartbeat) error {
	all, err := s.Store.Recent(ctx, time.Time{})
	if err != nil {
		return err
	}
	now, working := s.Now(), map[worker]bool{}
	for _, inc := range all {
		silent := false
		for replica := range inc.workers() {
			one := worker{inc.ID, replica}
			working[one] = true
			if last, ok := heard[one]; !ok || !last.at.Equal(inc.Beats[replica]) {
				heard[one] = heartbeat{inc.Beats[replica], now}
			}
			silent = silent || replica != s.Replica && now.Sub(heard[one].since) >= s.Limits.Silence
		}
		if silent {
			err = errors.Join(err, s.bury(ctx, inc.ID, heard, now))
		}
	}
	maps.DeleteFunc(heard, func(one worker, _ heartbeat) bool { return !working[one] })
	return err
}

// bury ends what silent replicas have left behind in an incident.
func (s *Service) bury(ctx context.Context, id string, heard map[worker]heartbeat, now time.Time) error {
	inc, err := s.change(ctx, id, func(inc *Incident) error {
		s.recoverIncident(inc, func(replica string) bool {
			last, ok := heard[worker{id, replica}]
			return ok && replica != s.Replica && last.at.Equal(inc.Beats[replica]) && now.Sub(last.since) >= s.Limits.Silence
		})
		return nil
	})
	if err != nil {
		return err
	}
	s.Log.Warn("a replica is not heard of any more; its work is taken for interrupted", "incident", id)
	s.takeUp(inc)
	return nil
}
