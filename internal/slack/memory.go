package slack

import (
	"sync"
	"time"
)

// memory remembers what has been worked on, since Slack delivers again what
// it thinks was not acknowledged. It forgets by generations, so that it is
// bounded in size and in age.
type memory struct {
	now func() time.Time

	mu       sync.Mutex
	since    time.Time // when the young generation began
	young    map[string]bool
	old      map[string]bool
	capacity int // of one generation
}

const (
	remembered  = 10 * time.Minute // at least; Slack gives up far sooner
	rememberMax = 5_000
)

func newMemory(now func() time.Time) *memory {
	return &memory{now: now, young: map[string]bool{}, capacity: rememberMax}
}

// first reports whether an ID comes for the first time. No ID is always the first.
func (m *memory) first(id string) bool {
	if id == "" {
		return true
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if now := m.now(); len(m.young) >= m.capacity || now.Sub(m.since) > remembered {
		m.old, m.young, m.since = m.young, map[string]bool{}, now
	}
	if m.young[id] || m.old[id] {
		return false
	}
	m.young[id] = true
	return true
}
