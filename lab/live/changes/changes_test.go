// Package changes holds every kind of change against what goes wrong around a
// click, on a real Kubernetes and a real Redis: two people at once, somebody else's
// edit, an old plan, the wrong person, a missing permission, an API server that is
// gone, and a bot that dies. Nothing is done twice, and nothing is said by half.
//
// The bot's own service runs here, over its own file; package trouble presses the
// buttons in Slack.
package changes

import (
	"flag"
	"maps"
	"os"
	"slices"
	"testing"

	"redis-session-bot/internal/k8s"
)

// TestMain tries more stores at once than there are cores: they mostly wait.
func TestMain(m *testing.M) {
	flag.Parse()
	if err := flag.Set("test.parallel", "4"); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}

// sample is what -short tries: an edit, a pod, and a command.
var sample = []string{"edit-redis-config", "delete-pods", "promote"}

// TestEveryKindHasARow: a change that is new has to be held against all of it, too.
func TestEveryKindHasARow(t *testing.T) {
	var kinds []string
	for _, ward := range wards() {
		for _, r := range ward.rows {
			kinds = append(kinds, r.kind)
		}
	}
	slices.Sort(kinds)
	if all := slices.Sorted(maps.Keys(k8s.Changes())); !slices.Equal(kinds, all) {
		t.Errorf("there are rows for %q, and changes %q", kinds, all)
	}
	for _, kind := range sample {
		if !slices.Contains(kinds, kind) {
			t.Errorf("the sample names %s, which has no row", kind)
		}
	}
}

// TestTheDocumentLoads: each ward's runbook passes what bot lint asks of one.
func TestTheDocumentLoads(t *testing.T) {
	for _, one := range wards() {
		if _, err := document(&ward{target: targetIn("sessions")}, one.rows); err != nil {
			t.Errorf("%s: %v", one.name, err)
		}
	}
}

// TestChanges is the table: a row for each kind, a column for each trouble.
func TestChanges(t *testing.T) {
	for _, one := range wards() {
		rows := one.rows
		if testing.Short() {
			rows = slices.DeleteFunc(slices.Clone(rows), func(r row) bool { return !slices.Contains(sample, r.kind) })
		}
		if len(rows) == 0 {
			continue
		}
		t.Run(one.name, func(t *testing.T) {
			t.Parallel()
			w := admit(t, one.name, one.shape, rows)
			for _, r := range rows {
				w.run(r.kind, func() { w.try(r) })
			}
		})
	}
}

// try holds one kind of change against every trouble.
func (w *ward) try(r row) {
	if r.once != nil {
		r.once(w)
	}
	w.grant()
	for _, trouble := range []struct {
		name string
		is   func(*ward, row)
	}{
		{"missing permission", (*ward).missesAPermission},
		{"wrong role, old plan, drift", (*ward).isRefused},
		{"double click", (*ward).isClickedTwice},
		{"the API server goes before the write arrives", (*ward).losesTheWrite},
		{"the API server goes before its answer arrives", (*ward).losesTheAnswer},
		{"the bot is killed", (*ward).isKilled},
	} {
		if !w.run(trouble.name, func() { trouble.is(w, r) }) {
			return // what comes after it would find a store that nobody knows
		}
	}
}
