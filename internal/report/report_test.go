package report_test

import (
	"flag"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"redis-session-bot/internal/checks"
	"redis-session-bot/internal/evidence"
	"redis-session-bot/internal/incident"
	"redis-session-bot/internal/report"
	"redis-session-bot/internal/runbook"
)

var update = flag.Bool("update", false, "write the golden files anew")

var (
	ada   = incident.Actor{ID: "U_ADA", Name: "Ada", Team: "T1"}
	bob   = incident.Actor{ID: "U_BOB", Name: "Bob", Team: "T1"}
	began = time.Date(2026, 1, 2, 23, 41, 0, 0, time.UTC)
)

func after(span time.Duration) time.Time { return began.Add(span) }

func book() *runbook.Runbook {
	return &runbook.Runbook{Title: "Queue down", Command: "queue", Impact: "Orders wait. None is lost.", Scenarios: []runbook.Scenario{{ID: "full", Title: "Full"}, {ID: "healthy", Title: "Healthy", WhenOK: true}}}
}

// whole is an incident in which everything has happened once.
func whole() incident.Incident {
	inc := incident.Incident{ID: "INC-7", Runbook: "queue", Target: evidence.Target{Namespace: "shop", Workload: "queue"}, State: incident.Closed, Since: began,
		OpenedBy: incident.Alertmanager(), Walker: ada, Judged: true, FixedAt: after(12 * time.Minute), ClosedAt: after(20 * time.Minute), Link: "https://acme.slack.com/archives/C1/p1",
		Verdict:    runbook.Verdict{Causes: []runbook.Cause{{Scenario: "full", Title: "Full", Confidence: runbook.Certain, Because: []string{"it says so"}, Against: []string{"half of it is free"}}, {Scenario: "slow", Title: "Slow", Confidence: runbook.Possible, Because: []string{"it answers late"}}}, Unknown: []string{"usage: no metrics API"}},
		Judgements: []incident.Judgement{{Scenario: "slow", Title: "Slow", Confidence: runbook.Possible, At: after(3 * time.Minute)}, {Scenario: "full", Title: "Full", Confidence: runbook.Certain, At: after(5 * time.Minute)}},
		Alike:      &incident.Past{Incident: "INC-3", Since: began.Add(-240 * time.Hour), Fixed: began.Add(-240 * time.Hour).Add(4 * time.Minute), Plan: 1, Action: "make room"},
		Steps: []incident.Step{
			{ID: "pods", Title: "Pods", Status: checks.Fail, Summary: "1 pod, 0 ready", Runs: 2, By: ada, At: after(3 * time.Minute), Findings: []checks.Finding{{Severity: checks.Fail, Object: "Pod/queue-0", Summary: "no room", Proof: []string{"disk full", "no space left"}}}},
			{ID: "reach", Title: "Reach", Status: incident.Skipped, Summary: "skipped by Ada"},
		},
		Alerts: []incident.Alert{{Fingerprint: "a", Name: "QueueDown", StartsAt: began, EndsAt: after(15 * time.Minute), Says: "The queue is down."}},
		Quiet:  incident.Quiet{At: after(15 * time.Minute), Looked: true},
		Plans: []incident.Plan{
			{Number: 1, Action: "make room", State: incident.Applied, By: ada, MadeAt: after(6 * time.Minute), Approved: bob, AppliedAt: after(8 * time.Minute), EndedAt: after(9 * time.Minute), Alone: "nobody else is up",
				Inputs: []runbook.Value{{ID: "size", Label: "Size", Value: "2Gi"}}, Holds: incident.Holds{Now: -1, After: 12_400, Says: []string{"12,400 afterwards"}}, Debt: "move it back", Warnings: []string{"it restarts"}, Cautions: []string{"2 s are lost"}, HandedBy: ada, HandedAt: after(7 * time.Minute), Trouble: "slow",
				Writes: []incident.Write{{Title: "set size", Status: incident.Done, Diff: "-size: 1Gi\n+size: 2Gi\n", Says: []string{"grown"}, NoUndo: "a volume never shrinks", Error: "late"}}},
			{Number: 2, Action: "undo plan 1", Undoes: 1, State: incident.Cancelled, By: bob, MadeAt: after(10 * time.Minute), Trouble: "Cancelled by Bob."},
		},
		Verified: []runbook.Outcome{{ID: "ready", OK: true, Says: "it is ready"}, {ID: "fast", Says: "it answers late"}},
		Letters:  []incident.Letter{{Number: 1, Draft: "users", Title: "To users", Text: "We are on it.\nSorry.", By: ada, At: after(11 * time.Minute)}},
		Timeline: []incident.Entry{
			{At: after(time.Minute), Actor: incident.Alertmanager(), Text: "opened the incident for shop/queue"},
			{At: after(2 * time.Minute), Actor: ada, Text: "took over from Alertmanager"},
			{At: after(12 * time.Minute), Actor: bob, Text: "verified: fixed"},
			{At: after(20 * time.Minute), Actor: ada, Text: "closed the incident"},
		}}
	inc.Escalation = incident.Escalation{
		Holds: []incident.Hold{{By: ada, At: after(2 * time.Minute), Until: after(30 * time.Minute), Reason: "on it", EndedBy: bob, EndedAt: after(9 * time.Minute)}},
		Calls: []incident.Call{
			{Number: 1, Act: incident.Trigger, Level: 1, At: after(time.Minute), State: incident.CallSent, SentAt: after(time.Minute), Pager: "duty", Acked: ada, AckAt: after(4 * time.Minute)},
			{Number: 2, Act: incident.Trigger, Level: 2, At: after(5 * time.Minute), State: incident.CallFailed, Error: "no answer", By: ada},
			{Number: 3, Act: incident.Respond, At: after(6 * time.Minute), State: incident.CallSent, SentAt: after(6 * time.Minute), Pager: "crisis", By: bob},
			{Number: 4, Act: incident.Resolve, State: incident.CallSent, Pager: "duty"},
		}}
	return inc
}

