package changes

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/google/go-cmp/cmp"

	"redis-session-bot/internal/incident"
	"redis-session-bot/lab/workload"
)

// missesAPermission: no plan is shown, and the sentence says what to add.
func (w *ward) missesAPermission(r row) {
	w.without(r.lacks)
	defer w.grant()
	plan := w.made(r)
	if plan.State != incident.Failed {
		w.T.Fatalf("plan %s", plan.State)
	}
	for _, says := range []string{"Nothing was changed", "may not " + r.lacks.verb + " " + r.lacks.resource, r.lacks.rule()} {
		if !strings.Contains(plan.Trouble, says) {
			w.T.Errorf("%q is not in: %s", says, plan.Trouble)
		}
	}
	w.refused(w.apply(plan, first), "cannot be applied")
}

// isRefused: by the wrong person, too late, and after somebody else's edit nothing
// is written.
func (w *ward) isRefused(r row) {
	plan := w.plan(r)
	since, before := w.mark(r), r.state(w)
	ctx := w.T.Context()
	for who, says := range map[incident.Actor]string{responder: "diagnose, not apply", guest: "Guests may not"} {
		w.refused(w.apply(plan, who), says)
		w.refused(w.bot.CancelPlan(ctx, w.id(), who, plan.Number), says)
		w.refused(w.bot.UndoPlan(ctx, w.id(), who, plan.Number), says)
		w.refused(w.bot.GoOn(ctx, w.id(), who, plan.Number, plan.Digest), says)
	}
	w.bot.ahead.Store(int64(w.bot.Limits.PlanValid + time.Minute))
	w.refused(w.apply(plan, first), "was valid until")
	w.bot.ahead.Store(0)
	w.sent(since)
	w.same(before, r, "after what was refused")

	r.drift(w)
	since = w.mark(r)
	w.must(w.apply(plan, first))
	w.bot.Wait()
	got := w.last()
	if got.State != incident.Drifted || !strings.HasPrefix(got.Trouble, "Nothing was changed: ") || !strings.Contains(got.Trouble, r.names(w)) {
		w.T.Errorf("plan %s: %q, want it drifted and %q named", got.State, got.Trouble, r.names(w))
	}
	w.sent(since)
	if r.heal != nil {
		r.heal(w)
	}
}

// isClickedTwice: of two approvers at the same moment one is heard, on Apply and
// on Undo.
func (w *ward) isClickedTwice(r row) {
	plan := w.plan(r)
	since, before := w.mark(r), r.state(w)
	w.one(both(func(who incident.Actor) error { return w.apply(plan, who) }), "already being applied", "was applied by")
	w.bot.Wait()
	w.done(plan.Number)
	w.sent(since, plan)
	w.differs(before, r)
	w.undo(r, plan.Number, before)
}

// losesTheWrite: the API server is gone before the plan's last write arrives.
func (w *ward) losesTheWrite(r row) {
	plan := w.plan(r)
	since, before := w.mark(r), r.state(w)
	n := len(plan.Writes) - 1
	w.fall(plan, n, false)
	w.must(w.apply(plan, first))
	w.bot.Wait()
	w.inDoubt(plan.Number, n, "Nobody knows whether the last write arrived")
	short, cancel := context.WithTimeout(w.T.Context(), time.Second)
	w.refused(w.bot.Decide(short, w.id(), responder, plan.Number), "It cannot be told")
	cancel()
	if lost := w.gate.Mend(); lost > 1 {
		w.T.Errorf("%d writes were sent and lost, want one that is not repeated", lost)
	}
	w.must(w.bot.Decide(w.T.Context(), w.id(), responder, plan.Number))
	w.bot.Wait()
	got := w.number(plan.Number)
	if got.State != incident.Failed || got.Writes[n].Status != incident.Planned {
		w.T.Fatalf("plan %s, its last write %q: %s", got.State, got.Writes[n].Status, got.Trouble)
	}
	if n == 0 {
		if !strings.Contains(got.Trouble, "Nothing was changed: the write has not arrived") {
			w.T.Errorf("it is said: %s", got.Trouble)
		}
		w.same(before, r, "although nothing has arrived")
		w.sent(since)
		return
	}
	w.goOn(plan)
	w.sent(since, plan)
	w.undo(r, plan.Number, before)
}

