package incident_test

import (
	"errors"
	"testing"
	"time"

	"redis-session-bot/internal/chain"
	"redis-session-bot/internal/incident"
	"redis-session-bot/internal/store/memory"
)

// TestTidy drops what is kept long enough, with a line in the audit trail, and
// nothing that is open.
func TestTidy(t *testing.T) {
	now := time.Date(2026, 1, 31, 0, 0, 0, 0, time.UTC)
	store := &memory.Store{}
	for _, state := range []incident.State{incident.Closed, incident.Fixed, incident.Closed} {
		inc := incident.Incident{State: state, Since: now.Add(-100 * time.Hour), Timeline: []incident.Entry{{At: now, Text: "opened"}}}
		if state == incident.Closed {
			inc.ClosedAt = now.Add(-90 * time.Hour)
		}
		if _, err := store.Create(t.Context(), inc); err != nil {
			t.Fatal(err)
		}
	}
	s := &incident.Service{Store: store, Now: func() time.Time { return now }}
	for _, want := range []int{2, 0} {
		if dropped, err := s.Tidy(t.Context(), incident.Keep{Age: 48 * time.Hour}); err != nil || dropped != want {
			t.Errorf("dropped %d, not %d, %v", dropped, want, err)
		}
	}
	if _, err := store.Get(t.Context(), "INC-1"); !errors.Is(err, incident.ErrNotFound) {
		t.Errorf("it is there: %v", err)
	}
	report, err := chain.Verify(t.Context(), store, store)
	if err != nil || len(report.Troubles) > 0 || report.Entries != 5 {
		t.Errorf("%+v, %v", report, err)
	}
	for entry := range store.Trail(t.Context()) {
		if entry.Gone && (entry.Text != "dropped the incident: closed more than 2 days ago" || entry.Actor != "bot") {
			t.Errorf("%+v", entry)
		}
	}
}