// of is the report of an incident for a reader in Berlin, on the next day.
func of(t *testing.T, inc incident.Incident) report.Report {
	t.Helper()
	zone, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	return report.Report{Incident: inc, Book: book(), Zone: zone, For: bob, At: after(time.Hour), Levels: []incident.Level{{Who: "@oncall"}},
		Owed: []incident.Owed{{Incident: inc.ID, Plan: inc.Plans[0]}}}
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	file := "testdata/" + name
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatalf("read the golden (write it with -update): %v", err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("golden (-), now (+):\n%s", diff)
	}
}

func TestTheReportIsAsTheGoldenShows(t *testing.T) {
	golden(t, "whole.md", of(t, whole()).Markdown())
}

func TestTheHandoverIsAsTheGoldenShows(t *testing.T) {
	inc := whole()
	inc.State, inc.FixedAt, inc.ClosedAt = incident.NotFixed, time.Time{}, time.Time{}
	inc.Plans[1] = incident.Plan{Number: 2, Action: "make more room", State: incident.Proposed, Until: after(30 * time.Minute)}
	golden(t, "handover.txt", of(t, inc).Handover()+"\n")
}

func TestAnEmptyIncidentHasAReport(t *testing.T) {
	inc := incident.Incident{ID: "INC-1", Runbook: "queue", Since: began, State: incident.Walking}
	got := report.Report{Incident: inc}.Markdown()
	for _, want := range []string{"# INC-1: queue", "Nothing was read", "| acknowledge | – | – | nobody has done anything yet |", "| diagnose | – | – | no cause was found |", "| fix | – | – | no verification has held |"} {
		if !strings.Contains(got, want) {
			t.Errorf("it does not say %q:\n%s", want, got)
		}
	}
}

func TestTimes(t *testing.T) {
	old := whole()
	old.Judgements = nil
	acked := whole()
	acked.Timeline = acked.Timeline[2:]
	fine := whole()
	fine.Verdict = runbook.Verdict{Causes: []runbook.Cause{{Scenario: "healthy", Title: "Healthy", Confidence: runbook.Likely}}}
	fine.Judgements = append(fine.Judgements, incident.Judgement{Scenario: "healthy", Title: "Healthy", Confidence: runbook.Likely, At: after(13 * time.Minute)})
	back := whole() // the cause was named first, then another, then it again
	back.Judgements = append([]incident.Judgement{{Scenario: "full", Title: "Full", Confidence: runbook.Possible, At: after(time.Minute)}}, back.Judgements...)
	unfixed := whole()
	unfixed.FixedAt = time.Time{}
	for name, test := range map[string]struct {
		inc                        incident.Incident
		acknowledge, diagnose, fix time.Duration // -1: not known
	}{
		"whole":                     {whole(), 2 * time.Minute, 5 * time.Minute, 12 * time.Minute},
		"stored before it was kept": {old, 2 * time.Minute, -1, 12 * time.Minute},
		"the page was acknowledged": {acked, 4 * time.Minute, 5 * time.Minute, 12 * time.Minute},
		"well at the end":           {fine, 2 * time.Minute, 5 * time.Minute, 12 * time.Minute},
		"named, left and named":     {back, 2 * time.Minute, time.Minute, 12 * time.Minute},
		"not fixed":                 {unfixed, 2 * time.Minute, 5 * time.Minute, -1},
	} {
		t.Run(name, func(t *testing.T) {
			times := report.TimesOf(test.inc, book())
			for what, pair := range map[string]struct {
				mark report.Mark
				want time.Duration
			}{"acknowledge": {times.Acknowledged, test.acknowledge}, "diagnose": {times.Diagnosed, test.diagnose}, "fix": {times.Fixed, test.fix}} {
				got := time.Duration(-1)
				if !pair.mark.At.IsZero() {
					got = pair.mark.At.Sub(began)
				}
				if got != pair.want || pair.mark.Says == "" {
					t.Errorf("to %s: %s (%q), not %s", what, got, pair.mark.Says, pair.want)
				}
			}
		})
	}
}

func TestAlikeSaysWhatItCameTo(t *testing.T) {
	past := incident.Past{Incident: "INC-3", Since: began, Closed: after(time.Hour), Fixed: after(4 * time.Minute), Plan: 1, Action: "make room"}
	alone, unfixed, undone := past, past, past
	alone.Plan = 0
	unfixed.Fixed = time.Time{}
	undone.Undone = true
	for want, one := range map[string]incident.Past{
		"As in INC-3 on 2 Jan: fixed by “make room” in 4 min.":              past,
		"As in INC-3 on 2 Jan: well again after 4 min, without a plan.":     alone,
		"As in INC-3 on 2 Jan: closed after 60 min without a verified fix.": unfixed,
		"As in INC-3 on 2 Jan: “make room” was applied and undone.":         undone,
	} {
		if got := report.Alike(one); got != want {
			t.Errorf("%q, not %q", got, want)
		}
	}
}
