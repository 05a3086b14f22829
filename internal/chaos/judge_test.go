package chaos

import (
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"redis-session-bot/internal/chain"
	"redis-session-bot/internal/chaos/clustertest"
	"redis-session-bot/internal/incident"
)

// settled holds what is true whenever nothing goes on: no work is left without
// somebody who does it, and the incidents say what the clusters have.
func (w *world) settled(when string) {
	w.t.Helper()
	all, ok := w.everything()
	if !ok {
		w.broken("%s the store is not open", when)
		return
	}
	effects := map[string]int{}
	for _, fake := range w.fakes {
		for _, effect := range fake.Effects() {
			effects[clustertest.Intention(incident.Write{Kubectl: effect.Intention})]++
		}
	}
	for intention, n := range effects {
		if n > 1 {
			w.broken("%s %q took effect %d times", when, intention, n)
		}
	}
	open := map[string][]string{}
	for _, inc := range all {
		w.ended(inc, when)
		for _, plan := range inc.Plans {
			w.recorded(inc, plan, effects, when)
		}
		if inc.State != incident.Fixed && inc.State != incident.Closed && !slices.ContainsFunc(inc.Timeline, wasOver) {
			open[inc.Target.String()] = append(open[inc.Target.String()], inc.ID)
		}
	}
	for intention := range effects {
		w.broken("%s %q has taken effect, and no plan tells of it", when, intention)
	}
	for target, ids := range open {
		if len(ids) > 1 {
			w.broken("%s %s are open for %s", when, strings.Join(ids, " and "), target)
		}
	}
}

// wasOver reports whether a line tells that an incident was over: another one may
// have been opened then, and this one taken up again.
func wasOver(entry incident.Entry) bool {
	return entry.Text == "verified: fixed" || entry.Text == "closed the incident"
}

// ended holds that nothing of an incident waits for work that nobody does.
func (w *world) ended(inc incident.Incident, when string) {
	w.t.Helper()
	if inc.State == incident.Applying || inc.State == incident.Verifying {
		w.broken("%s %s is still %s", when, inc.ID, inc.State)
	}
	for _, step := range inc.Steps {
		if inc.Open() && step.Status == incident.Running {
			w.broken("%s step %s of %s still runs", when, step.ID, inc.ID)
		}
	}
	for _, plan := range inc.Plans {
		if plan.State == incident.Underway || inc.Open() && plan.State == incident.Preparing {
			w.broken("%s plan %d of %s is still %s", when, plan.Number, inc.ID, plan.State)
		}
	}
}

// recorded holds that a plan says of each write what has become of it, and that
// the timeline tells of it. It takes what it has found out of effects.
func (w *world) recorded(inc incident.Incident, plan incident.Plan, effects map[string]int, when string) {
	w.t.Helper()
	wrote := false
	for n, write := range plan.Writes {
		intention := clustertest.Intention(write)
		took := effects[intention] > 0
		delete(effects, intention)
		wrote = wrote || took
		says := write.Status == incident.Done || write.Status == incident.Broken
		if took != says && !(write.Status == incident.Lost && plan.State == incident.Uncertain) {
			w.broken("%s write %d of plan %d of %s is %q, took effect %t, and the plan is %s", when, n+1, plan.Number, inc.ID, write.Status, took, plan.State)
		}
	}
	lines := 0
	for _, entry := range inc.Timeline {
		if outcome(plan.Number).MatchString(entry.Text) {
			lines++
		}
	}
	if wrote && lines == 0 {
		w.broken("%s plan %d of %s is %s and has written, and the timeline does not say what became of it", when, plan.Number, inc.ID, plan.State)
	}
}

// outcome is what the timeline says when a plan has come to an end.
func outcome(plan int) *regexp.Regexp {
	return regexp.MustCompile(fmt.Sprintf(`^(applied plan %d$|plan %[1]d ended: |plan %[1]d, write \d+: )`, plan))
}

