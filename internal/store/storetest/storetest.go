// Package storetest is the one suite that every incident.Store passes.
package storetest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"redis-session-bot/internal/chain"
	"redis-session-bot/internal/evidence"
	"redis-session-bot/internal/incident"
	"redis-session-bot/internal/runbook"
)

// Store is what the suite tests: a store with its audit trail.
type Store interface {
	incident.Store
	chain.Trail
}

// Stores are two stores on one backend, as two replicas have them. Where only
// one process can have it, they are the same.
type Stores struct{ One, Other Store }

// Run runs the suite; open gives empty stores each time.
func Run(t *testing.T, open func(t *testing.T) Stores) {
	tests := map[string]func(t *testing.T, stores Stores){
		"what is stored comes back":           roundTrip,
		"an unknown ID is not found":          notFound,
		"an update of an old version loses":   conflict,
		"of many updates at once one wins":    oneWins,
		"many writers lose nothing":           noneLost,
		"IDs are given once":                  ids,
		"the list is oldest first":            list,
		"what is recent, and the index":       recent,
		"a dropped one is gone":               drop,
		"nobody holds a pointer into a store": isolation,
		"a bundle is kept apart":              bundles,
		"of bundles at once none is lost":     bundlesAtOnce,
		"a large bundle":                      largeBundle,
		"a call that is over changes nothing": over,
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) { test(t, open(t)) })
	}
}

var at = time.Date(2026, 1, 2, 3, 4, 5, 6789, time.UTC)

func sample() incident.Incident {
	return incident.Incident{Runbook: "redis-session", Target: evidence.Target{Namespace: "ns", Workload: "store"},
		State: incident.Walking, Since: at, Walker: incident.Actor{ID: "U1", Name: "Ada"},
		Steps:    []incident.Step{{ID: "pods", Title: "Pods", Status: incident.Pending}},
		Timeline: []incident.Entry{{At: at, Actor: incident.Actor{ID: "U1"}, Text: "opened"}},
		Shown:    map[string]string{"incident": "C1 1.2"}}
}

func create(t *testing.T, store incident.Store) incident.Incident {
	t.Helper()
	inc, err := store.Create(t.Context(), sample())
	if err != nil {
		t.Fatalf("create: %v", err)
	}
	return inc
}

// change updates an incident as the engine does: again, until nobody was faster.
func change(t *testing.T, store incident.Store, id string, f func(*incident.Incident)) incident.Incident {
	t.Helper()
	for {
		inc, err := store.Get(t.Context(), id)
		if err != nil {
			t.Errorf("get: %v", err)
			return inc
		}
		f(&inc)
		stored, err := store.Update(t.Context(), inc)
		if errors.Is(err, incident.ErrConflict) {
			continue
		}
		if err != nil {
			t.Errorf("update: %v", err)
		}
		return stored
	}
}

func roundTrip(t *testing.T, stores Stores) {
	created := create(t, stores.One)
	got, err := stores.Other.Get(t.Context(), created.ID)
	if err != nil {
		t.Fatalf("get: %v", err)
	}
	want := sample()
	want.ID, want.Version = created.ID, 1
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("stored (-) and read (+) differ:\n%s", diff)
	}
}

func notFound(t *testing.T, stores Stores) {
	ctx, store := t.Context(), stores.One
	for _, id := range []string{"INC-99", "INC-0", "INC-01", "INC-", "", "inc-1", "../INC-1"} {
		for what, err := range map[string]error{
			"Get":       func() error { _, err := store.Get(ctx, id); return err }(),
			"Update":    func() error { _, err := store.Update(ctx, incident.Incident{ID: id, Version: 1}); return err }(),
			"Drop":      store.Drop(ctx, id, incident.Entry{At: at}),
			"AddBundle": store.AddBundle(ctx, id, evidence.Bundle{}),
		} {
			if !errors.Is(err, incident.ErrNotFound) {
				t.Errorf("%s of %q: %v", what, id, err)
			}
		}
	}
}