// losesTheAnswer: the plan's first write arrives, and nobody hears that it has.
func (w *ward) losesTheAnswer(r row) {
	plan := w.plan(r)
	since, before := w.mark(r), r.state(w)
	w.fall(plan, 0, true)
	w.must(w.apply(plan, first))
	w.bot.Wait()
	w.inDoubt(plan.Number, 0, "Nobody knows whether the last write arrived")
	w.gate.Mend()
	w.arrived(r, plan, since, before)
}

// isKilled: the bot dies while a write is on its way, and another life of it finds
// the plan half done.
func (w *ward) isKilled(r row) {
	plan := w.plan(r)
	since, before := w.mark(r), r.state(w)
	n := len(plan.Writes) / 2
	held := w.hold(plan, n)
	w.must(w.apply(plan, first))
	select {
	case <-held:
	case <-time.After(time.Minute):
		w.T.Fatalf("write %d is not sent: %+v", n+1, w.last())
	}
	w.die()
	w.gate.Mend()
	w.born()
	w.inDoubt(plan.Number, n, "The bot was restarted while this plan was applied")
	w.arrived(r, plan, since, before)
}

// arrived asks what the cluster shows of a plan in doubt, of which a write has
// arrived, and carries it to its end and back.
func (w *ward) arrived(r row, plan incident.Plan, since mark, before any) {
	w.T.Helper()
	w.must(w.bot.Decide(w.T.Context(), w.id(), responder, plan.Number))
	w.bot.Wait()
	if got := w.number(plan.Number); incident.CanGoOn(got) {
		w.goOn(plan)
	}
	w.done(plan.Number)
	w.sent(since, plan)
	w.differs(before, r)
	w.undo(r, plan.Number, before)
}

// fall lets the API server go at a write, before it arrives or before its answer
// does.
func (w *ward) fall(plan incident.Plan, n int, arrive bool) {
	if plan.Writes[n].Verb == incident.Command {
		w.wire.breaks(cut{arrive: arrive, then: w.gate.Down})
		return
	}
	w.gate.Fall(arrive, isWrite(plan, n))
}

// hold keeps the bot waiting for the answer to a write that has arrived. The
// channel is closed once it waits.
func (w *ward) hold(plan incident.Plan, n int) <-chan struct{} {
	if plan.Writes[n].Verb != incident.Command {
		return w.gate.Hold(isWrite(plan, n))
	}
	held := make(chan struct{})
	w.wire.breaks(cut{arrive: true, hold: true, then: func() { close(held) }})
	return held
}

// inDoubt holds that a plan says that nobody knows of one write, and that until
// somebody has looked nothing more is done for it.
func (w *ward) inDoubt(number, write int, says string) {
	w.T.Helper()
	plan := w.number(number)
	if plan.State != incident.Uncertain || plan.Writes[write].Status != incident.Lost || !strings.Contains(plan.Trouble, says) {
		w.T.Fatalf("plan %s, write %d %q: %s", plan.State, write+1, plan.Writes[write].Status, plan.Trouble)
	}
	ctx := w.T.Context()
	w.refused(w.apply(plan, second), "cannot be applied")
	w.refused(w.bot.GoOn(ctx, w.id(), second, number, plan.Digest), "cannot be taken up again")
	w.refused(w.bot.UndoPlan(ctx, w.id(), second, number), "See first what arrived")
}

// goOn takes a plan up again, by two approvers at once.
func (w *ward) goOn(plan incident.Plan) {
	w.T.Helper()
	for who, says := range map[incident.Actor]string{responder: "diagnose, not apply", guest: "Guests may not"} {
		w.refused(w.bot.GoOn(w.T.Context(), w.id(), who, plan.Number, plan.Digest), says)
	}
	w.one(both(func(who incident.Actor) error {
		return w.bot.GoOn(w.T.Context(), w.id(), who, plan.Number, plan.Digest)
	}), "cannot be taken up again")
	w.bot.Wait()
	w.done(plan.Number)
}