// judge holds the end of a run against what must always be true.
func (w *world) judge() {
	w.t.Helper()
	w.settled("at the end")
	all, _ := w.everything()
	for _, one := range w.alarms {
		switch {
		case !one.heard:
			w.broken("nobody has taken alert %s", one.Fingerprint)
		case one.Firing() && one.Name == w.book.Alert:
			w.knows(one.Alert, "fires")
		}
	}
	dropped := map[string]bool{} // maybe before its receivers were told that it is over
	for _, inc := range w.gone {
		dropped[inc.ID] = true
	}
	for _, inc := range all {
		if !dropped[inc.ID] {
			w.paged(inc)
		}
		for _, message := range w.replicas[0].alive().handler.Messages(inc) {
			w.secret(inc.ID+" "+message.Key, message)
		}
		w.secret(inc.ID, inc)
	}
	w.received(all, dropped)
	w.audited()
	w.mu.Lock()
	log := w.log.String()
	w.mu.Unlock()
	w.secret("the log", log)
	for _, a := range w.asks {
		select {
		case <-a.done:
		default:
			w.broken("%s, asked %s ago, was never answered", a, time.Since(a.at))
		}
	}
	if w.desk.heard != len(w.asks) {
		w.broken("%d of %d answers were heard", w.desk.heard, len(w.asks))
	}
}

// secret holds that nothing of it is the password.
func (w *world) secret(what string, content any) {
	w.t.Helper()
	data, err := json.Marshal(content)
	if err != nil {
		w.broken("%s cannot be looked at: %v", what, err)
	}
	if strings.Contains(string(data), canary) {
		w.broken("%s has the password: %s", what, data)
	}
}

// paged holds that everybody was called who had to be.
func (w *world) paged(inc incident.Incident) {
	w.t.Helper()
	if due, _ := policy.Decide(inc, w.book, time.Now()); len(due) > 0 {
		w.broken("%s has left undone: %+v", inc.ID, due)
	}
	e := inc.Escalation
	for _, call := range e.Calls {
		if call.State == incident.CallSent && !slices.ContainsFunc(w.pagers[call.Pager].all(), func(s incident.Summons) bool { return of(inc, call, s) }) {
			w.broken("call %d of %s is recorded as taken by %s, which has nothing of it", call.Number, inc.ID, call.Pager)
		}
	}
	needed := inc.State == incident.NotFixed || inc.Open() && inc.State != incident.Fixed && len(inc.Verdict.Causes) > 0 && inc.Verdict.Causes[0].Scenario == "broken"
	if !needed {
		return
	}
	for n, level := range policy.Levels {
		if !slices.ContainsFunc(e.Pages(), func(c incident.Call) bool { return c.Level == n+1 && c.State == incident.CallSent }) {
			w.broken("%s is %s since %s, and %s was never paged", inc.ID, inc.State, inc.Since, level)
		}
	}
}

// of reports whether a receiver's summons is of a call.
func of(inc incident.Incident, call incident.Call, s incident.Summons) bool {
	return s.Incident == inc.ID && s.Number == call.Number && s.Key == call.Key && s.Act == call.Act
}

// received holds that every call that has arrived is recorded, under one key, and
// that what is over ends at every receiver.
func (w *world) received(all []incident.Incident, dropped map[string]bool) {
	w.t.Helper()
	for _, to := range w.pagers {
		last := map[string]incident.Summons{}
		for _, s := range to.all() {
			w.secret("a page", s)
			if s.Act != incident.Acknowledge { // one that comes late changes nothing of what is over
				last[s.Key] = s
			}
			if !slices.ContainsFunc(all, func(inc incident.Incident) bool {
				return slices.ContainsFunc(inc.Escalation.Calls, func(c incident.Call) bool { return of(inc, c, s) })
			}) {
				w.broken("%s has call %d of %s (%s, %s), which is not recorded", to.name, s.Number, s.Incident, s.Act, s.Key)
			}
		}
		for _, inc := range all {
			for _, call := range inc.Escalation.Calls {
				s, has := last[call.Key]
				if has && !dropped[inc.ID] && call.Act == incident.Trigger && (!inc.Open() || inc.State == incident.Fixed || call.Round < inc.Escalation.Round) && s.Act != incident.Resolve {
					w.broken("%s is %s, and %s was told last of %s: %s", inc.ID, inc.State, to.name, s.Key, s.Act)
				}
			}
		}
	}
}

// audited holds that the audit trail is whole, and that no plan is told of as
// applied twice.
func (w *world) audited() {
	w.t.Helper()
	report, err := chain.Verify(context.Background(), w.kept, w.kept)
	if err != nil || len(report.Troubles) > 0 {
		w.broken("the audit trail: %+v, %v", report.Troubles, err)
	}
	said := map[string]bool{}
	for entry, err := range w.kept.Trail(context.Background()) {
		if err != nil {
			w.broken("the audit trail: %v", err)
		}
		what := entry.Incident + " " + entry.Text
		if strings.HasPrefix(entry.Text, "applied plan ") && said[what] {
			w.broken("the audit trail says twice: %s", what)
		}
		said[what] = true
		w.secret("the audit trail", entry)
	}
}
