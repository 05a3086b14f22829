package incident_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"redis-session-bot/internal/incident"
	"redis-session-bot/internal/incident/incidenttest"
)

// notice is what Alertmanager tells of the queue.
func (d desk) notice(alerts ...incident.Alert) incident.Notice {
	return incident.Notice{Runbook: "queue", Target: d.target, Place: incident.Place{Channel: "C1"}, Alerts: alerts}
}

// alerted tells it, and waits until what follows has ended.
func (d desk) alerted(alerts ...incident.Alert) {
	d.t.Helper()
	d.must(d.Alerted(context.Background(), d.notice(alerts...)))
	d.Wait()
}

func (d desk) all() []incident.Incident {
	d.t.Helper()
	all, err := d.List(context.Background())
	d.must(err)
	return all
}

// told is the timeline as one text.
func told(inc incident.Incident) string {
	var lines []string
	for _, entry := range inc.Timeline {
		lines = append(lines, entry.Actor.Name+" "+entry.Text)
	}
	return strings.Join(lines, "\n")
}

// alertDesk is a desk that takes alerts, and begins the diagnosis by itself.
func alertDesk(t *testing.T) desk {
	d := newDesk(t)
	d.Alerting = incident.Alerting{Auto: true, ReopenWithin: 30 * time.Minute}
	return d
}

// at is that many minutes after the clock's start.
func at(minutes float64) time.Time {
	return time.Date(2026, 1, 2, 3, 0, 0, 0, time.UTC).Add(time.Duration(minutes * float64(time.Minute)))
}

func firing(fingerprint string, since float64) incident.Alert {
	return incident.Alert{Fingerprint: fingerprint, Name: "QueueDown", StartsAt: at(since), Labels: map[string]string{"job": "queue"}, Says: "The queue is down."}
}

func resolved(fingerprint string, since, until float64) incident.Alert {
	alert := firing(fingerprint, since)
	alert.EndsAt = at(until)
	return alert
}

func related(fingerprint string, since float64) incident.Alert {
	alert := firing(fingerprint, since)
	alert.Name, alert.Says = "QueueFull", "90 % full"
	return alert
}

func TestAnAlertOpensAnIncidentAndWalksIt(t *testing.T) {
	for _, auto := range []bool{true, false} {
		t.Run(fmt.Sprintf("auto=%t", auto), func(t *testing.T) {
			d := alertDesk(t)
			d.Alerting.Auto = auto
			d.alerted(firing("a", -2))
			all := d.all()
			if len(all) != 1 {
				t.Fatalf("%d incidents", len(all))
			}
			inc := all[0]
			if !inc.Since.Equal(at(-2)) || inc.OpenedBy != incident.Alertmanager() || inc.Place.Channel != "C1" || inc.Alerts[0].Says != "The queue is down." {
				t.Errorf("opened: %+v", inc)
			}
			if inc.Judged != auto || auto != (len(inc.Verdict.Causes) > 0) {
				t.Errorf("judged: %t, %+v", inc.Judged, inc.Verdict)
			}
			if d.cluster.writes != 0 || len(inc.Plans) != 0 {
				t.Errorf("an alert wrote %d times and made %d plans", d.cluster.writes, len(inc.Plans))
			}
		})
	}
}

// TestAlertmanagerMayOnlyOpenAndWalk: whatever roles the chat gives, even to everybody.
func TestAlertmanagerMayOnlyOpenAndWalk(t *testing.T) {
	d := alertDesk(t)
	d.Roles = everybody{}
	ctx, who := context.Background(), incident.Alertmanager()
	d.alerted(firing("a", 0))
	d.must(d.RunStep(ctx, "INC-1", who, "pods"))
	d.Wait()
	d.must(d.MakePlan(ctx, "INC-1", ada, "broken", nil))
	d.Wait()
	plan := d.get("INC-1").Plans[0]
	_, _, applicable := d.Applicable(ctx, "INC-1", who, 1, plan.Digest)
	_, inputs := d.Inputs(ctx, "INC-1", who, "broken")
	_, _, open := d.Open(ctx, who, "queue", d.target, incident.Place{})
	for name, err := range map[string]error{
		"apply": d.ApplyPlan(ctx, "INC-1", who, consentTo(plan)), "undo": d.UndoPlan(ctx, "INC-1", who, 1), "plan": d.MakePlan(ctx, "INC-1", who, "broken", nil),
		"cancel": d.CancelPlan(ctx, "INC-1", who, 1), "go on": d.GoOn(ctx, "INC-1", who, 1, plan.Digest), "decide": d.Decide(ctx, "INC-1", who, 1),
		"hand over": d.HandOver(ctx, "INC-1", who, 1), "close": d.Close(ctx, "INC-1", who), "stop": d.Stop(ctx, "INC-1", who), "take over": d.TakeOver(ctx, "INC-1", who),
		"skip": d.Skip(ctx, "INC-1", who, "logs"), "applicable": applicable, "inputs": inputs, "open by command": open,
	} {
		t.Run(name, func(t *testing.T) {
			d := d
			d.t = t
			d.refused(err, "Alertmanager may open an incident and walk it, nothing else.")
		})
	}
	if d.cluster.writes != 0 {
		t.Errorf("%d writes", d.cluster.writes)
	}
}

