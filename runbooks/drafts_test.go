package runbooks_test

import (
	"strings"
	"testing"
	"time"

	"redis-session-bot/internal/evidence"
	"redis-session-bot/internal/runbook"
)

// TestDraftsSayOnlyWhatIsKnown fills the drafts with nothing known, and with numbers.
func TestDraftsSayOnlyWhatIsKnown(t *testing.T) {
	book := load(t)
	began := time.Date(2026, 1, 2, 3, 0, 0, 0, time.UTC)
	nothing := evidence.Read(evidence.Bundle{}, book.Target)
	fell := nothing
	fell.History = evidence.History{Known: true, KeysBefore: 12_403, KeysAfter: 0, MostKeys: 13_000, FellAt: began}
	long := fell // a fall of another time
	long.History.FellAt = began.Add(-24 * time.Hour)
	unknown := runbook.Told{Incident: "INC-7", Began: began, Held: -1, Promised: -1}
	kept, lost := unknown, unknown
	kept.Promised, kept.Mended = 12_400, began.Add(12*time.Minute)
	lost.Promised = 0
	for name, test := range map[string]struct {
		draft    string
		seen     evidence.Evidence
		told     runbook.Told
		has, not string
	}{
		"nothing is known":      {"users", nothing, unknown, "since 2 Jan 03:00 UTC", "sessions"},
		"a fall was seen":       {"users", fell, unknown, "Before, there were about 12403 sessions; 0 were left right after.", "kept"},
		"it fell long ago":      {"users", long, unknown, "disturbed", "Before"},
		"sessions are kept":     {"users", nothing, kept, "About 12400 sessions are kept.", "No session"},
		"it works again":        {"users", nothing, kept, "It has worked again since 2 Jan 03:12 UTC.", "No session"},
		"none is kept":          {"users", nothing, lost, "No session could be kept", "About"},
		"a list without number": {"reauth", nothing, unknown, "[ ] Support knows what to answer.", "%d"},
		"a list with numbers":   {"reauth", fell, kept, "Most sessions lately, so as many sign-ins may come: 13000", "maxmemory"},
	} {
		t.Run(name, func(t *testing.T) {
			letter, ok := book.Letter(test.draft)
			if !ok {
				t.Fatalf("there is no draft %s", test.draft)
			}
			if got := letter.Fill(test.seen, test.told); !strings.Contains(got, test.has) || strings.Contains(got, test.not) {
				t.Errorf("it must say %q and not %q:\n%s", test.has, test.not, got)
			}
		})
	}
}