// undo puts a plan back, by two approvers at once; where that loses data one of
// them applies the plan for it.
func (w *ward) undo(r row, number int, before any) {
	w.T.Helper()
	ctx := w.T.Context()
	if len(incident.UndoOf(w.number(number))) == 0 {
		if !r.stays {
			w.T.Errorf("plan %d cannot be undone", number)
		}
		w.refused(w.bot.UndoPlan(ctx, w.id(), first, number), "cannot be undone")
		return
	}
	for who, says := range map[incident.Actor]string{responder: "diagnose, not apply", guest: "Guests may not"} {
		w.refused(w.bot.UndoPlan(ctx, w.id(), who, number), says)
	}
	since := w.mark(r)
	errs := both(func(who incident.Actor) error { return w.bot.UndoPlan(ctx, w.id(), who, number) })
	w.one(errs, fmt.Sprintf("puts plan %d back already", number), "is being applied", "has been undone already")
	w.bot.Wait()
	undo := w.last()
	if undo.State == incident.Proposed { // it loses data
		w.gate.Changed()
		w.must(w.apply(undo, second))
		w.bot.Wait()
	}
	if undo = w.last(); undo.State != incident.Applied || undo.Undoes != number || w.number(number).State != incident.Undone {
		w.T.Fatalf("the undo: plan %s, of plan %d, which is %s: %s", undo.State, undo.Undoes, w.number(number).State, undo.Trouble)
	}
	w.sent(since, undo)
	w.same(before, r, "after the undo")
}

// both lets two approvers do something at the same moment.
func both(do func(who incident.Actor) error) (errs [2]error) {
	var presses sync.WaitGroup
	for i, who := range []incident.Actor{first, second} {
		presses.Go(func() { errs[i] = do(who) })
	}
	presses.Wait()
	return errs
}

// one holds that one of two was heard, and the other was told why not.
func (w *ward) one(errs [2]error, says ...string) {
	w.T.Helper()
	if (errs[0] == nil) == (errs[1] == nil) {
		w.T.Fatalf("one of two has to be heard: %v, %v", errs[0], errs[1])
	}
	var refusal *incident.Refusal
	if !errors.As(errors.Join(errs[:]...), &refusal) || !slices.ContainsFunc(says, func(one string) bool { return strings.Contains(refusal.Says, one) }) {
		w.T.Errorf("the other one is told %v, want one of %q", refusal, says)
	}
}

// made asks for a plan of the change as it is now.
func (w *ward) made(r row) incident.Plan {
	w.T.Helper()
	if r.ready != nil {
		r.ready(w)
	}
	w.read([]row{r})
	if w.incident == "" {
		inc, _, err := w.bot.Open(w.T.Context(), responder, command, w.target, incident.Place{})
		w.must(err)
		w.incident = inc.ID
	}
	w.must(w.bot.MakePlan(w.T.Context(), w.id(), responder, r.kind, nil))
	w.bot.Wait()
	return w.last()
}

// plan makes one that waits for its answer.
func (w *ward) plan(r row) incident.Plan {
	w.T.Helper()
	plan := w.made(r)
	if plan.State != incident.Proposed || !incident.Accepted(plan) {
		w.T.Fatalf("plan %s: %s %+v", plan.State, plan.Trouble, plan.Writes)
	}
	return plan
}

// apply presses Apply, with the workload's name typed.
func (w *ward) apply(plan incident.Plan, who incident.Actor) error {
	return w.bot.ApplyPlan(w.T.Context(), w.id(), who, incident.Consent{Number: plan.Number, Digest: plan.Digest, Typed: workload.Redis})
}

// id is the ward's one incident.
func (w *ward) id() string { return w.incident }

func (w *ward) plans() []incident.Plan {
	w.T.Helper()
	inc, err := w.bot.Get(w.T.Context(), w.id())
	w.must(err)
	return inc.Plans
}

func (w *ward) last() incident.Plan {
	w.T.Helper()
	plans := w.plans()
	return plans[len(plans)-1]
}

func (w *ward) number(n int) incident.Plan {
	w.T.Helper()
	return w.plans()[n-1]
}

// done holds that a plan has come to its end, well.
func (w *ward) done(number int) {
	w.T.Helper()
	plan := w.number(number)
	for i, write := range plan.Writes {
		if write.Status != incident.Done {
			w.T.Errorf("write %d is %q: %s", i+1, write.Status, write.Error)
		}
	}
	if plan.State != incident.Applied || plan.Trouble != "" {
		w.T.Fatalf("plan %s: %s", plan.State, plan.Trouble)
	}
}

func (w *ward) same(before any, r row, when string) {
	w.T.Helper()
	if diff := cmp.Diff(before, r.state(w)); diff != "" {
		w.T.Errorf("%s it is not what it was (-before +after):\n%s", when, diff)
	}
}

func (w *ward) differs(before any, r row) {
	w.T.Helper()
	if cmp.Equal(before, r.state(w)) {
		w.T.Errorf("it is as it was before: %v", before)
	}
}
