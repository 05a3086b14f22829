// Package memory keeps incidents in the process: they are gone when it ends.
//
// It is for the terminal, for tests and for trying the bot out.
package memory

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"

	"redis-session-bot/internal/evidence"
	"redis-session-bot/internal/incident"
)

// Store is an incident.Store in memory. The zero value is empty and ready.
type Store struct {
	mu      sync.Mutex
	order   []string
	records map[string]json.RawMessage
	bundles map[string]evidence.Bundle
}

var _ incident.Store = (*Store)(nil)

// Create stores a new incident under the next ID.
func (s *Store) Create(_ context.Context, inc incident.Incident) (incident.Incident, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	inc.ID, inc.Version = fmt.Sprintf("INC-%d", len(s.order)+1), 1
	if err := s.put(inc); err != nil {
		return incident.Incident{}, err
	}
	s.order = append(s.order, inc.ID)
	return s.get(inc.ID)
}

// Get returns one incident, or incident.ErrNotFound.
func (s *Store) Get(_ context.Context, id string) (incident.Incident, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.get(id)
}

// Update stores inc if nobody has since it was read, or incident.ErrConflict.
func (s *Store) Update(_ context.Context, inc incident.Incident) (incident.Incident, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
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
	return s.get(inc.ID)
}

// List returns all incidents, oldest first.
func (s *Store) List(context.Context) ([]incident.Incident, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]incident.Incident, 0, len(s.order))
	for _, id := range s.order {
		inc, err := s.get(id)
		if err != nil {
			return nil, err
		}
		all = append(all, inc)
	}
	return all, nil
}

// SaveBundle keeps what was read for an incident.
func (s *Store) SaveBundle(_ context.Context, id string, bundle evidence.Bundle) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.bundles == nil {
		s.bundles = map[string]evidence.Bundle{}
	}
	s.bundles[id] = bundle.Clone()
	return nil
}

// Bundle returns what was read for an incident, the empty one for nothing.
func (s *Store) Bundle(_ context.Context, id string) (evidence.Bundle, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	bundle := s.bundles[id]
	return bundle.Clone(), nil
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
