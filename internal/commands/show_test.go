package commands_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"redis-session-bot/internal/checks"
	"redis-session-bot/internal/commands"
	"redis-session-bot/internal/evidence"
	"redis-session-bot/internal/incident"
	"redis-session-bot/internal/runbook"
)

var update = flag.Bool("update", false, "write the golden files anew")

var (
	ada = incident.Actor{ID: "U_ADA", Name: "Ada", Team: "T1"}
	bob = incident.Actor{ID: "U_BOB", Name: "Bob", Team: "T1"}
)

func handler() *commands.Handler {
	book := &runbook.Runbook{Title: "Redis session store down", Command: "redis-session", Impact: "Users are asked to sign in again; nobody stays signed in.",
		Alert: "RedisSessionStoreDown", Related: []string{"RedisHighMemoryUsage", "SessionStoreErrors"},
		Scenarios: []runbook.Scenario{
			{ID: "config-error", Title: "Configuration error", Fixes: []runbook.Fix{{Ref: "config-error", Action: "repair the configuration", Changes: []runbook.Draft{{Kind: "restart"}}}}},
			{ID: "corrupt-aof", Title: "Corrupt append-only file"},
			{ID: "crash-loop", Title: "Crash loop without a word"},
		}}
	return &commands.Handler{Command: "redis-session", Approvers: []string{"@sre-oncall", "U_BOB"}, Targets: []evidence.Target{{Name: "default", Namespace: "langgraph-agent", Workload: "redis-session"}},
		Incidents: &incident.Service{Runbooks: map[string]*runbook.Runbook{"redis-session": book}}}
}

// walking is an incident in the middle of its walk.
func walking() incident.Incident {
	at := time.Date(2026, 1, 2, 2, 41, 0, 0, time.UTC)
	return incident.Incident{ID: "INC-7", Runbook: "redis-session", State: incident.Walking, Since: at, OpenedBy: ada, Walker: ada,
		Target: evidence.Target{Namespace: "langgraph-agent", Workload: "redis-session"},
		Steps: []incident.Step{
			{ID: "pods", Title: "Pods", Status: checks.Fail, Summary: "1 pod, 0 ready, 6 restarts, CrashLoopBackOff", Runs: 1, By: ada, Took: 300 * time.Millisecond,
				LookFor: "A waiting reason names most causes.", Raw: strings.Repeat("all of it\n", 100),
				Findings: []checks.Finding{{Severity: checks.Fail, Object: "Pod/redis-session-0", Summary: "container redis: CrashLoopBackOff, 6 restarts", Proof: []string{"last exit: Error, code 1"}}}},
			{ID: "logs", Title: "Logs", Status: incident.Running, Runs: 1, By: ada},
			{ID: "usage", Title: "Usage", Status: checks.Unknown, Summary: "this cluster has no metrics API", Runs: 1, By: bob},
			{ID: "reach", Title: "Reach", Status: incident.Skipped, Summary: "skipped by Ada"},
			{ID: "volumes", Title: "Volumes", Status: incident.Pending},
		}}
}

// judged is the incident with every step run.
func judged(scenario string) incident.Incident {
	inc := walking()
	for i := range inc.Steps {
		inc.Steps[i].Status = checks.OK
	}
	titles := map[string]string{"config-error": "Configuration error", "corrupt-aof": "Corrupt append-only file"}
	inc.Judged = true
	if scenario == "config-error" {
		inc.Offers = []incident.Offer{{Scenario: scenario, Ref: scenario, Action: "repair the configuration"}}
	}
	inc.Verdict = runbook.Verdict{Causes: []runbook.Cause{
		{Scenario: scenario, Title: titles[scenario], Confidence: runbook.Certain, Because: []string{"it says so at every start"}},
		{Scenario: "crash-loop", Title: "Crash loop without a word", Confidence: runbook.Possible, Because: []string{"it restarts"}},
	}, Unknown: []string{"usage: this cluster has no metrics API"}}
	if scenario == "corrupt-aof" {
		inc.Verdict.Causes[0].ByHand = []string{"Copy the file aside first.", "Run redis-check-aof."}
	}
	return inc
}

