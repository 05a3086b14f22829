// Package memory keeps incidents in the process: they are gone when it ends.
//
// It is for the terminal, for tests and for trying the bot out.
package memory

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"slices"
	"sync"
	"time"

	"redis-session-bot/internal/chain"
	"redis-session-bot/internal/evidence"
	"redis-session-bot/internal/incident"
)

// Store is an incident.Store in memory. The zero value is empty and ready.
type Store struct {
	mu      sync.Mutex
	given   int // IDs
	order   []string
	records map[string]json.RawMessage
	bundles map[string]evidence.Bundle
	trail   []chain.Entry
}

var (
	_ incident.Store = (*Store)(nil)
	_ chain.Trail    = (*Store)(nil)
)

// Create stores a new incident under the next ID.
func (s *Store) Create(ctx context.Context, inc incident.Incident) (incident.Incident, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return incident.Incident{}, err
	}
	inc.ID, inc.Version = fmt.Sprintf("INC-%d", s.given+1), 1
	if err := s.put(inc); err != nil {
		return incident.Incident{}, err
	}
	s.given++
	s.order = append(s.order, inc.ID)
	s.chain(chain.Lines(inc, 0))
	return s.get(inc.ID)
}

// Get returns one incident, or incident.ErrNotFound.
func (s *Store) Get(ctx context.Context, id string) (incident.Incident, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return incident.Incident{}, err
	}
	return s.get(id)
}

// Update stores inc if nobody has since it was read, or incident.ErrConflict.
func (s *Store) Update(ctx context.Context, inc incident.Incident) (incident.Incident, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return incident.Incident{}, err
	}
	stored, err := s.get(inc.ID)
	if err != nil {
		return incident.Incident{}, err
	}
	if stored.Version != inc.Version {
		return incident.Incident{}, fmt.Errorf("update %s: %w", inc.ID, incident.ErrConflict)
	}
	inc.Version++
	if err := s.put(inc); err != nil {
		return incident.Incident{}, err
	}
	s.chain(chain.Lines(inc, len(stored.Timeline)))
	return s.get(inc.ID)
}

// List returns all incidents, oldest first.
func (s *Store) List(ctx context.Context) ([]incident.Incident, error) {
	return s.those(ctx, func(incident.Incident) bool { return true })
}

// Recent returns those that do not rest, and those closed since then; none of
// those for the zero time.
func (s *Store) Recent(ctx context.Context, since time.Time) ([]incident.Incident, error) {
	return s.those(ctx, func(inc incident.Incident) bool {
		return !inc.Rests() || !since.IsZero() && !inc.ClosedAt.Before(since)
	})
}

func (s *Store) those(ctx context.Context, wanted func(incident.Incident) bool) ([]incident.Incident, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	var all []incident.Incident
	for _, id := range s.order {
		inc, err := s.get(id)
		if err != nil {
			return nil, err
		}
		if wanted(inc) {
			all = append(all, inc)
		}
	}
	return all, nil
}

// Index lists what is kept.
func (s *Store) Index(ctx context.Context) ([]incident.Brief, error) {
	all, err := s.List(ctx)
	var index []incident.Brief
	for _, inc := range all {
		brief := incident.Brief{ID: inc.ID}
		if !inc.Open() {
			brief.ClosedAt = inc.ClosedAt
		}
		index = append(index, brief)
	}
	return index, err
}

// Drop forgets an incident and its evidence.
func (s *Store) Drop(ctx context.Context, id string, why incident.Entry) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return err
	}
	inc, err := s.get(id)
	if err != nil {
		return err
	}
	s.chain([]chain.Entry{chain.Gone(id, len(inc.Timeline), why)})
	delete(s.records, id)
	delete(s.bundles, id)
	s.order = slices.DeleteFunc(s.order, func(other string) bool { return other == id })
	return nil
}

// AddBundle adds what was read for an incident.
func (s *Store) AddBundle(ctx context.Context, id string, part evidence.Bundle) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return err
	}
	if _, err := s.get(id); err != nil {
		return err
	}
	whole := s.bundles[id]
	whole.Add(part.Clone())
	if s.bundles == nil {
		s.bundles = map[string]evidence.Bundle{}
	}
	s.bundles[id] = whole
	return nil
}

// Bundle returns what was read for an incident, the empty one for nothing.
func (s *Store) Bundle(ctx context.Context, id string) (evidence.Bundle, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	bundle := s.bundles[id]
	return bundle.Clone(), ctx.Err()
}

// Trail gives the audit trail.
func (s *Store) Trail(context.Context) iter.Seq2[chain.Entry, error] {
	s.mu.Lock()
	defer s.mu.Unlock()
	entries := slices.Clone(s.trail)
	return func(yield func(chain.Entry, error) bool) {
		for _, entry := range entries {
			if !yield(entry, nil) {
				return
			}
		}
	}
}

// Head gives the newest entry's.
func (s *Store) Head(context.Context) (chain.Head, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.head(), nil
}

func (s *Store) head() chain.Head {
	if len(s.trail) == 0 {
		return chain.Head{}
	}
	return s.trail[len(s.trail)-1].Head()
}

func (s *Store) chain(entries []chain.Entry) {
	for _, entry := range entries {
		s.trail = append(s.trail, s.head().Next(entry))
	}
}

// put keeps a copy: nobody holds a pointer into the store.
func (s *Store) put(inc incident.Incident) error {
	data, err := json.Marshal(inc)
	if err != nil {
		return fmt.Errorf("store %s: %w", inc.ID, err)
	}
	if s.records == nil {
		s.records = map[string]json.RawMessage{}
	}
	s.records[inc.ID] = data
	return nil
}

func (s *Store) get(id string) (incident.Incident, error) {
	data, ok := s.records[id]
	if !ok {
		return incident.Incident{}, fmt.Errorf("%s: %w", id, incident.ErrNotFound)
	}
	var inc incident.Incident
	if err := json.Unmarshal(data, &inc); err != nil {
		return incident.Incident{}, fmt.Errorf("read %s: %w", id, err)
	}
	return inc, nil
}
