package slack

import (
	"sync"
	"time"
)

// memory remembers what has been worked on, since Slack delivers again what
// it thinks was not acknowledged.
type memory struct {
	now func() time.Time

	mu   sync.Mutex
	seen map[string]time.Time
}

const (
	remembered  = 10 * time.Minute
	rememberMax = 10_000
)

func newMemory(now func() time.Time) *memory {
	return &memory{now: now, seen: map[string]time.Time{}}
}

// first reports whether an ID comes for the first time. No ID is always the first.
func (m *memory) first(id string) bool {
	if id == "" {
		return true
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.now()
	if _, again := m.seen[id]; again {
		return false
	}
	if len(m.seen) >= rememberMax {
		for old, at := range m.seen {
			if now.Sub(at) > remembered {
				delete(m.seen, old)
			}
		}
	}
	m.seen[id] = now
	return true
}
