package main

import (
	"context"
	"time"
)

// memoryStore keeps sessions in this process alone: another replica does not
// see them, and a restart loses them.
type memoryStore struct {
	now  func() time.Time
	ends map[string]time.Time // when a session is forgotten
}

func newMemoryStore(now func() time.Time) *memoryStore {
	return &memoryStore{now: now, ends: map[string]time.Time{}}
}

func (s *memoryStore) create(_ context.Context, id, _ string, ttl time.Duration) error {
	for old, end := range s.ends {
		if !s.now().Before(end) {
			delete(s.ends, old)
		}
	}
	s.ends[id] = s.now().Add(ttl)
	return nil
}

func (s *memoryStore) refresh(_ context.Context, id string, ttl time.Duration) (bool, error) {
	end, known := s.ends[id]
	if !known || !s.now().Before(end) {
		return false, nil
	}
	s.ends[id] = s.now().Add(ttl)
	return true, nil
}