// everybody may do everything.
type everybody struct{}

func (everybody) Allows(context.Context, incident.Actor, incident.Role) error { return nil }

// TestCourseOfAlerts tells one thing after another and looks at what stands then.
func TestCourseOfAlerts(t *testing.T) {
	type tell struct {
		minute float64
		alerts []incident.Alert
		mended bool // from here on the queue is well
		broken bool
		do     func(d desk)
	}
	one := func(minute float64, alerts ...incident.Alert) tell { return tell{minute: minute, alerts: alerts} }
	closeIt := func(d desk) { d.must(d.Close(context.Background(), "INC-1", ada)) }
	tests := map[string]struct {
		course []tell
		states []incident.State // of every incident there is in the end
		says   []string         // in the timeline of the newest
		never  string
		quiet  string
	}{
		"a repeat changes nothing": {
			course: []tell{one(0, firing("a", 0)), one(5, firing("a", 0)), one(240, firing("a", 0))},
			states: []incident.State{incident.Walking}, says: []string{"Alertmanager QueueDown fires since 03:00:00 UTC"}},
		"many of them are one incident": {
			course: []tell{one(0, firing("a", 0), firing("b", 0)), one(1, firing("c", 1)), one(2, firing("d", -1))},
			states: []incident.State{incident.Walking}},
		"one of many is resolved": {
			course: []tell{one(0, firing("a", 0), firing("b", 0)), {minute: 5, alerts: []incident.Alert{resolved("a", 0, 5)}, mended: true}},
			states: []incident.State{incident.Walking}, never: "resolved"},
		"resolved, and well": {
			course: []tell{one(0, firing("a", 0)), {minute: 5, alerts: []incident.Alert{resolved("a", 0, 5)}, mended: true}},
			states: []incident.State{incident.Closed}, says: []string{"QueueDown is resolved, since 03:05:00 UTC", "The alert is quiet, and the store is well.", "Alertmanager closed the incident"},
			quiet: "The alert is quiet, and the store is well."},
		"resolved, and not well": {
			course: []tell{one(0, firing("a", 0)), one(5, resolved("a", 0, 5))},
			states: []incident.State{incident.Walking}, never: "closed",
			quiet: "The alert is quiet, and the store is not well: it is not ready"},
		"resolved twice": {
			course: []tell{one(0, firing("a", 0)), one(5, resolved("a", 0, 5)), {minute: 6, alerts: []incident.Alert{resolved("a", 0, 5)}, mended: true}},
			states: []incident.State{incident.Walking}, quiet: "The alert is quiet, and the store is not well: it is not ready"},
		"a stale firing after the resolve": {
			course: []tell{one(0, firing("a", 0)), {minute: 5, alerts: []incident.Alert{resolved("a", 0, 5)}, mended: true}, {minute: 6, alerts: []incident.Alert{firing("a", 0)}, broken: true}},
			states: []incident.State{incident.Closed}, never: "again"},
		"a stale firing of another Alertmanager, which took the start earlier": {
			course: []tell{one(0, firing("a", 0)), {minute: 5, alerts: []incident.Alert{resolved("a", 0, 5)}, mended: true}, one(6, firing("a", -0.2)), one(7, firing("a", 0.2))},
			states: []incident.State{incident.Closed}, never: "again"},
		"the resolve of that other one counts": {
			course: []tell{one(0, firing("a", 0)), {minute: 5, alerts: []incident.Alert{resolved("a", -0.2, 5)}, mended: true}},
			states: []incident.State{incident.Closed}},
		"the end of an earlier time": {
			course: []tell{one(0, firing("a", 0)), {minute: 1, alerts: []incident.Alert{resolved("a", -60, -30)}, mended: true}},
			states: []incident.State{incident.Walking}, never: "resolved"},
		"it fires anew within the time": {
			course: []tell{one(0, firing("a", 0)), {minute: 5, alerts: []incident.Alert{resolved("a", 0, 5)}, mended: true}, {minute: 20, alerts: []incident.Alert{firing("a", 19)}, broken: true}},
			states: []incident.State{incident.Walking}, says: []string{"opened the incident again: QueueDown fires anew, since 03:19:00 UTC"}},
		"another of the name fires within the time": {
			course: []tell{one(0, firing("a", 0)), {minute: 5, alerts: []incident.Alert{resolved("a", 0, 5)}, mended: true}, {minute: 20, alerts: []incident.Alert{firing("b", 19)}, broken: true}},
			states: []incident.State{incident.Walking}},
		"it fires anew after the time": {
			course: []tell{one(0, firing("a", 0)), {minute: 5, alerts: []incident.Alert{resolved("a", 0, 5)}, mended: true}, {minute: 60, alerts: []incident.Alert{firing("a", 59)}, broken: true}},
			states: []incident.State{incident.Closed, incident.Walking}},
		"a late one of before the mend joins and opens nothing": {
			course: []tell{one(0, firing("a", 0)), {minute: 5, alerts: []incident.Alert{resolved("a", 0, 5)}, mended: true}, one(6, firing("b", 1))},
			states: []incident.State{incident.Closed}, never: "again"},
		"closed by a person while it fires: the repeat changes nothing": {
			course: []tell{one(0, firing("a", 0)), {minute: 5, do: closeIt}, one(6, firing("a", 0)), {minute: 9, alerts: []incident.Alert{resolved("a", 0, 8)}, mended: true}},
			states: []incident.State{incident.Closed}, says: []string{"Ada closed the incident", "QueueDown is resolved"}, never: "again"},
		"closed by a person while it fires, and nobody told of its end": {
			course: []tell{one(0, firing("a", 0)), {minute: 5, do: closeIt}, one(20, firing("a", 19))},
			states: []incident.State{incident.Walking}, says: []string{"opened the incident again"}},
		"a person was faster": {
			course: []tell{{do: func(d desk) { d.open() }}, one(1, firing("a", 0)), {minute: 5, alerts: []incident.Alert{resolved("a", 0, 5)}, mended: true}},
			states: []incident.State{incident.Closed}, says: []string{"Ada opened the incident", "QueueDown fires since", "closed"}},
		"nobody told of its beginning": {
			course: []tell{{do: func(d desk) { d.open() }}, {minute: 5, alerts: []incident.Alert{resolved("a", 0, 5)}, mended: true}},
			states: []incident.State{incident.Closed}},
		"resolved where nothing is open": {
			course: []tell{one(0, resolved("a", -10, -5))}},
		"related, where nothing is open": {
			course: []tell{one(0, related("r", 0))}},
		"related joins": {
			course: []tell{one(0, firing("a", 0)), one(1, related("r", 1)), one(2, related("s", 2))},
			states: []incident.State{incident.Walking}, says: []string{"Alertmanager QueueFull fires since 03:01:00 UTC"}},
		"the end of a related one closes nothing": {
			course: []tell{one(0, firing("a", 0)), one(1, related("r", 1)), {minute: 2, mended: true, alerts: []incident.Alert{func() incident.Alert { a := related("r", 1); a.EndsAt = at(2); return a }()}}},
			states: []incident.State{incident.Walking}, says: []string{"QueueFull is resolved"}, never: "closed"},
		"together with the one that opens": {
			course: []tell{one(0, related("r", 0), firing("a", 0))},
			states: []incident.State{incident.Walking}, says: []string{"QueueDown fires", "QueueFull fires"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			d := alertDesk(t)
			start := at(0)
			for _, tell := range test.course {
				if move := at(tell.minute).Sub(start) - d.clock.Now().Sub(start); move > 0 {
					d.clock.forward(move)
				}
				d.cluster.set(tell.mended, tell.broken)
				if tell.do != nil {
					tell.do(d)
				}
				if len(tell.alerts) > 0 {
					d.alerted(tell.alerts...)
				}
			}
			all := d.all()
			var states []incident.State
			for _, inc := range all {
				states = append(states, inc.State)
			}
			if fmt.Sprint(states) != fmt.Sprint(test.states) {
				t.Fatalf("states %v, want %v", states, test.states)
			}
			if len(all) == 0 {
				return
			}
			newest := all[len(all)-1]
			for _, says := range test.says {
				if strings.Count(told(newest), says) != 1 {
					t.Errorf("%q does not stand once in\n%s", says, told(newest))
				}
			}
			if test.never != "" && strings.Contains(told(newest), test.never) {
				t.Errorf("%q stands in\n%s", test.never, told(newest))
			}
			if test.quiet != "" && newest.Quiet.String() != test.quiet {
				t.Errorf("quiet: %q, want %q", newest.Quiet, test.quiet)
			}
			if d.cluster.writes != 0 {
				t.Errorf("%d writes", d.cluster.writes)
			}
		})
	}
}