// planned has a plan that waits for its answer.
func planned() incident.Incident {
	inc := judged("config-error")
	at := inc.Since.Add(10 * time.Minute)
	inc.Plans = []incident.Plan{{Number: 1, Fix: "config-error", Action: "repair the configuration", State: incident.Proposed, Digest: "0123456789abcdef",
		Holds: incident.Untold(), By: ada, MadeAt: at, Until: at.Add(15 * time.Minute), Warnings: []string{"Argo CD owns redis-session (app sessions): it may put it back"},
		Writes: []incident.Write{
			{Verb: "update", Object: incident.Object{Kind: "ConfigMap", Name: "redis-session-config"}, Title: "drop line 4 from redis.conf in redis-session-config",
				Diff: "--- redis.conf\n+++ redis.conf\n@@ -3,2 +3,1 @@\n maxmemory 256mb\n-maxmemory-polciy allkeys-lru\n", Kubectl: "kubectl edit configmap redis-session-config", DryRun: incident.DryRunAccepted, Undo: []runbook.Change{{Kind: "edit-redis-config"}}},
			{Verb: "delete", Object: incident.Object{Kind: "Pod", Name: "redis-session-0"}, Title: "delete pod redis-session-0", DryRun: incident.DryRunAccepted, NoUndo: "the StatefulSet makes it anew"},
		}}}
	return inc
}