func conflict(t *testing.T, stores Stores) {
	old := create(t, stores.One)
	changed := old
	changed.State = incident.Stopped
	if _, err := stores.Other.Update(t.Context(), changed); err != nil {
		t.Fatalf("first update: %v", err)
	}
	old.State = incident.Closed
	if _, err := stores.One.Update(t.Context(), old); !errors.Is(err, incident.ErrConflict) {
		t.Fatalf("update of an old version: %v", err)
	}
	for _, store := range []Store{stores.One, stores.Other} {
		got, err := store.Get(t.Context(), old.ID)
		if err != nil || got.State != incident.Stopped || got.Version != 2 {
			t.Errorf("after the conflict: state %s, version %d, %v", got.State, got.Version, err)
		}
	}
}

func oneWins(t *testing.T, stores Stores) {
	inc := create(t, stores.One)
	var wins atomic.Int32
	var all sync.WaitGroup
	for n := range 16 {
		store := []Store{stores.One, stores.Other}[n%2]
		all.Go(func() {
			_, err := store.Update(t.Context(), inc)
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

// noneLost: every line that a writer has added is in the timeline once, and in
// the trail once, in the same order; and the trail did not fork.
func noneLost(t *testing.T, stores Stores) {
	const writers, each = 6, 4
	incs := []incident.Incident{create(t, stores.One), create(t, stores.Other)}
	var all sync.WaitGroup
	for w := range writers {
		store, id := []Store{stores.One, stores.Other}[w%2], incs[w/2%2].ID
		all.Go(func() {
			for n := range each {
				change(t, store, id, func(inc *incident.Incident) {
					inc.Timeline = append(inc.Timeline, incident.Entry{At: at, Actor: incident.Actor{ID: "U1"}, Text: fmt.Sprintf("writer %d line %d", w, n)})
				})
			}
		})
	}
	all.Wait()
	lines := map[string]int{}
	for _, inc := range incs {
		got, err := stores.One.Get(t.Context(), inc.ID)
		if err != nil {
			t.Fatal(err)
		}
		if got.Version != uint64(len(got.Timeline)) {
			t.Errorf("%s: version %d with %d lines", inc.ID, got.Version, len(got.Timeline))
		}
		for _, entry := range got.Timeline {
			lines[entry.Text]++
		}
	}
	for w := range writers {
		for n := range each {
			if text := fmt.Sprintf("writer %d line %d", w, n); lines[text] != 1 {
				t.Errorf("%q is there %d times", text, lines[text])
			}
		}
	}
	untouched(t, stores.Other, writers*each+2)
}

// untouched fails unless the trail and the incidents agree.
func untouched(t *testing.T, store Store, entries uint64) chain.Report {
	t.Helper()
	report, err := chain.Verify(t.Context(), store, store)
	if err != nil || len(report.Troubles) > 0 || report.Entries != entries {
		t.Errorf("%d entries, not %d, %v: %+v", report.Entries, entries, err, report.Troubles)
	}
	head, err := store.Head(t.Context())
	if err != nil || head != report.Head {
		t.Errorf("the head is %s, not %s, %v", head, report.Head, err)
	}
	return report
}

func ids(t *testing.T, stores Stores) {
	const count = 16
	var mu sync.Mutex
	given := map[string]int{}
	var all sync.WaitGroup
	for n := range count {
		store := []Store{stores.One, stores.Other}[n%2]
		all.Go(func() {
			inc, err := store.Create(t.Context(), sample())
			if err != nil {
				t.Errorf("create: %v", err)
			}
			mu.Lock()
			defer mu.Unlock()
			given[inc.ID]++
		})
	}
	all.Wait()
	for n := range count {
		if id := fmt.Sprintf("INC-%d", n+1); given[id] != 1 {
			t.Errorf("%s was given %d times", id, given[id])
		}
	}
	untouched(t, stores.One, count)
}

func list(t *testing.T, stores Stores) {
	var want []string
	for range 11 { // INC-10 stands behind INC-9
		want = append(want, create(t, stores.One).ID)
	}
	for name, list := range map[string]func() ([]incident.Incident, error){
		"list":   func() ([]incident.Incident, error) { return stores.Other.List(t.Context()) },
		"recent": func() ([]incident.Incident, error) { return stores.Other.Recent(t.Context(), at) },
	} {
		all, err := list()
		if diff := cmp.Diff(want, idsOf(all)); err != nil || diff != "" {
			t.Errorf("%s: %v\n%s", name, err, diff)
		}
	}
}

func idsOf(all []incident.Incident) (ids []string) {
	for _, inc := range all {
		ids = append(ids, inc.ID)
	}
	return ids
}

func recent(t *testing.T, stores Stores) {
	ended := func(after time.Duration) func(*incident.Incident) {
		return func(inc *incident.Incident) { inc.State, inc.ClosedAt = incident.Closed, at.Add(after) }
	}
	plan := func(fix, debt string) func(*incident.Incident) {
		return func(inc *incident.Incident) {
			ended(time.Hour)(inc)
			inc.Plans = []incident.Plan{{Number: 1, State: incident.Applied, Fix: fix, Debt: debt}}
		}
	}
	for _, how := range []func(*incident.Incident){
		nil,                         // INC-1 is open
		ended(time.Hour),            // INC-2 was closed after one hour
		ended(3 * time.Hour),        // INC-3 after three
		plan("fallback", "forgets"), // INC-4 has left a debt
		plan("fallback-end", ""),    // INC-5 may have paid it
		ended(2 * time.Hour),        // INC-6 is opened again
		ended(time.Hour),            // INC-7 is closed later than it was
	} {
		id := create(t, stores.One).ID
		if how != nil {
			change(t, stores.One, id, how)
		}
	}
	change(t, stores.Other, "INC-6", func(inc *incident.Incident) { inc.State, inc.ClosedAt = incident.Walking, time.Time{} })
	change(t, stores.Other, "INC-7", ended(4*time.Hour))
	for since, want := range map[time.Time][]string{
		{}:                      {"INC-1", "INC-4", "INC-5", "INC-6"},
		at.Add(5 * time.Hour):   {"INC-1", "INC-4", "INC-5", "INC-6"},
		at.Add(3 * time.Hour):   {"INC-1", "INC-3", "INC-4", "INC-5", "INC-6", "INC-7"},
		at.Add(time.Nanosecond): {"INC-1", "INC-2", "INC-3", "INC-4", "INC-5", "INC-6", "INC-7"},
	} {
		all, err := stores.One.Recent(t.Context(), since)
		if diff := cmp.Diff(want, idsOf(all)); err != nil || diff != "" {
			t.Errorf("since %s: %v\n%s", since, err, diff)
		}
	}
	after := func(hours int) time.Time { return at.Add(time.Duration(hours) * time.Hour) }
	index, err := stores.One.Index(t.Context())
	want := []incident.Brief{{ID: "INC-1"}, {ID: "INC-2", ClosedAt: after(1)}, {ID: "INC-3", ClosedAt: after(3)}, {ID: "INC-4", ClosedAt: after(1)},
		{ID: "INC-5", ClosedAt: after(1)}, {ID: "INC-6"}, {ID: "INC-7", ClosedAt: after(4)}}
	if diff := cmp.Diff(want, index); err != nil || diff != "" {
		t.Errorf("index: %v\n%s", err, diff)
	}
}

func drop(t *testing.T, stores Stores) {
	ctx := t.Context()
	first, second := create(t, stores.One), create(t, stores.One)
	if err := stores.One.AddBundle(ctx, second.ID, evidence.Bundle{Logs: []evidence.RawLog{{Text: "said"}}}); err != nil {
		t.Fatal(err)
	}
	change(t, stores.Other, second.ID, func(inc *incident.Incident) { inc.State, inc.ClosedAt = incident.Closed, at })
	why := incident.Entry{At: at, Actor: incident.Actor{ID: "bot", Name: "bot"}, Text: "dropped"}
	if err := stores.Other.Drop(ctx, second.ID, why); err != nil {
		t.Fatal(err)
	}
	if _, err := stores.One.Get(ctx, second.ID); !errors.Is(err, incident.ErrNotFound) {
		t.Errorf("it is there: %v", err)
	}
	if _, err := stores.One.Update(ctx, second); !errors.Is(err, incident.ErrNotFound) {
		t.Errorf("it comes back: %v", err)
	}
	if bundle, err := stores.One.Bundle(ctx, second.ID); err != nil || bundle.Logs != nil {
		t.Errorf("its evidence is there: %+v, %v", bundle, err)
	}
	if all, err := stores.One.List(ctx); err != nil || len(all) != 1 || all[0].ID != first.ID {
		t.Errorf("kept: %v, %v", idsOf(all), err)
	}
	if index, err := stores.One.Index(ctx); err != nil || len(index) != 1 {
		t.Errorf("index: %v, %v", index, err)
	}
	if next := create(t, stores.One); next.ID != "INC-3" {
		t.Errorf("the next one is %s: an ID was given twice", next.ID)
	}
	untouched(t, stores.One, 4)
	var said chain.Entry
	for entry, err := range stores.One.Trail(ctx) {
		if err != nil {
			t.Error(err)
		}
		if entry.Gone {
			said = entry
		}
	}
	if said.Incident != second.ID || said.Text != "dropped" || said.Actor != "bot" {
		t.Errorf("the trail says %+v", said)
	}
}

func isolation(t *testing.T, stores Stores) {
	inc := create(t, stores.One)
	inc.Steps[0].Title, inc.Shown["incident"] = "changed", "changed"
	got, err := stores.One.Get(t.Context(), inc.ID)
	if err != nil || got.Steps[0].Title != "Pods" || got.Shown["incident"] != "C1 1.2" {
		t.Errorf("a change outside shows inside: %+v, %v", got, err)
	}
	inc = got
	inc.Plans = []incident.Plan{{Number: 1, Changes: []runbook.Change{{Kind: "restart", Args: []byte(`{"a":1}`)}}}}
	stored, err := stores.One.Update(t.Context(), inc)
	if err != nil {
		t.Fatal(err)
	}
	inc.Plans[0].Number, stored.Plans[0].Changes[0].Args[2] = 7, 'b'
	if got, err = stores.One.Get(t.Context(), inc.ID); err != nil || got.Plans[0].Number != 1 || string(got.Plans[0].Changes[0].Args) != `{"a":1}` {
		t.Errorf("a change after an update shows inside: %+v, %v", got.Plans, err)
	}
}

// over: a call whose time is over says so, and has changed nothing.
func over(t *testing.T, stores Stores) {
	inc := create(t, stores.One)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	changed := inc
	changed.State = incident.Stopped
	for what, call := range map[string]func() error{
		"Create":    func() error { _, err := stores.One.Create(ctx, sample()); return err },
		"Get":       func() error { _, err := stores.One.Get(ctx, inc.ID); return err },
		"Update":    func() error { _, err := stores.One.Update(ctx, changed); return err },
		"List":      func() error { _, err := stores.One.List(ctx); return err },
		"Recent":    func() error { _, err := stores.One.Recent(ctx, at); return err },
		"Index":     func() error { _, err := stores.One.Index(ctx); return err },
		"Drop":      func() error { return stores.One.Drop(ctx, inc.ID, incident.Entry{At: at}) },
		"AddBundle": func() error { return stores.One.AddBundle(ctx, inc.ID, evidence.Bundle{}) },
		"Bundle":    func() error { _, err := stores.One.Bundle(ctx, inc.ID); return err },
	} {
		if err := call(); !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", what, err)
		}
	}
	all, err := stores.Other.List(t.Context())
	if err != nil || len(all) != 1 || all[0].Version != 1 {
		t.Errorf("after it: %+v, %v", all, err)
	}
	untouched(t, stores.Other, 1)
}
