// Package storetest is the one suite that every incident.Store passes.
package storetest

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"redis-session-bot/internal/evidence"
	"redis-session-bot/internal/incident"
)

// Run runs the suite; open gives an empty store each time.
func Run(t *testing.T, open func(t *testing.T) incident.Store) {
	tests := map[string]func(t *testing.T, store incident.Store){
		"what is stored comes back":           roundTrip,
		"an unknown ID is not found":          notFound,
		"an update of an old version loses":   conflict,
		"of many updates at once one wins":    oneWins,
		"the list is oldest first":            list,
		"nobody holds a pointer into a store": isolation,
		"a bundle is kept apart":              bundles,
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) { test(t, open(t)) })
	}
}

func sample() incident.Incident {
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	return incident.Incident{Runbook: "redis-session", Target: evidence.Target{Namespace: "ns", Workload: "store"},
		State: incident.Walking, Since: at, Walker: incident.Actor{ID: "U1", Name: "Ada"},
		Steps:    []incident.Step{{ID: "pods", Title: "Pods", Status: incident.Pending}},
		Timeline: []incident.Entry{{At: at, Actor: incident.Actor{ID: "U1"}, Text: "opened"}},
		Shown:    map[string]string{"incident": "C1 1.2"}}
}

func create(t *testing.T, store incident.Store) incident.Incident {
	t.Helper()
	inc, err := store.Create(context.Background(), sample())
	if err != nil {
		t.Fatalf("create: %v", err)
	}
	return inc
}

func roundTrip(t *testing.T, store incident.Store) {
	created := create(t, store)
	got, err := store.Get(context.Background(), created.ID)
	if err != nil {
		t.Fatalf("get: %v", err)
	}
	want := sample()
	want.ID, want.Version = created.ID, 1
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("stored (-) and read (+) differ:\n%s", diff)
	}
}

func notFound(t *testing.T, store incident.Store) {
	ctx := context.Background()
	if _, err := store.Get(ctx, "INC-99"); !errors.Is(err, incident.ErrNotFound) {
		t.Errorf("Get of an unknown ID: %v", err)
	}
	if _, err := store.Update(ctx, incident.Incident{ID: "INC-99", Version: 1}); !errors.Is(err, incident.ErrNotFound) {
		t.Errorf("Update of an unknown ID: %v", err)
	}
}

func conflict(t *testing.T, store incident.Store) {
	old := create(t, store)
	changed := old
	changed.State = incident.Stopped
	if _, err := store.Update(context.Background(), changed); err != nil {
		t.Fatalf("first update: %v", err)
	}
	old.State = incident.Closed
	if _, err := store.Update(context.Background(), old); !errors.Is(err, incident.ErrConflict) {
		t.Fatalf("update of an old version: %v", err)
	}
	got, err := store.Get(context.Background(), old.ID)
	if err != nil || got.State != incident.Stopped || got.Version != 2 {
		t.Errorf("after the conflict: state %s, version %d, %v", got.State, got.Version, err)
	}
}

func oneWins(t *testing.T, store incident.Store) {
	inc := create(t, store)
	var wins atomic.Int32
	var all sync.WaitGroup
	for range 16 {
		all.Go(func() {
			_, err := store.Update(context.Background(), inc)
			if err == nil {
				wins.Add(1)
			} else if !errors.Is(err, incident.ErrConflict) {
				t.Errorf("update: %v", err)
			}
		})
	}
	all.Wait()
	if wins.Load() != 1 {
		t.Errorf("%d updates of one version won, not 1", wins.Load())
	}
}

func list(t *testing.T, store incident.Store) {
	first, second := create(t, store), create(t, store)
	all, err := store.List(context.Background())
	if err != nil || len(all) != 2 || all[0].ID != first.ID || all[1].ID != second.ID || first.ID == second.ID {
		t.Errorf("list of %s, %s: %v, %v", first.ID, second.ID, all, err)
	}
}

func isolation(t *testing.T, store incident.Store) {
	inc := create(t, store)
	inc.Steps[0].Title, inc.Shown["incident"] = "changed", "changed"
	got, err := store.Get(context.Background(), inc.ID)
	if err != nil || got.Steps[0].Title != "Pods" || got.Shown["incident"] != "C1 1.2" {
		t.Errorf("a change outside shows inside: %+v, %v", got, err)
	}
}

func bundles(t *testing.T, store incident.Store) {
	ctx := context.Background()
	inc := create(t, store)
	empty, err := store.Bundle(ctx, inc.ID)
	if err != nil || empty.Pods != nil || len(empty.Missing) != 0 {
		t.Errorf("bundle before any was saved: %+v, %v", empty, err)
	}
	saved := evidence.Bundle{Meta: evidence.Meta{Namespace: "ns"}, Logs: []evidence.RawLog{{Pod: "p", Text: "line"}},
		Missing: map[string]string{evidence.FilePods: "forbidden"}}
	if err := store.SaveBundle(ctx, inc.ID, saved); err != nil {
		t.Fatalf("save: %v", err)
	}
	saved.Missing[evidence.FilePods] = "changed outside"
	got, err := store.Bundle(ctx, inc.ID)
	if err != nil || got.Missing[evidence.FilePods] != "forbidden" || len(got.Logs) != 1 || got.Meta.Namespace != "ns" {
		t.Errorf("saved and read: %+v, %v", got, err)
	}
}
