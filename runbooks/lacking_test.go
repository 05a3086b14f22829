package runbooks_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"redis-session-bot/internal/evidence"
	"redis-session-bot/internal/runbook"
)

// firstStep is what the first step of the diagnosis reads.
var firstStep = []string{"meta.json", "deployments.json", "statefulsets.json", "replicasets.json", "pods.json", "events.json", "controllerrevisions.json"}

// TestNothingWrongIsCertain: whatever a recorded bundle lacks, and with the first
// step alone, a verdict that is certain is the right one.
func TestNothingWrongIsCertain(t *testing.T) {
	book := load(t)
	document, err := os.ReadFile(table)
	if err != nil {
		t.Fatal(err)
	}
	for name, row := range rowsOf(string(document)) {
		t.Run(name, func(t *testing.T) {
			folder, aside := t.TempDir(), t.TempDir()
			if err := os.CopyFS(folder, os.DirFS(filepath.Join(bundles, name))); err != nil {
				t.Fatal(err)
			}
			entries, err := os.ReadDir(folder)
			if err != nil {
				t.Fatal(err)
			}
			cause, _, _ := strings.Cut(row.fault, "/")
			judge := func(without string, has func(string) bool) {
				for _, entry := range entries {
					from, to := folder, aside
					if has(entry.Name()) {
						from, to = aside, folder
					}
					err := os.Rename(filepath.Join(from, entry.Name()), filepath.Join(to, entry.Name()))
					if err != nil && !errors.Is(err, fs.ErrNotExist) { // it is where it belongs
						t.Fatal(err)
					}
				}
				bundle, err := evidence.Open(folder)
				if err != nil {
					t.Fatal(err)
				}
				verdict := book.Judge(evidence.Read(bundle, book.Target))
				if len(verdict.Causes) > 0 && verdict.Causes[0].Confidence == runbook.Certain && verdict.Causes[0].Scenario != cause {
					t.Errorf("%s: %s, certain: %q", without, verdict.Causes[0].Scenario, verdict.Causes[0].Because)
				}
			}
			for _, left := range entries {
				judge("without "+left.Name(), func(file string) bool { return file != left.Name() })
			}
			judge("the first step alone", func(file string) bool { return slices.Contains(firstStep, file) })
		})
	}
}
