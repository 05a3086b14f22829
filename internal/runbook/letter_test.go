package runbook_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"redis-session-bot/internal/evidence"
	"redis-session-bot/internal/runbook"
)

const letters = front + step + `## Drafts
### To users
` + "```yaml" + `
id: users
text: |
  ${incident}: orders wait since ${began}.

  The cause: ${cause}.
  Mended: ${mended}.
  Held: ${held}.
  Kept: ${promised}.
  ${size(pods) > 1 ? 'Two' : ''}
  ${pods[3].name}
  Revisions: ${size(revisions)}
  Since ${string(since)}
` + "```\n"

func TestALetterLeavesOutWhatIsNotKnown(t *testing.T) {
	book, err := runbook.Load("x.md", []byte(letters), vocabulary())
	if err != nil {
		t.Fatal(err)
	}
	letter, ok := book.Letter("users")
	if !ok || letter.Title != "To users" {
		t.Fatalf("%t, %+v", ok, letter)
	}
	if _, ok := book.Letter("nobody"); ok {
		t.Error("there is a letter that nobody wrote")
	}
	began := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	seen := evidence.Evidence{Pods: []evidence.Pod{{Name: "queue-0"}}, Unknown: map[string]string{"revisions": "not read"}}
	known := seen
	known.Pods, known.Unknown = make([]evidence.Pod, 4), nil
	for name, test := range map[string]struct {
		seen evidence.Evidence
		told runbook.Told
		want string
	}{
		"little is known": {seen, runbook.Told{Incident: "INC-7", Began: began, Held: -1, Promised: -1},
			"INC-7: orders wait since 2 Jan 03:04 UTC.\n\nSince 2026-01-02T03:04:05Z"},
		"all is known": {known, runbook.Told{Incident: "INC-7", Began: began, Mended: began.Add(time.Hour), Cause: "Full", Held: 0, Promised: 7},
			"INC-7: orders wait since 2 Jan 03:04 UTC.\n\nThe cause: Full.\nMended: 2 Jan 04:04 UTC.\nHeld: 0.\nKept: 7.\nTwo\nRevisions: 0\nSince 2026-01-02T03:04:05Z"},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, letter.Fill(test.seen, test.told)); diff != "" {
				t.Errorf("want (-), got (+):\n%s", diff)
			}
		})
	}
}
