package incident_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"redis-session-bot/internal/checks"
	"redis-session-bot/internal/evidence"
	"redis-session-bot/internal/incident"
	"redis-session-bot/internal/incident/incidenttest"
	"redis-session-bot/internal/runbook"
	"redis-session-bot/internal/store/memory"
)

// document is a runbook about a queue, so that nothing of Redis is in the engine.
var document = incidenttest.Runbook{Steps: "### Logs\nWhat the logs say.\n```yaml\nid: logs\ncheck: logs\n```\n", Scenarios: `### Broken
It does not run.
> [!WARNING]
> It takes a minute.
` + "```yaml\nid: broken\nsigns:\n  - when: pods.exists(p, !p.ready)\n    says: ${pods[0].name} is not ready\n    weight: decisive\naction: mend it\nfix:\n  - mend: {pod: \"${pods[0].name}\"}\n```" + `
### Well
` + "```yaml\nid: well\nok: true\nsigns:\n  - when: pods.exists(p, p.ready)\n    says: it runs\n    weight: decisive\n```" + `
`}

// cluster is a workload that is broken until a write mends it.
type cluster struct {
	mu      sync.Mutex
	mended  bool
	works   bool // a write mends it
	writes  int
	drift   error
	failure error
	gate    chan struct{} // when set, Apply waits for it
	keys    []float64     // that Prometheus kept, one a minute; nil: it was not asked
	looks   int           // checks that were run

	plan    func(wanted incident.Wanted) incident.Prepared // when set, what Prepare gives
	sent    []string                                       // titles of the writes that were sent, each with its base
	fail    map[string]error                               // title -> what Apply says
	never   bool                                           // no rollout ends
	unwell  map[string]error                               // title -> what Settle says
	arrived bool
	left    string // the fingerprint that what arrived has left
}

func (c *cluster) Look(evidence.Target) incident.Look { return c }

func (c *cluster) Check(context.Context, string) (evidence.Bundle, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.looks++
	seen := incidenttest.Seen(c.mended)
	for n, keys := range c.keys {
		if seen.Prometheus == nil {
			seen.Prometheus = &evidence.Prometheus{}
		}
		seen.Prometheus.Keys = append(seen.Prometheus.Keys, evidence.Sample{At: time.Date(2026, 1, 2, 2, n, 0, 0, time.UTC), Value: keys})
	}
	return seen, nil
}

func (c *cluster) Prepare(_ context.Context, wanted incident.Wanted) (incident.Prepared, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.plan != nil {
		return c.plan(wanted), nil
	}
	return incident.Prepared{Writes: []incident.Write{{Verb: "update", Object: incident.Object{Kind: "Queue", Name: "queue"},
		Changes: wanted.Changes, Await: incident.Rollout, Title: "mend queue", DryRun: incident.DryRunAccepted, Base: fmt.Sprint(c.writes), Want: "mended",
		Undo: []runbook.Change{{Kind: "break", Args: json.RawMessage(`{}`)}}}}, Holds: incident.Untold()}, nil
}

func (c *cluster) Unchanged(context.Context, evidence.Target, []incident.Write) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.drift
}