func states() map[string]incident.Incident {
	fixed := planned()
	fixed.State, fixed.Plans[0].State, fixed.Plans[0].Approved = incident.Fixed, incident.Applied, bob
	fixed.Plans[0].Writes[0].Status, fixed.Plans[0].Writes[1].Status = incident.Done, incident.Done
	fixed.Plans[0].EndedAt = fixed.Since.Add(12 * time.Minute)
	fixed.FixedAt = fixed.Since.Add(12 * time.Minute)
	fixed.Verified = []runbook.Outcome{{ID: "a", OK: true, Says: "1 of 1 pods ready"}, {ID: "b", OK: true, Says: "PONG"}}

	notFixed := planned()
	notFixed.State, notFixed.Plans[0].State, notFixed.Plans[0].Approved = incident.NotFixed, incident.Applied, bob
	notFixed.Plans[0].Writes[0].Status = incident.Done
	notFixed.Plans[0].Trouble = "the pod is killed again, now OOMKilled"
	notFixed.Verified = []runbook.Outcome{{ID: "a", Says: "0 of 1 pods ready"}}

	applying := planned()
	applying.State, applying.Plans[0].State, applying.Plans[0].Approved = incident.Applying, incident.Underway, bob
	applying.Plans[0].Writes[0].Status, applying.Plans[0].Writes[0].Progress = incident.Sending, "0 of 1 new pods ready, 12 s"

	drifted := planned()
	drifted.Plans[0].State, drifted.Plans[0].Trouble = incident.Drifted, "Nothing was changed: redis-session was edited by kubectl-edit 40 s ago, after this plan was made."

	refused := planned()
	refused.Plans[0].Writes[0].DryRun = "the ConfigMap is immutable"

	preparing := planned()
	preparing.Plans[0] = incident.Plan{Number: 1, Fix: "config-error", Action: "repair the configuration", State: incident.Preparing, By: ada, Progress: "a pod of its own reads the volume, 12 s"}

	many := planned()
	plan := &many.Plans[0]
	plan.Cautions, plan.Debt = []string{"the last 1,314 bytes are cut"}, "move back to a claim within the week"
	plan.Holds = incident.Holds{Now: 12_403, After: 12_400, Says: []string{"in memory: 12,403 keys", "on the volume: 12,400 keys, 2 s old"}}
	plan.Inputs = []runbook.Value{{ID: "limit", Label: "Memory limit", Value: "1.5Gi"}}
	for n := range 6 {
		plan.Writes = append(plan.Writes, incident.Write{Verb: "update", Object: incident.Object{Kind: "Queue", Name: fmt.Sprint("queue-", n)}, Title: fmt.Sprintf("set queue-%d right", n),
			Diff: strings.Repeat("-old\n+new\n", 16), DryRun: incident.DryRunAccepted, Undo: []runbook.Change{{Kind: "restart"}}})
	}

	empties := planned()
	empties.Plans[0].Holds = incident.Holds{Now: 12_403, After: 0, Says: []string{"the volume is empty"}}

	stopped := planned()
	plan = &stopped.Plans[0]
	plan.Writes = append(plan.Writes, incident.Write{Title: "scale redis-session 0 → 1", DryRun: incident.DryRunAccepted})
	stopped.State, plan.State, plan.Approved = incident.NotFixed, incident.Failed, bob
	plan.Writes[0].Status, plan.Writes[0].Says = incident.Done, []string{"kept 48,210 commands"}
	plan.Writes[1].Status, plan.Writes[1].Error = incident.Refused, "pods is forbidden"
	plan.Trouble = "The API server refused to delete pod redis-session-0"

	handed := planned()
	handed.State, handed.Plans = stopped.State, append([]incident.Plan(nil), stopped.Plans...)
	handed.Plans[0].HandedBy, handed.Plans[0].HandedAt = ada, handed.Since.Add(20*time.Minute)

	doubt := planned()
	plan = &doubt.Plans[0]
	doubt.State, plan.State, plan.Approved = incident.NotFixed, incident.Uncertain, bob
	plan.Writes[0].Status, plan.Writes[1].Status = incident.Done, incident.Lost
	plan.Trouble = "Nobody knows whether the last write arrived: the connection was lost. Look at what the cluster shows before you do anything."

	nothing := judged("config-error")
	nothing.Verdict = runbook.Verdict{Unknown: []string{"logs: the API server refused"}}

	alerted := walking()
	alerted.OpenedBy, alerted.Walker = incident.Alertmanager(), incident.Alertmanager()
	alerted.Alerts = []incident.Alert{
		{Fingerprint: "r", Name: "RedisHighMemoryUsage", StartsAt: alerted.Since.Add(4 * time.Minute), Labels: map[string]string{"pod": "redis-session-0"}, Says: "98 % of\nmaxmemory"},
		{Fingerprint: "b", Name: "RedisSessionStoreDown", StartsAt: alerted.Since.Add(time.Minute), Labels: map[string]string{"job": "redis-session", "instance": "b"}},
		{Fingerprint: "a", Name: "RedisSessionStoreDown", StartsAt: alerted.Since, Labels: map[string]string{"job": "redis-session", "instance": "a"}, Says: "<!channel> The store is down."},
		{Fingerprint: "s", Name: "SessionStoreErrors", StartsAt: alerted.Since, EndsAt: alerted.Since.Add(5 * time.Minute)},
	}

	quiet := judged("config-error")
	quiet.Alerts = []incident.Alert{{Fingerprint: "a", Name: "RedisSessionStoreDown", StartsAt: quiet.Since, EndsAt: quiet.Since.Add(9 * time.Minute)}}
	quiet.Quiet = incident.Quiet{At: quiet.Since.Add(9 * time.Minute)}

	unwell := quiet
	unwell.Quiet.Looked, unwell.Quiet.Says = true, "0 of 1 pods ready"

	over := quiet
	over.Quiet.Looked, over.State = true, incident.Closed
	over.FixedAt, over.ClosedAt = over.Since.Add(10*time.Minute), over.Since.Add(10*time.Minute)
	over.Verified = []runbook.Outcome{{ID: "a", OK: true, Says: "1 of 1 pods ready"}}

	storm := alerted
	storm.Alerts = nil
	for n := range 1000 {
		storm.Alerts = append(storm.Alerts, incident.Alert{Fingerprint: fmt.Sprint(n), Name: "RedisSessionStoreDown", StartsAt: storm.Since, Labels: map[string]string{"instance": fmt.Sprint(n)}})
	}

	return map[string]incident.Incident{"walking": walking(), "alerted": alerted, "quiet": quiet, "unwell": unwell, "over": over, "storm": storm, "judged": judged("config-error"), "by-hand": judged("corrupt-aof"), "planned": planned(),
		"applying": applying, "fixed": fixed, "not-fixed": notFixed, "drifted": drifted, "dry-run-refused": refused, "no-cause": nothing,
		"preparing": preparing, "many": many, "empties": empties, "stopped": stopped, "handed-over": handed, "in-doubt": doubt}
}

