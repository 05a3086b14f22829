package kube_test

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"redis-session-bot/internal/incident"
	"redis-session-bot/internal/store/kube"
	"redis-session-bot/internal/store/kube/kubetest"
)

// ear is what a watch has told.
type ear struct {
	t  *testing.T
	mu sync.Mutex
	of []string
}

func (e *ear) hear(id string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.of = append(e.of, id)
}

func (e *ear) heard(id string) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Contains(e.of, id)
}

// until waits until it has heard of an incident, and forgets.
func (e *ear) until(id string) {
	e.t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for !e.heard(id) {
		if time.Now().After(deadline) {
			e.t.Fatalf("nobody tells of %s", id)
		}
		time.Sleep(5 * time.Millisecond) // the watch runs on its own
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.of = nil
}

func TestWatch(t *testing.T) {
	server := kubetest.Start(t)
	store, other := kube.New(server.Clients(t), namespace), kube.New(server.Clients(t), namespace)
	before := create(t, other)
	own := create(t, store)
	ctx, cancel := context.WithCancel(t.Context())
	ended, e := make(chan struct{}), &ear{t: t}
	go func() { store.Watch(ctx, e.hear); close(ended) }()
	e.until(before.ID) // it may have changed while nobody watched

	add(t, store, own.ID, "by this process")
	add(t, other, before.ID, "by another")
	e.until(before.ID)
	if e.heard(own.ID) {
		t.Error("its own change is told")
	}
	add(t, other, own.ID, "by another")
	e.until(own.ID)
	fresh := create(t, other)
	e.until(fresh.ID)

	// What is closed while the watch is deaf is told, too, and what is changed.
	for _, deafen := range []func(){server.EndWatches, func() { server.ForgetEvents(); server.EndWatches() }} {
		deafen()
		add(t, other, before.ID, "meanwhile")
		e.until(before.ID)
	}
	server.EndWatches()
	closing := add(t, other, fresh.ID, "is to be closed")
	closing.State, closing.ClosedAt = incident.Closed, began
	if _, err := other.Update(t.Context(), closing); err != nil {
		t.Fatal(err)
	}
	e.until(fresh.ID)

	cancel()
	select {
	case <-ended:
	case <-time.After(30 * time.Second):
		t.Error("the watch does not end")
	}
}