func (c *cluster) Apply(_ context.Context, _ evidence.Target, write incident.Write, _ incident.Actor) (string, error) {
	if c.gate != nil {
		<-c.gate
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := errors.Join(c.failure, c.fail[write.Title]); err != nil {
		return "", err
	}
	c.sent = append(c.sent, write.Title+" "+write.Base)
	c.writes++
	c.mended = c.works && len(write.Changes) > 0 && write.Changes[0].Kind == "mend"
	return fmt.Sprint(c.writes), nil
}

func (c *cluster) Settle(ctx context.Context, _ evidence.Target, write incident.Write, progress func(string)) ([]string, error) {
	progress("1 of 1 pods")
	if c.never {
		<-ctx.Done()
		return nil, &incident.Refusal{Says: "It has not ended within its time."}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return []string{"1 pod"}, c.unwell[write.Title]
}

func (c *cluster) Arrived(context.Context, evidence.Target, incident.Write) (bool, string, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.arrived, c.left, nil
}

// roles lets Ada diagnose and Bob and Cy apply.
type roles struct{}

func (roles) Allows(_ context.Context, actor incident.Actor, role incident.Role) error {
	if actor.ID == "bob" || actor.ID == "cy" || actor.ID == "ada" && role == incident.Responder {
		return nil
	}
	return &incident.Refusal{Says: "You may not."}
}

// consentTo is what a person gives who has seen the plan as it is.
func consentTo(plan incident.Plan) incident.Consent {
	return incident.Consent{Number: plan.Number, Digest: plan.Digest, Typed: "queue"}
}

var (
	ada = incident.Actor{ID: "ada", Name: "Ada"}
	bob = incident.Actor{ID: "bob", Name: "Bob"}
	cy  = incident.Actor{ID: "cy", Name: "Cy"}
	eve = incident.Actor{ID: "eve", Name: "Eve"}
)

// desk is a service over a fake cluster with a clock that tests set.
type desk struct {
	*incident.Service
	cluster *cluster
	t       *testing.T
	clock   *clock
	target  evidence.Target
}

type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) forward(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

func newDesk(t *testing.T) desk {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	fake := &cluster{works: true}
	now := &clock{now: time.Date(2026, 1, 2, 3, 0, 0, 0, time.UTC)}
	limits := incident.Limits{Step: time.Second, Prepare: time.Second, PlanValid: 15 * time.Minute, Settle: time.Second, Undone: time.Second, Verify: 20 * time.Millisecond, Poll: time.Millisecond, Recovery: time.Millisecond}
	book := document.Load(t)
	s := &incident.Service{Runbooks: map[string]*runbook.Runbook{"queue": book}, Checks: checks.Named(), Cluster: fake,
		Store: &memory.Store{}, Roles: roles{}, Kubectl: func(evidence.Target, evidence.Workload, string) []string { return []string{"kubectl get pods"} },
		Changed: func(string) {}, Limits: limits, Log: slog.New(slog.DiscardHandler), Now: now.Now, Background: ctx}
	t.Cleanup(func() { cancel(); s.Wait() })
	return desk{Service: s, cluster: fake, t: t, clock: now, target: book.Target}
}

func (d desk) open() string {
	d.t.Helper()
	inc, existed, err := d.Open(context.Background(), ada, "queue", d.target, incident.Place{Channel: "C1"})
	if err != nil || existed {
		d.t.Fatalf("open: existed %t, %v", existed, err)
	}
	return inc.ID
}

func (d desk) get(id string) incident.Incident {
	d.t.Helper()
	inc, err := d.Get(context.Background(), id)
	if err != nil {
		d.t.Fatalf("get: %v", err)
	}
	return inc
}

// planned walks an incident to a plan that waits for its answer.
func (d desk) planned() (string, incident.Plan) {
	d.t.Helper()
	id := d.open()
	d.must(d.RunAll(context.Background(), id, ada))
	d.Wait()
	d.must(d.MakePlan(context.Background(), id, ada, "broken", nil))
	d.Wait()
	inc := d.get(id)
	if len(inc.Plans) != 1 {
		d.t.Fatalf("plans: %+v", inc.Plans)
	}
	return id, inc.Plans[0]
}

func (d desk) must(err error) {
	d.t.Helper()
	if err != nil {
		d.t.Fatal(err)
	}
}

func (d desk) refused(err error, says string) {
	d.t.Helper()
	var refusal *incident.Refusal
	if !errors.As(err, &refusal) || !strings.Contains(refusal.Says, says) {
		d.t.Errorf("refused with %v, want a sentence with %q", err, says)
	}
}

func TestWalkToAVerifiedFixAndBack(t *testing.T) {
	d := newDesk(t)
	id, plan := d.planned()
	inc := d.get(id)
	if got := inc.Verdict.Causes[0]; got.Scenario != "broken" || got.Confidence != runbook.Certain || got.Because[0] != "queue-0 is not ready" {
		t.Errorf("verdict: %+v", got)
	}
	if got := string(plan.Changes[0].Args); got != `{"pod":"queue-0"}` {
		t.Errorf("the plan's arguments: %s", got)
	}
	if plan.Warnings[0] != "It takes a minute." {
		t.Errorf("warnings: %q", plan.Warnings)
	}
	d.must(d.ApplyPlan(context.Background(), id, bob, consentTo(plan)))
	d.Wait()
	inc = d.get(id)
	if inc.State != incident.Fixed || d.cluster.writes != 1 || inc.Plans[0].State != incident.Applied || !inc.Verified[0].OK {
		t.Fatalf("after the fix: %s, %d writes, plan %s, %+v", inc.State, d.cluster.writes, inc.Plans[0].State, inc.Verified)
	}
	d.must(d.UndoPlan(context.Background(), id, cy, plan.Number))
	d.Wait()
	inc = d.get(id)
	if d.cluster.mended || inc.Plans[0].State != incident.Undone || inc.Plans[1].Undoes != 1 || inc.Verdict.Causes[0].Scenario != "broken" {
		t.Errorf("after the undo: mended %t, %s, %+v", d.cluster.mended, inc.Plans[0].State, inc.Verdict)
	}
	d.refused(d.UndoPlan(context.Background(), id, cy, plan.Number), "undone already")
	d.refused(d.ApplyPlan(context.Background(), id, bob, consentTo(plan)), "applied by Bob already")
}

func TestTwoClicksAtOnceApplyOnce(t *testing.T) {
	d := newDesk(t)
	id, plan := d.planned()
	d.cluster.gate = make(chan struct{})
	errs := make(chan error, 2)
	for _, actor := range []incident.Actor{bob, cy} {
		go func() { errs <- d.ApplyPlan(context.Background(), id, actor, consentTo(plan)) }()
	}
	first, second := <-errs, <-errs
	close(d.cluster.gate)
	d.Wait()
	if (first == nil) == (second == nil) {
		t.Fatalf("one of the two must win: %v, %v", first, second)
	}
	d.refused(errors.Join(first, second), "already being applied: "+d.get(id).Plans[0].Approved.Name)
	if d.cluster.writes != 1 {
		t.Errorf("%d writes", d.cluster.writes)
	}
}

func TestApplyIsRefusedWithNothingWritten(t *testing.T) {
	tests := map[string]struct {
		actor  incident.Actor
		spoil  func(d desk, id string, plan *incident.Plan)
		says   string
		number int
	}{
		"without the role":     {actor: ada, says: "You may not."},
		"by a stranger":        {actor: eve, says: "You may not."},
		"with another digest":  {actor: bob, says: "older plan", spoil: func(_ desk, _ string, p *incident.Plan) { p.Digest = "0000" }},
		"after it has expired": {actor: bob, says: "was valid until", spoil: func(d desk, _ string, _ *incident.Plan) { d.clock.forward(16 * time.Minute) }},
		"when it was cancelled": {actor: bob, says: "cancelled", spoil: func(d desk, id string, p *incident.Plan) {
			d.refused(d.CancelPlan(context.Background(), id, ada, p.Number), "You may not.")
			d.must(d.CancelPlan(context.Background(), id, bob, p.Number))
		}},
		"of a plan that is none": {actor: bob, says: "no plan 7", spoil: func(_ desk, _ string, p *incident.Plan) { p.Number = 7 }},
		"when a newer one exists": {actor: bob, says: "cancelled", spoil: func(d desk, id string, _ *incident.Plan) {
			d.must(d.MakePlan(context.Background(), id, ada, "broken", nil))
			d.Wait()
		}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			d := newDesk(t)
			id, plan := d.planned()
			if test.spoil != nil {
				test.spoil(d, id, &plan)
			}
			d.refused(d.ApplyPlan(context.Background(), id, test.actor, consentTo(plan)), test.says)
			d.Wait()
			if d.cluster.writes != 0 {
				t.Errorf("%d writes", d.cluster.writes)
			}
		})
	}
}

func TestDriftWritesNothingAndSaysWho(t *testing.T) {
	d := newDesk(t)
	id, plan := d.planned()
	d.cluster.drift = &incident.Drift{Says: "queue was edited by kubectl-edit 40 s ago, after this plan was made"}
	d.must(d.ApplyPlan(context.Background(), id, bob, consentTo(plan)))
	d.Wait()
	got := d.get(id).Plans[0]
	if got.State != incident.Drifted || !strings.Contains(got.Trouble, "Nothing was changed: queue was edited by kubectl-edit") || d.cluster.writes != 0 {
		t.Errorf("plan %s, %q, %d writes", got.State, got.Trouble, d.cluster.writes)
	}
}

func TestALostAnswerIsUnknownAndNotRepeated(t *testing.T) {
	d := newDesk(t)
	id, plan := d.planned()
	d.cluster.failure = errors.New("connection reset")
	d.must(d.ApplyPlan(context.Background(), id, bob, consentTo(plan)))
	d.Wait()
	inc := d.get(id)
	if inc.Plans[0].State != incident.Uncertain || inc.Plans[0].Writes[0].Status != incident.Lost || inc.State != incident.NotFixed {
		t.Errorf("plan %s, write %s, incident %s", inc.Plans[0].State, inc.Plans[0].Writes[0].Status, inc.State)
	}
	d.refused(d.ApplyPlan(context.Background(), id, cy, consentTo(plan)), "cannot be applied")
}

func TestABotThatDiedMakesApplyingUnknown(t *testing.T) {
	d := newDesk(t)
	id, plan := d.planned()
	ctx := context.Background()
	inc := d.get(id)
	inc.Plan(plan.Number).State, inc.Plan(plan.Number).Writes[0].Status = incident.Underway, incident.Sending
	inc.State, inc.Steps[0].Status = incident.Applying, incident.Running
	_, err := d.Store.Update(ctx, inc)
	d.must(err)
	d.must(d.Recover(ctx))
	inc = d.get(id)
	if inc.Plans[0].State != incident.Uncertain || inc.Plans[0].Writes[0].Status != incident.Lost || inc.Steps[0].Status != incident.Pending {
		t.Errorf("recovered: plan %s, write %s, step %s", inc.Plans[0].State, inc.Plans[0].Writes[0].Status, inc.Steps[0].Status)
	}
	if got := inc.Plans[0].EndedAt; !got.Equal(d.Now()) {
		t.Errorf("it stopped at %s: nobody could go on with it", got)
	}
	if d.cluster.writes != 0 {
		t.Errorf("recovery wrote %d times", d.cluster.writes)
	}
}

func TestNotFixedLooksAgain(t *testing.T) {
	d := newDesk(t)
	d.cluster.works = false
	id, plan := d.planned()
	d.must(d.ApplyPlan(context.Background(), id, bob, consentTo(plan)))
	d.Wait()
	inc := d.get(id)
	if inc.State != incident.NotFixed || inc.Verified[0].Says != "it is not ready" || inc.Steps[0].Runs != 2 {
		t.Errorf("%s, %+v, %d runs", inc.State, inc.Verified, inc.Steps[0].Runs)
	}
}

func TestUndoIsRefusedAfterSomebodyElsesChange(t *testing.T) {
	d := newDesk(t)
	id, plan := d.planned()
	d.must(d.ApplyPlan(context.Background(), id, bob, consentTo(plan)))
	d.Wait()
	d.cluster.mu.Lock()
	d.cluster.writes = 9 // somebody else wrote
	d.cluster.mu.Unlock()
	d.must(d.UndoPlan(context.Background(), id, bob, plan.Number))
	d.Wait()
	inc := d.get(id)
	if undo := inc.Plans[1]; undo.State != incident.Drifted || !strings.Contains(undo.Trouble, "Nothing was changed: queue was changed by somebody after plan 1.") || d.cluster.writes != 9 || inc.Plans[0].State != incident.Applied {
		t.Errorf("the undo is %s: %q, %d writes", undo.State, undo.Trouble, d.cluster.writes)
	}
}

func TestWalking(t *testing.T) {
	d := newDesk(t)
	ctx := context.Background()
	id := d.open()
	if _, existed, err := d.Open(ctx, bob, "queue", d.target, incident.Place{Channel: "C2"}); err != nil || !existed {
		t.Errorf("a second incident for the same target: existed %t, %v", existed, err)
	}
	d.refused(d.RunNext(ctx, id, eve), "You may not.")
	d.must(d.RunNext(ctx, id, ada))
	d.Wait()
	if got := d.get(id); got.Steps[0].Status != checks.Fail || got.Steps[1].Status != incident.Pending {
		t.Errorf("after one step: %s, %s", got.Steps[0].Status, got.Steps[1].Status)
	}
	d.must(d.Skip(ctx, id, ada, "logs"))
	d.refused(d.RunNext(ctx, id, ada), "Every step")
	d.must(d.TakeOver(ctx, id, bob))
	d.refused(d.TakeOver(ctx, id, bob), "walk INC-1 already")
	d.must(d.Stop(ctx, id, bob))
	d.refused(d.Stop(ctx, id, bob), "not being walked")
	d.must(d.RunStep(ctx, id, bob, "pods"))
	d.Wait()
	got := d.get(id)
	if got.State != incident.Walking || got.Steps[0].Runs != 2 || got.Walker.ID != "bob" {
		t.Errorf("after running again: %s, %d runs, walked by %s", got.State, got.Steps[0].Runs, got.Walker.ID)
	}
	d.must(d.Close(ctx, id, bob))
	d.refused(d.RunAll(ctx, id, bob), "is closed")
}
