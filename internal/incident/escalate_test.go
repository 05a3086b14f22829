package incident_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"redis-session-bot/internal/incident"
	"redis-session-bot/internal/runbook"
)

// receiver is a pager that keeps what it is told.
type receiver struct {
	mu    sync.Mutex
	got   []incident.Summons
	fails error
	gate  chan struct{} // when set, a call waits for it, or for its end
}

func (r *receiver) Call(ctx context.Context, summons incident.Summons) (string, error) {
	r.mu.Lock()
	gate := r.gate
	r.mu.Unlock()
	if gate != nil {
		select {
		case <-gate:
		case <-ctx.Done():
			return "", ctx.Err()
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.fails != nil {
		return "", r.fails
	}
	r.got = append(r.got, summons)
	return fmt.Sprintf("ref-%d", len(r.got)), nil
}

func (r *receiver) set(change func(r *receiver)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	change(r)
}

// heard is what it was told, in words.
func (r *receiver) heard() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	words := make([]string, len(r.got))
	for n, summons := range r.got {
		words[n] = strings.TrimSpace(fmt.Sprintf("%s %s", summons.Act, summons.Ref))
	}
	return strings.Join(words, ", ")
}

// tower is a desk with pagers: duty, and a channel that is asked where duty fails.
type tower struct {
	desk
	duty, channel, crisis *receiver
	id                    string
}

func newTower(t *testing.T) *tower {
	t.Helper()
	w := &tower{desk: newDesk(t), duty: &receiver{}, channel: &receiver{}, crisis: &receiver{}}
	w.equip(w.Service)
	w.id = w.open()
	return w
}

func (w *tower) equip(s *incident.Service) {
	s.Escalation = policy()
	s.Pagers = map[string]incident.Pager{"duty": w.duty, "channel": w.channel, "crisis": w.crisis}
	s.Runbooks["queue"].EscalateAfter = 30 * time.Minute
}

// replica is another process on the same store.
func (w *tower) replica() *incident.Service {
	ctx, cancel := context.WithCancel(context.Background())
	s := &incident.Service{Runbooks: map[string]*runbook.Runbook{"queue": document.Load(w.t)}, Checks: w.Checks, Cluster: w.cluster, Store: w.Store, Roles: roles{},
		Kubectl: w.Kubectl, Changed: func(string) {}, Limits: w.Limits, Log: slog.New(slog.DiscardHandler), Now: w.clock.Now, Background: ctx}
	w.equip(s)
	w.t.Cleanup(func() { cancel(); s.Wait() })
	return s
}

// minute sets the clock to that minute of the incident and lets it strike.
func (w *tower) minute(n float64) incident.Incident {
	w.t.Helper()
	begun := w.get(w.id).Since
	w.clock.forward(begun.Add(time.Duration(n * float64(time.Minute))).Sub(w.clock.Now()))
	_, err := w.Escalate(context.Background(), w.id)
	w.must(err)
	w.Wait()
	return w.get(w.id)
}

// noted are the lines of the timeline with that word.
func noted(inc incident.Incident, word string) []string {
	var lines []string
	for _, entry := range inc.Timeline {
		if strings.Contains(entry.Text, word) {
			lines = append(lines, entry.Actor.ID+" "+entry.Text)
		}
	}
	return lines
}

func (w *tower) heard(duty, channel, crisis string) {
	w.t.Helper()
	if diff := cmp.Diff([]string{duty, channel, crisis}, []string{w.duty.heard(), w.channel.heard(), w.crisis.heard()}); diff != "" {
		w.t.Errorf("heard by duty, channel, crisis: want (-), got (+):\n%s", diff)
	}
}

func TestFromTheReminderToTheResolve(t *testing.T) {
	w := newTower(t)
	ctx := context.Background()
	w.minute(19)
	w.heard("", "", "")
	if inc := w.minute(20); len(inc.Escalation.Reminders) != 1 {
		t.Errorf("reminders: %+v", inc.Escalation.Reminders)
	}
	inc := w.minute(30)
	w.heard("page", "", "")
	if got := inc.Escalation.Calls[0]; got.State != incident.CallSent || got.Pager != "duty" || got.Ref != "ref-1" || got.Level != 1 || got.Key != "queue-INC-1-20260102T030000Z" {
		t.Errorf("the page: %+v", got)
	}
	w.refused(w.Acknowledge(ctx, w.id, eve), "You may not.")
	w.must(w.Acknowledge(ctx, w.id, ada))
	w.refused(w.Acknowledge(ctx, w.id, bob), "Ada acknowledged the page at 03:30 UTC already")
	w.minute(44) // nothing is repeated
	w.heard("page, acknowledge ref-1", "", "")
	w.minute(45) // the next level, and with it the response
	w.heard("page, acknowledge ref-1, page ref-1", "", "respond")
	w.must(w.RunAll(ctx, w.id, ada))
	w.Wait()
	w.must(w.MakePlan(ctx, w.id, ada, "broken", nil))
	w.Wait()
	w.must(w.ApplyPlan(ctx, w.id, bob, consentTo(w.get(w.id).Plans[0])))
	w.Wait()
	inc = w.minute(46)
	if inc.State != incident.Fixed || inc.Escalation.Over.IsZero() {
		t.Errorf("%s, over %s", inc.State, inc.Escalation.Over)
	}
	w.heard("page, acknowledge ref-1, page ref-1, resolve ref-1", "", "respond")
	keys := map[string]bool{}
	for _, summons := range w.duty.got {
		keys[summons.Key] = true
	}
	if len(keys) != 1 {
		t.Errorf("at the receiver it is one incident, and not %v", keys)
	}
	want := []string{"bot paged @oncall by duty: the delay has passed without a verified fix", "bot paged @lead by duty: the delay has passed without a verified fix"}
	if diff := cmp.Diff(want, noted(inc, "paged @")); diff != "" {
		t.Error(diff)
	}
	w.minute(24 * 60)
	w.heard("page, acknowledge ref-1, page ref-1, resolve ref-1", "", "respond")
	w.must(w.UndoPlan(ctx, w.id, bob, 1))
	w.Wait()
	w.minute(24*60 + 1)
	w.minute(24*60 + 30)
	w.heard("page, acknowledge ref-1, page ref-1, resolve ref-1", "", "respond")
	inc = w.minute(24*60 + 31)
	w.heard("page, acknowledge ref-1, page ref-1, resolve ref-1, page", "", "respond")
	if got := inc.Escalation.Pages()[0].Key; got != "queue-INC-1-20260102T030000Z-2" {
		t.Errorf("after the undo it is another incident at the receiver, and not %s", got)
	}
}

func TestTwoProcessesPageOnce(t *testing.T) {
	w := newTower(t)
	other := w.replica()
	w.clock.forward(31 * time.Minute)
	var both sync.WaitGroup
	for _, s := range []*incident.Service{w.Service, other} {
		for range 5 {
			both.Go(func() {
				if _, err := s.Escalate(context.Background(), w.id); err != nil {
					t.Error(err)
				}
			})
		}
	}
	both.Wait()
	w.Wait()
	other.Wait()
	w.heard("page", "", "")
}

// TestABotThatDiesWhilePaging: the page was recorded, and nobody knows whether
// it has left. It is sent again, as the same incident at the receiver.
func TestABotThatDiesWhilePaging(t *testing.T) {
	w := newTower(t)
	dying, die := context.WithCancel(context.Background())
	gate := make(chan struct{})
	w.Background = dying
	w.duty.set(func(r *receiver) { r.gate = gate })
	w.clock.forward(30 * time.Minute)
	_, err := w.Escalate(context.Background(), w.id)
	w.must(err)
	die()
	w.Wait()
	first := w.get(w.id).Escalation.Calls[0]
	if first.State != incident.CallSending || len(noted(w.get(w.id), "no pager")) > 0 {
		t.Fatalf("of a bot that died nothing is known, and not %+v", first)
	}
	w.duty.set(func(r *receiver) { r.gate = nil })
	other := w.replica()
	look := func() {
		_, err := other.Escalate(context.Background(), w.id)
		w.must(err)
		other.Wait()
	}
	w.clock.forward(119 * time.Second)
	look()
	w.heard("", "", "")
	w.clock.forward(time.Second)
	look()
	w.heard("page", "", "")
	if got := w.duty.got[0]; got.Key != first.Key || got.Number != 1 || !got.Again {
		t.Errorf("sent again: %+v", got)
	}
	if calls := w.get(w.id).Escalation.Calls; len(calls) != 1 || calls[0].State != incident.CallSent || calls[0].Tries != 2 {
		t.Errorf("calls: %+v", calls)
	}
}

func TestAllPagersFailAndRecover(t *testing.T) {
	w := newTower(t)
	w.duty.set(func(r *receiver) { r.fails = fmt.Errorf("401 Unauthorized: %w", incident.ErrNotTaken) })
	w.channel.set(func(r *receiver) { r.fails = errors.New("no answer") })
	inc := w.minute(30)
	for _, minute := range []float64{31, 33, 37, 44} { // the pause grows
		inc = w.minute(minute)
	}
	call := inc.Escalation.Calls[0]
	if call.State != incident.CallFailed || call.Tries != 4 || !cmp.Equal(call.Maybe, []string{"channel"}) {
		t.Errorf("the page: %+v", call)
	}
	want := []string{"bot no pager took the page to @oncall: duty: 401 Unauthorized: not taken; channel: no answer. It is tried again."}
	if diff := cmp.Diff(want, noted(inc, "no pager")); diff != "" {
		t.Errorf("one line is enough:\n%s", diff)
	}
	w.channel.set(func(r *receiver) { r.fails = nil })
	inc = w.minute(45) // the second level fails: its one pager is duty
	w.heard("", "page", "respond")
	if !w.channel.got[0].Again || w.channel.got[0].Key != call.Key {
		t.Errorf("sent again: %+v", w.channel.got[0])
	}
	if got := noted(inc, "paged @oncall by channel"); len(got) != 1 {
		t.Errorf("timeline: %q", got)
	}
	w.duty.set(func(r *receiver) { r.fails = nil })
	w.minute(46)
	w.heard("page", "page", "respond")
}

// TestAFixWhileAPageIsOnItsWay: the receiver must not hear of the end first.
func TestAFixWhileAPageIsOnItsWay(t *testing.T) {
	w := newTower(t)
	ctx := context.Background()
	gate := make(chan struct{})
	w.duty.set(func(r *receiver) { r.gate = gate })
	w.clock.forward(30 * time.Minute)
	_, err := w.Escalate(ctx, w.id)
	w.must(err)
	w.must(w.Close(ctx, w.id, ada))
	_, err = w.Escalate(ctx, w.id)
	w.must(err)
	if calls := w.get(w.id).Escalation.Calls; len(calls) != 1 {
		t.Errorf("calls: %+v", calls)
	}
	close(gate)
	w.Wait()
	w.minute(30)
	w.heard("page, resolve ref-1", "", "")
}

func TestThePagersOfTheConfigurationNow(t *testing.T) {
	w := newTower(t)
	w.duty.set(func(r *receiver) { r.fails = errors.New("no answer") })
	w.channel.set(func(r *receiver) { r.fails = errors.New("no answer") })
	w.minute(30)
	w.Service.Escalation.Levels[0].Pagers = []string{"gone", "crisis"}
	inc := w.minute(31)
	w.heard("", "", "page")
	if call := inc.Escalation.Calls[0]; !cmp.Equal(call.Maybe, []string{"duty", "channel"}) || !strings.Contains(call.Error, "gone: no pager of this name is configured") {
		t.Errorf("the page: %+v", call)
	}
	for _, r := range []*receiver{w.duty, w.channel} {
		r.set(func(r *receiver) { r.fails = nil })
	}
	w.must(w.Close(context.Background(), w.id, ada))
	w.minute(32)
	w.heard("resolve", "resolve", "page, resolve ref-1")
}

// TestKeepTime lets the real clock strike, and is woken by a change.
func TestKeepTime(t *testing.T) {
	w := newTower(t)
	w.Now = time.Now
	w.Runbooks["queue"].EscalateAfter = 30 * time.Millisecond
	w.must(w.Close(context.Background(), w.id, ada))
	w.id = w.open()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { w.KeepTime(ctx); close(ended) }()
	w.until("the page", func() bool { return strings.HasPrefix(w.duty.heard(), "page") })
	w.must(w.Close(context.Background(), w.id, ada))
	w.until("the resolve", func() bool { return strings.HasSuffix(w.duty.heard(), "resolve ref-1") })
	cancel()
	<-ended
}

func (w *tower) until(what string, ok func() bool) {
	w.t.Helper()
	deadline := time.Now().Add(time.Minute)
	for !ok() {
		if time.Now().After(deadline) {
			w.t.Fatalf("not within a minute: %s; heard %q", what, w.duty.heard())
		}
		time.Sleep(time.Millisecond) // the receiver tells nobody
	}
}