func (c *cluster) set(mended, broken bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.mended = (c.mended || mended) && !broken
}

// TestARelatedAlertSpeaksForACause: it joins a walk that has ended, and the
// verdict knows of it.
func TestARelatedAlertSpeaksForACause(t *testing.T) {
	d := alertDesk(t)
	d.Runbooks["queue"] = incidenttest.Runbook{Scenarios: "### Full\nIt is full.\n```yaml\nid: full\nsigns:\n  - when: alerts.exists(a, a.name == 'QueueFull' && a.firing && a.labels['job'] == 'queue')\n    says: ${alerts[0].says}\n    weight: strong\nbyHand: [Empty it.]\n```\n"}.Load(t)
	d.alerted(firing("a", 0))
	if causes := d.get("INC-1").Verdict.Causes; len(causes) != 0 {
		t.Fatalf("before it: %+v", causes)
	}
	d.alerted(related("r", -1))
	causes := d.get("INC-1").Verdict.Causes
	if len(causes) != 1 || causes[0].Because[0] != "90 % full" {
		t.Errorf("with it: %+v", causes)
	}
	bundle, err := d.Store.Bundle(context.Background(), "INC-1")
	d.must(err)
	if bundle.Alerts == nil || len(*bundle.Alerts) != 1 {
		t.Errorf("kept with the evidence: %+v", bundle.Alerts)
	}
	d.must(d.RunAll(context.Background(), "INC-1", ada))
	d.Wait()
	bundle, err = d.Store.Bundle(context.Background(), "INC-1")
	d.must(err)
	if len(*bundle.Alerts) != 2 || (*bundle.Alerts)[0].Name != "QueueFull" {
		t.Errorf("kept with the evidence, read again: %+v", bundle.Alerts)
	}
}

