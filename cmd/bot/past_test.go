package main

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"redis-session-bot/internal/evidence"
	"redis-session-bot/internal/incident"
	"redis-session-bot/internal/runbook"
	"redis-session-bot/internal/store/bolt"
)

// TestPast reads what was before from a store that another process has open.
func TestPast(t *testing.T) {
	path := filepath.Join(t.TempDir(), "incidents.db")
	file, err := bolt.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	ada := incident.Actor{ID: "U1", Name: "Ada \x1b[2J"}
	for _, inc := range []incident.Incident{
		{State: incident.Closed, FixedAt: at.Add(4 * time.Minute), ClosedAt: at.Add(time.Hour), Judged: true,
			Verdict: runbook.Verdict{Causes: []runbook.Cause{{Scenario: "out-of-memory", Title: "Out of memory", Confidence: runbook.Certain}}},
			Plans:   []incident.Plan{{Number: 1, Action: "give it more memory", State: incident.Applied, Approved: ada, AppliedAt: at.Add(2 * time.Minute)}}},
		{State: incident.Walking},
	} {
		inc.Runbook, inc.Since, inc.Target = "redis-session", at, evidence.Target{Namespace: "shop", Workload: "sessions"}
		inc.Timeline = []incident.Entry{{At: at, Actor: ada, Text: "opened the incident"}}
		if _, err := file.Create(t.Context(), inc); err != nil {
			t.Fatal(err)
		}
	}
	config := configured(t, "store: {path: "+path+"}\ntargets: [{name: one, namespace: shop, workload: sessions}, {name: two, namespace: shop, workload: others}]")
	t.Setenv("TZ", "")
	for name, test := range map[string]struct {
		args []string
		code int
		want []string
	}{
		"report":             {[]string{"report", "inc-1", "--zone", "Europe/Berlin"}, 0, []string{"# INC-1: ", "| Cause | Out of memory — certain |", "| 2026-01-02 03:04:05 | 2026-01-02 04:04:05 | Ada"}},
		"report, open":       {[]string{"report", "INC-2"}, 0, []string{"| State | not fixed |", "| UTC | who | what |"}},
		"timeline":           {[]string{"timeline", "INC-1"}, 0, []string{"2 Jan 03:04:05  Ada", "opened the incident\n"}},
		"history":            {[]string{"history"}, 0, []string{"History of shop/sessions\n", "INC-1  2 Jan 2026 03:04 UTC, 4 min. Out of memory — certain. Fixed by “give it more memory” (plan 1, approved by Ada"}},
		"history of another": {[]string{"history", "two"}, 0, []string{"Nothing that is over is kept for this target."}},
		"no such incident":   {[]string{"report", "INC-9"}, exitUsage, nil},
		"no such target":     {[]string{"history", "three"}, exitUsage, nil},
		"no such zone":       {[]string{"timeline", "INC-1", "--zone", "Nowhere"}, exitUsage, nil},
		"no incident":        {[]string{"timeline"}, exitUsage, nil},
	} {
		t.Run(name, func(t *testing.T) {
			code, output := bot(t, append(test.args, "--config", config)...)
			if code != test.code || strings.Contains(output, "\x1b") {
				t.Errorf("exit %d:\n%q", code, output)
			}
			for _, want := range test.want {
				if !strings.Contains(output, want) {
					t.Errorf("%q is not in:\n%s", want, output)
				}
			}
			if test.code == 0 && strings.Contains(output, "INC-2  ") {
				t.Errorf("what is open is told as past:\n%s", output)
			}
		})
	}
	if code, output := bot(t, "report", "INC-1", "--config", configured(t, "store: {path: /nowhere/at.db}")); code != exitNoCluster {
		t.Errorf("no store: exit %d\n%s", code, output)
	}
}
