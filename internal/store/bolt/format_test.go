package bolt_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"redis-session-bot/internal/chain"
	"redis-session-bot/internal/incident"
)

// old gives a copy of a file that a bot of format 1 has written: INC-1 is closed,
// INC-2 is not fixed, INC-3 is being walked.
func old(t *testing.T) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", "format-1.db"))
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "incidents.db")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestAnOlderFileIsBroughtToThisFormat(t *testing.T) {
	path, ctx := old(t), t.Context()
	for range 2 { // the second time it is of this format
		store := open(t, path)
		all, err := store.List(ctx)
		if err != nil || len(all) != 3 {
			t.Fatalf("%d incidents, %v", len(all), err)
		}
		grace := incident.Actor{ID: "U2", Name: "Grace"}
		want := []incident.Entry{{At: all[0].Since, Actor: incident.Actor{ID: "U1", Name: "Ada"}, Text: "opened the incident for shop/sessions"},
			{At: all[0].Since.Add(time.Minute), Actor: grace, Text: "took over from Ada"}, {At: all[0].ClosedAt, Actor: grace, Text: "closed the incident"}}
		if diff := cmp.Diff(want, all[0].Timeline); diff != "" || all[0].State != incident.Closed || all[1].State != incident.NotFixed || all[2].Shown["incident"] == "" {
			t.Errorf("%+v\n%s", all, diff)
		}
		for _, inc := range all {
			if bundle, err := store.Bundle(ctx, inc.ID); err != nil || len(bundle.Logs) != 1 || bundle.Logs[0].Text != "said of "+inc.ID {
				t.Errorf("evidence of %s: %+v, %v", inc.ID, bundle, err)
			}
		}
		recent, err := store.Recent(ctx, all[0].ClosedAt.Add(time.Second))
		if err != nil || len(recent) != 2 || recent[0].ID != "INC-2" {
			t.Errorf("recent: %+v, %v", recent, err)
		}
		report, err := chain.Verify(ctx, store, store)
		if err != nil || len(report.Troubles) > 0 || report.Entries != 7 || report.Incidents != 3 {
			t.Errorf("the trail: %+v, %v", report, err)
		}
		closed(t, store)
	}
	store := kept(t, path)
	if next := create(t, store); next.ID != "INC-4" {
		t.Errorf("the next one is %s", next.ID)
	}
}

// TestAnOlderFileWithDamage loses what is damaged and nothing else.
func TestAnOlderFileWithDamage(t *testing.T) {
	path := old(t)
	change(t, path, "incidents", flip)
	store := kept(t, path)
	all, err := store.List(t.Context())
	if err != nil || len(all) != 2 || all[0].ID != "INC-2" {
		t.Errorf("%+v, %v", all, err)
	}
	if _, err := store.Get(t.Context(), "INC-1"); err == nil {
		t.Error("what is damaged is read")
	}
}