// TestAStormIsOneIncident: a thousand alerts and more, at once, to two replicas.
func TestAStormIsOneIncident(t *testing.T) {
	d, other := alertDesk(t), alertDesk(t)
	other.Store = d.Store
	var wrong sync.Map
	var all sync.WaitGroup
	for n := range 1100 {
		replica := []desk{d, other}[n%2]
		all.Go(func() {
			if err := replica.Alerted(context.Background(), replica.notice(firing(fmt.Sprint("f", n), 0))); err != nil {
				wrong.Store(n, err)
			}
		})
	}
	all.Wait()
	d.Wait()
	other.Wait()
	wrong.Range(func(n, err any) bool { t.Errorf("%v: %v", n, err); return false })
	var open []incident.Incident
	for _, inc := range d.all() {
		if inc.Open() {
			open = append(open, inc)
		} else if inc.SameAs == "" || len(inc.Shown) > 0 {
			t.Errorf("%s is closed: %s", inc.ID, told(inc))
		}
	}
	if len(open) != 1 || len(open[0].Alerts) != 1000 {
		t.Fatalf("%d open incidents", len(open))
	}
	labelled := 0
	for _, alert := range open[0].Alerts {
		if alert.Labels != nil {
			labelled++
		}
	}
	if lines := strings.Count(told(open[0]), "\n"); labelled > 20 || lines > 6 {
		t.Errorf("%d alerts with labels, %d lines of timeline:\n%s", labelled, lines, told(open[0]))
	}
}

