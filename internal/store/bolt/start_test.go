package bolt_test

import (
	"runtime"
	"strings"
	"testing"
	"time"

	"redis-session-bot/internal/incident"
)

// TestAStartWithManyIncidents: what a start reads of 10,000 kept incidents, 50 of
// them open, costs what the open ones cost.
func TestAStartWithManyIncidents(t *testing.T) {
	const kept, opened = 10_000, 50
	path, ctx := newPath(t), t.Context()
	store := open(t, path)
	text := strings.Repeat("a line of a log that somebody has looked at\n", 100)
	err := store.Fill(ctx, kept, func(n int) incident.Incident {
		inc := incident.Incident{Runbook: "queue", State: incident.Walking, Since: began,
			Steps: []incident.Step{{ID: "logs", Raw: text}}, Timeline: []incident.Entry{entry("opened"), entry("ran every step")}}
		if n%(kept/opened) != 0 {
			inc.State, inc.ClosedAt = incident.Closed, began.Add(time.Duration(n)*time.Minute)
		}
		return inc
	})
	if err != nil {
		t.Fatal(err)
	}
	closed(t, store)

	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	start := time.Now()
	store = open(t, path)
	defer closed(t, store)
	all, err := store.Recent(ctx, began.Add(kept*time.Minute))
	if err != nil || len(all) != opened {
		t.Fatalf("%d are open, not %d, %v", len(all), opened, err)
	}
	took := time.Since(start)
	runtime.ReadMemStats(&after)
	if index, err := store.Index(ctx); err != nil || len(index) != kept {
		t.Errorf("%d are kept, not %d, %v", len(index), kept, err)
	}
	allocated := (after.TotalAlloc - before.TotalAlloc) >> 20
	t.Logf("%s of %d MB: %s, %d MB allocated", path, sizeOf(t, path)>>20, took.Round(time.Millisecond), allocated)
	if took > 2*time.Second {
		t.Errorf("a start takes %s", took)
	}
	if allocated > 20 {
		t.Errorf("a start allocates %d MB", allocated)
	}
}
