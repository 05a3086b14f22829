package main

import (
	"context"
	crand "crypto/rand"
	"encoding/hex"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"time"
)

// remembered is how many sessions one replica comes back to.
const remembered = 32

// store keeps sessions.
type store interface {
	// create keeps a new session for ttl.
	create(ctx context.Context, id, session string, ttl time.Duration) error
	// refresh reads a session and lets it live for another ttl. Found is false
	// when the store does not know it.
	refresh(ctx context.Context, id string, ttl time.Duration) (found bool, err error)
}

// traffic is what users do: now one signs in, now one comes back.
type traffic struct {
	store  store
	ttl    time.Duration
	out    io.Writer
	newID  func() string
	choose func(n int) int // an index below n

	known []string // the newest sessions, oldest first
}

// run does one thing per tick until ctx ends.
func (t *traffic) run(ctx context.Context, ticks <-chan time.Time) {
	for {
		t.step(ctx)
		select {
		case <-ctx.Done():
			return
		case <-ticks:
		}
	}
}

// step signs somebody in and, where somebody is known, lets one come back.
func (t *traffic) step(ctx context.Context) {
	id := t.newID()
	session := fmt.Sprintf(`{"id":%q,"user":"user-%s","scopes":["chat"]}`, id, id[:6])
	if err := t.store.create(ctx, id, session, t.ttl); err != nil {
		t.complain(ctx, err)
		return
	}
	fmt.Fprintf(t.out, "session %s created\n", id)
	if len(t.known) > 0 {
		t.comeBack(ctx, t.known[t.choose(len(t.known))])
	}
	t.known = append(t.known, id)
	if len(t.known) > remembered {
		t.known = t.known[1:]
	}
}

func (t *traffic) comeBack(ctx context.Context, id string) {
	found, err := t.store.refresh(ctx, id, t.ttl)
	switch {
	case err != nil:
		t.complain(ctx, err)
	case !found:
		fmt.Fprintf(t.out, "session %s not found, its user has to sign in again\n", id)
		t.forget(id)
	default:
		fmt.Fprintf(t.out, "session %s refreshed\n", id)
	}
}

func (t *traffic) forget(id string) {
	for i, known := range t.known {
		if known == id {
			t.known = append(t.known[:i], t.known[i+1:]...)
			return
		}
	}
}

// complain prints the error as the client gave it, named once by its source.
func (t *traffic) complain(ctx context.Context, err error) {
	if ctx.Err() != nil {
		return // the end of the program is not the store's fault
	}
	fmt.Fprintf(t.out, "redis: %s\n", strings.TrimPrefix(err.Error(), "redis: "))
}

func randomID() string {
	var b [8]byte
	_, _ = crand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}

func choose(n int) int { return rand.IntN(n) }
