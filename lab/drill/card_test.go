package drill

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"redis-session-bot/internal/incident"
	"redis-session-bot/internal/runbook"
)

var began = time.Date(2026, 1, 2, 3, 4, 0, 0, time.UTC)

func at(seconds int) time.Time { return began.Add(time.Duration(seconds) * time.Second) }

var (
	practised = Drill{Fault: "volume/lost", Cause: "volume", Target: "staging", Began: began}
	ada       = incident.Actor{ID: "U1", Name: "Ada"}
)

// wandered is an incident with every kind of wrong turn.
func wandered() incident.Incident {
	return incident.Incident{ID: "INC-7", Place: incident.Place{Channel: "C1"}, State: incident.Fixed, FixedAt: at(600),
		Timeline: []incident.Entry{{At: at(20), Actor: incident.Alertmanager(), Text: "opened the incident"}, {At: at(45), Actor: ada, Text: "ran all"}},
		Judgements: []incident.Judgement{
			{Scenario: "crash-loop", Title: "Crash loop", Confidence: runbook.Likely, At: at(21)},
			{Scenario: "bad-rollout", Title: "Bad rollout", Confidence: runbook.Certain, At: at(23)},
			{Scenario: "volume", Title: "Volume", Confidence: runbook.Certain, At: at(50)},
			{Scenario: "emptied", Title: "Sessions are gone", Confidence: runbook.Likely, At: at(650)}},
		Plans: []incident.Plan{
			{Number: 1, Action: "restart the store", State: incident.Undone, AppliedAt: at(100)},
			{Number: 2, Action: "undo plan 1", State: incident.Applied, Undoes: 1, AppliedAt: at(130)},
			{Number: 3, Action: "use memory", State: incident.Failed, AppliedAt: at(200), Trouble: "the API server refused it."},
			{Number: 4, Action: "never approved", State: incident.Cancelled},
			{Number: 5, Action: "give it more memory", State: incident.Applied, AppliedAt: at(300)},
			{Number: 6, Action: "make a new claim", State: incident.Applied, AppliedAt: at(500)}}}
}

func TestScore(t *testing.T) {
	straight := wandered()
	straight.Judgements, straight.Plans = straight.Judgements[2:3], straight.Plans[5:]
	lost := wandered()
	lost.FixedAt, lost.State, lost.Judgements, lost.Plans = time.Time{}, incident.Walking, nil, nil
	early := straight
	early.Judgements = []incident.Judgement{{Scenario: "volume", At: at(-1)}}
	for name, test := range map[string]struct {
		inc  incident.Incident
		want Card
	}{
		"wrong turns": {wandered(), Card{Drill: practised, Incident: "INC-7", Channel: "C1", Acknowledged: 45 * time.Second, Right: 50 * time.Second, Fixed: 10 * time.Minute,
			Wrong: []string{"the verdict was Bad rollout — certain", "plan 1 (restart the store) was undone",
				"plan 3 (use memory) did not end well: the API server refused it.", "plan 5 (give it more memory) was not enough: plan 6 followed"}}},
		"straight":   {straight, Card{Drill: practised, Incident: "INC-7", Channel: "C1", Acknowledged: 45 * time.Second, Right: 50 * time.Second, Fixed: 10 * time.Minute}},
		"no end":     {lost, Card{Drill: practised, Incident: "INC-7", Channel: "C1", Acknowledged: 45 * time.Second}},
		"nobody":     {incident.Incident{}, Card{Drill: practised}},
		"two clocks": {early, Card{Drill: practised, Incident: "INC-7", Channel: "C1", Acknowledged: 45 * time.Second, Right: time.Second, Fixed: 10 * time.Minute}},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, Score(practised, test.inc)); diff != "" {
				t.Errorf("want (-), got (+):\n%s", diff)
			}
		})
	}
}

// TestShow: what people and models have written breaks neither a table nor a
// message, and a card fits into one.
func TestShow(t *testing.T) {
	card := Score(practised, wandered())
	card.Wrong = append(card.Wrong, "a | b\n<!channel> "+strings.Repeat("long ", 500))
	page := card.Markdown()
	for _, want := range []string{"## Drill of 2 January 2026 03:04 UTC: volume/lost on staging", "| Right verdict | after 50 s |", "| Verified fix | after 10 min |", "- plan 1 (restart the store) was undone", `- a \| b <!channel>`} {
		if !strings.Contains(page, want) {
			t.Errorf("no %q in\n%s", want, page)
		}
	}
	for range 20 {
		card.Wrong = append(card.Wrong, strings.Repeat("w", 400))
	}
	blocks, err := json.Marshal(card.Blocks())
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(blocks), "mrkdwn") {
		t.Errorf("somebody's words could be a mention: %s", blocks)
	}
	for _, block := range card.Blocks() {
		var all struct {
			Text   struct{ Text string }
			Fields []struct{ Text string }
		}
		data, _ := json.Marshal(block)
		if err := json.Unmarshal(data, &all); err != nil {
			t.Fatal(err)
		}
		if len(all.Text.Text) > 3000 || len(all.Fields) > 10 {
			t.Errorf("too long for Slack: %s", data)
		}
	}
	if none := (Card{Drill: practised}).Markdown(); !strings.Contains(none, "| Acknowledged | never |") || !strings.Contains(none, "- no incident was opened") {
		t.Errorf("nobody came:\n%s", none)
	}
}

func TestKeep(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "drills")
	for _, card := range []Card{{Drill: practised}, Score(Drill{Fault: "out-of-memory", Cause: "out-of-memory", Target: "staging", Began: began.Add(time.Hour)}, wandered())} {
		if _, err := Keep(folder, card); err != nil {
			t.Fatal(err)
		}
	}
	table, err := os.ReadFile(filepath.Join(folder, "drills.md"))
	if err != nil {
		t.Fatal(err)
	}
	rows := strings.Split(strings.TrimSpace(string(table)), "\n")[4:]
	if len(rows) != 2 || !strings.Contains(rows[0], "out-of-memory") || rows[1] != "| 2026-01-02 03:04 | volume/lost | staging | never | never | never | 0 |" {
		t.Errorf("%q", rows)
	}
	if err := os.WriteFile(filepath.Join(folder, "drills.jsonl"), []byte("{}\nnonsense\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := Keep(folder, Card{}); err == nil || !strings.Contains(err.Error(), "line 2") {
		t.Errorf("%v", err)
	}
}