func TestMessagesAreAsTheGoldensShow(t *testing.T) {
	for name, inc := range states() {
		t.Run(name, func(t *testing.T) {
			golden(t, name, printed(handler().Messages(inc)))
		})
	}
}

// golden compares with the file of that name.
func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name+".golden")
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

func TestMessagesAreTheSameForTheSameIncident(t *testing.T) {
	for name, inc := range states() {
		first, second := printed(handler().Messages(inc)), printed(handler().Messages(inc))
		if first != second {
			t.Errorf("%s: two messages of one incident differ", name)
		}
	}
}

// TestWhatAChannelIsToldByAPage draws each act, with hostile words from a cluster.
func TestWhatAChannelIsToldByAPage(t *testing.T) {
	s := incident.Summons{Act: incident.Trigger, Incident: "INC-7", State: "not fixed", Since: walking().Since, At: walking().Since.Add(30 * time.Minute), Walker: "Ada", Verdict: "Configuration error, certain",
		Summary: "Redis session store down · INC-7: configuration error, certain", Impact: "Users are asked to sign in again.", Link: "https://acme.slack.com/archives/C1/p1",
		Because: []string{"one", "<!channel> two", "three", "four"}, Tried: []string{"1", "2", "3", "4", "5", "6", "7"}}
	asked := s
	asked.By, asked.Ref = ada, "1.1"
	respond := s
	respond.Act, respond.Because, respond.Tried, respond.Link = incident.Respond, nil, nil, ""
	acknowledge, resolve := asked, s
	acknowledge.Act, resolve.Act, resolve.State = incident.Acknowledge, incident.Resolve, "fixed"
	var messages []commands.Message
	for _, one := range []struct {
		key, mention string
		summons      incident.Summons
	}{{"page", "@sre-oncall", s}, {"again", "U_BOB", asked}, {"respond", "", respond}, {"acknowledge", "@sre-oncall", acknowledge}, {"resolve", "@sre-oncall", resolve}} {
		messages = append(messages, commands.Message{Key: one.key, View: commands.PageView(one.summons, one.mention)})
	}
	golden(t, "page-view", printed(messages))
}

// printed writes messages as text that a person can review.
func printed(messages []commands.Message) string {
	var b strings.Builder
	for _, message := range messages {
		fmt.Fprintf(&b, "=== %s", message.Key)
		if message.Thread {
			b.WriteString(" (thread)")
		}
		fmt.Fprintf(&b, "\nsummary: %s\n", message.View.Summary)
		for _, part := range message.View.Parts {
			switch p := part.(type) {
			case commands.Heading:
				fmt.Fprintf(&b, "# %s\n", p.Text)
			case commands.Paragraph:
				fmt.Fprintf(&b, "%s\n", p.Text)
			case commands.Note:
				fmt.Fprintf(&b, "(%s)\n", p.Text)
			case commands.Code:
				fmt.Fprintf(&b, "```\n%s\n```\n", p.Text)
			case commands.Rule:
				b.WriteString("---\n")
			case commands.Buttons:
				for _, button := range p.Buttons {
					fmt.Fprintf(&b, "[%s] %s %q", button.Label, button.ID, button.Value)
					if button.Confirm != nil {
						fmt.Fprintf(&b, " asks: %s %s", button.Confirm.Title, button.Confirm.Text)
					}
					b.WriteString("\n")
				}
			}
		}
		for _, file := range message.Files {
			if file.Draw != nil {
				fmt.Fprintf(&b, "picture %s: %s. It shows: %s\n", file.Name, file.Title, file.Alt)
				continue
			}
			fmt.Fprintf(&b, "file %s: %s, %d bytes\n", file.Name, file.Title, len(file.Text))
		}
	}
	return b.String()
}
