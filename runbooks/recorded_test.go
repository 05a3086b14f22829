package runbooks_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"redis-session-bot/internal/evidence"
)

const (
	bundles = "testdata/bundles"
	table   = "../docs/verdicts.md"
)

// TestRecorded judges the recorded bundle of every fault again. Its name says
// what was done, and the table of the docs what the bot said.
func TestRecorded(t *testing.T) {
	book := load(t)
	document, err := os.ReadFile(table)
	if err != nil {
		t.Fatal(err)
	}
	rows := rowsOf(string(document))
	entries, err := os.ReadDir(bundles)
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		t.Run(entry.Name(), func(t *testing.T) {
			row, ok := rows[entry.Name()]
			if !ok {
				t.Fatalf("%s has no row for it: run make verdicts", table)
			}
			bundle, err := evidence.Open(filepath.Join(bundles, entry.Name()))
			if err != nil {
				t.Fatal(err)
			}
			verdict := book.Judge(evidence.Read(bundle, book.Target))
			if len(verdict.Causes) == 0 {
				t.Fatal("no cause is named")
			}
			first := verdict.Causes[0]
			cause, _, _ := strings.Cut(row.fault, "/")
			if first.Scenario != cause || row.verdict != cause || string(first.Confidence) != row.confidence {
				t.Errorf("done: %s; said: %s, %s; the docs: %s, %s", row.fault, first.Scenario, first.Confidence, row.verdict, row.confidence)
				t.Logf("%+v", verdict.Causes)
			}
		})
	}
	if len(rows) != len(entries) {
		t.Errorf("%s has %d rows, %s has %d bundles", table, len(rows), bundles, len(entries))
	}
}

type verdictRow struct{ fault, verdict, confidence string }

// rowsOf reads the table of the docs, by the names of the bundles.
func rowsOf(document string) map[string]verdictRow {
	rows := map[string]verdictRow{}
	for line := range strings.Lines(document) {
		cells := strings.Split(line, "|")
		if len(cells) < 6 || !strings.HasPrefix(line, "| `") {
			continue
		}
		row := verdictRow{strings.Trim(cells[1], " `"), strings.TrimSpace(cells[3]), strings.TrimSpace(cells[4])}
		rows[strings.ReplaceAll(row.fault, "/", "-")+"-"+strings.TrimSpace(cells[2])] = row
	}
	return rows
}