// TestTwoReplicasHearTheSame: whoever is faster, each thing is done once.
func TestTwoReplicasHearTheSame(t *testing.T) {
	d, other := alertDesk(t), alertDesk(t)
	other.Store, other.Cluster = d.Store, d.cluster
	both := func(alert incident.Alert) {
		var calls sync.WaitGroup
		for _, replica := range []desk{d, other} {
			calls.Go(func() { replica.must(replica.Alerted(context.Background(), replica.notice(alert))) })
		}
		calls.Wait()
		d.Wait()
		other.Wait()
	}
	both(firing("a", 0))
	d.cluster.set(true, false)
	both(resolved("a", 0, 5))
	var kept []incident.Incident
	for _, inc := range d.all() {
		if inc.SameAs == "" {
			kept = append(kept, inc)
		}
	}
	if len(kept) != 1 || kept[0].State != incident.Closed {
		t.Fatalf("incidents: %+v", kept)
	}
	for _, says := range []string{"fires since", "is resolved", "ran every step", "store is well", "closed the incident"} {
		if strings.Count(told(kept[0]), says) != 1 {
			t.Errorf("%q does not stand once in\n%s", says, told(kept[0]))
		}
	}
}

// TestARestartGoesOnWithWhatTheAlertBegan: the walk that had not begun, and
// the look that had not ended.
func TestARestartGoesOnWithWhatTheAlertBegan(t *testing.T) {
	d := alertDesk(t)
	d.Alerting.Auto = false // it died before the walk
	d.alerted(firing("a", 0))
	d.Alerting.Auto = true
	d.must(d.Recover(context.Background()))
	d.Wait()
	if inc := d.get("INC-1"); !inc.Judged || inc.Verdict.Causes[0].Scenario != "broken" {
		t.Fatalf("not walked: %+v", inc.Verdict)
	}
	inc := d.get("INC-1")
	inc.Alerts[0].EndsAt, inc.Quiet = at(5), incident.Quiet{At: at(5)} // it died before it had looked
	_, err := d.Store.Update(context.Background(), inc)
	d.must(err)
	d.cluster.set(true, false)
	d.must(d.Recover(context.Background()))
	d.Wait()
	if inc := d.get("INC-1"); inc.State != incident.Closed || inc.Quiet.Says != "" {
		t.Errorf("after the restart: %s, %q\n%s", inc.State, inc.Quiet, told(inc))
	}
}

// TestTheAlertEndsWhileAPlanIsApplied: the look waits for the plan, and its
// own verification, and closes then.
func TestTheAlertEndsWhileAPlanIsApplied(t *testing.T) {
	d := alertDesk(t)
	d.alerted(firing("a", 0))
	d.must(d.MakePlan(context.Background(), "INC-1", ada, "broken", nil))
	d.Wait()
	d.cluster.gate = make(chan struct{})
	d.must(d.ApplyPlan(context.Background(), "INC-1", bob, consentTo(d.get("INC-1").Plans[0])))
	d.must(d.Alerted(context.Background(), d.notice(resolved("a", 0, 5))))
	if inc := d.get("INC-1"); inc.State != incident.Applying {
		t.Errorf("while it is applied: %s", inc.State)
	}
	close(d.cluster.gate)
	d.Wait()
	inc := d.get("INC-1")
	if inc.State != incident.Closed || inc.Plans[0].State != incident.Applied || inc.FixedAt.IsZero() {
		t.Errorf("in the end: %s\n%s", inc.State, told(inc))
	}
	d.refused(d.Close(context.Background(), "INC-1", ada), "closed already")
}

// TestAFixThatDoesNotLastIsNotClosed: it was verified, and is not well when its alert ends.
func TestAFixThatDoesNotLastIsNotClosed(t *testing.T) {
	d := alertDesk(t)
	d.alerted(firing("a", 0))
	d.must(d.MakePlan(context.Background(), "INC-1", ada, "broken", nil))
	d.Wait()
	d.must(d.ApplyPlan(context.Background(), "INC-1", bob, consentTo(d.get("INC-1").Plans[0])))
	d.Wait()
	if inc := d.get("INC-1"); inc.State != incident.Fixed || !inc.FixedAt.Equal(at(0)) {
		t.Fatalf("after the fix: %s, %s", inc.State, inc.FixedAt)
	}
	d.cluster.set(false, true)
	d.alerted(resolved("a", 0, 5))
	if inc := d.get("INC-1"); inc.State != incident.NotFixed || inc.Quiet.Says != "it is not ready" || !inc.FixedAt.IsZero() {
		t.Errorf("in the end: %s, %q", inc.State, inc.Quiet)
	}
}
