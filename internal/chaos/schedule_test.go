package chaos

import (
	"fmt"
	"slices"
	"testing/synctest"
	"time"

	"redis-session-bot/internal/chaos/clustertest"
	"redis-session-bot/internal/commands"
	"redis-session-bot/internal/incident"
)

// run is one run: the replicas start, things happen, all comes to rest, and is
// looked at.
func (w *world) run() {
	for _, r := range w.replicas {
		w.around.Go(r.keep)
	}
	time.Sleep(time.Second)
	defer func() {
		w.end()
		w.around.Wait()
		synctest.Wait()
		if w.t.Failed() || *schedule {
			w.mu.Lock()
			defer w.mu.Unlock()
			for _, line := range w.story {
				w.t.Log(line)
			}
		}
	}()
	w.fire(0, w.book.Alert)
	for range 20 + w.draw.IntN(20) {
		w.once()
		w.passes()
		w.listen()
		w.look()
	}
	w.rest()
	w.judge()
	w.count.saw("runs", 1)
	for _, fake := range w.fakes {
		w.count.saw("writes", len(fake.Effects()))
	}
	for _, to := range w.pagers {
		w.count.saw("calls", len(to.all()))
	}
}

// passes lets some time pass.
func (w *world) passes() {
	spans := []time.Duration{100 * time.Millisecond, 2 * time.Second, 2 * time.Second, 10 * time.Second, 30 * time.Second, 2 * time.Minute, 6 * time.Minute}
	time.Sleep(time.Duration(w.draw.Int64N(int64(spans[w.draw.IntN(len(spans))]))))
}

// once is one step of the schedule.
func (w *world) once() {
	who := people[w.draw.IntN(len(people))]
	switch n := w.draw.IntN(100); {
	case n < 25 && w.towards():
	case n < 10:
		w.submit(word(who, w.words()))
	case n < 50:
		w.proceed(who)
	case n < 62:
		w.twice(who)
	case n < 70:
		w.alert()
	case n < 74:
		w.edit()
	case n < 77:
		w.fall(w.fakes[w.targets[w.draw.IntN(2)].Namespace])
		w.step("a queue falls ill")
	case n < 83:
		w.goes()
	case n < 90:
		w.kill()
	case n < 94:
		w.tidy()
	case n < 97:
		w.step("time passes")
		time.Sleep(time.Duration(w.draw.Int64N(int64(15 * time.Minute))))
	default:
		w.submit(word(ada, "diagnose "+w.targets[w.draw.IntN(2)].Name))
	}
}

// towards does what leads to a point that replicas seldom come to, where one has to
// die there; false where none has.
func (w *world) towards() bool {
	w.mu.Lock()
	waits := map[string]bool{}
	for _, one := range w.arms {
		waits[one.at.point] = true
	}
	w.mu.Unlock()
	switch closing, closable := w.find("close"); {
	case waits["Store.Drop"] && closable:
		w.submit(press(bob, closing))
		time.Sleep(tidyAfter)
		w.tidy()
	case waits["Store.Index"] || waits["Store.Drop"]:
		w.tidy()
	case waits["Cluster.Arrived"]:
		for _, action := range []string{"decide", "apply", "plan"} {
			if button, ok := w.find(action); ok {
				w.submit(press(bob, button))
				return true
			}
		}
		return false
	default:
		return false
	}
	return true
}

// submit brings a request to some replica, if Slack is there and one is.
func (w *world) submit(request commands.Request) {
	l := w.someone()
	if w.isDown(downSlack) || l == nil {
		w.step("nobody hears %s", request.Actor.ID)
		w.desk.again = append(w.desk.again, request)
		return
	}
	w.step("%s: %s%s %s", request.Actor.ID, request.Action, request.Text, request.Value)
	w.hand(l, request)
}

// proceed does what somebody has to do next: a Form, what nobody answered, or a
// button.
func (w *world) proceed(who incident.Actor) {
	if len(w.desk.forms) > 0 {
		request := w.desk.forms[0]
		w.desk.forms = w.desk.forms[1:]
		w.submit(request)
		return
	}
	if len(w.desk.again) > 0 {
		request := w.desk.again[0]
		w.desk.again = w.desk.again[1:]
		w.submit(request)
		return
	}
	if button, ok := w.pick(); ok {
		w.submit(press(who, button))
		return
	}
	w.submit(word(who, "diagnose"))
}

// twice is a button pressed twice, by two people or by one, at the same moment,
// or two that do not go together: the second comes to the other replica in the
// middle of what the first one does there.
func (w *world) twice(who incident.Actor) {
	button, ok := w.pick()
	l := w.someone()
	if !ok || l == nil || w.isDown(downSlack) {
		w.step("nobody presses anything")
		return
	}
	other := button
	if w.draw.IntN(3) == 0 {
		other, _ = w.pick()
	}
	second := []incident.Actor{who, bob, cy}[w.draw.IntN(3)]
	w.step("%s and %s: %s %s, %s %s", who.ID, second.ID, button.ID, button.Value, other.ID, other.Value)
	for _, r := range w.replicas {
		if r == l.of {
			continue
		}
		w.mu.Lock()
		w.turn = &turn{replica: r.name, skip: w.draw.IntN(6), take: func() *ask {
			if it := r.alive(); it != nil {
				return w.hand(it, press(second, other))
			}
			return nil
		}}
		w.mu.Unlock()
	}
	if len(w.replicas) == 1 {
		w.hand(l, press(second, other))
	}
	a := w.hand(l, press(who, button))
	select {
	case <-a.done:
	case <-a.parked:
	}
	w.mu.Lock()
	left := w.turn
	w.turn = nil
	w.mu.Unlock()
	if left != nil {
		left.take()
	}
}

// fire lets a new alert fire.
func (w *world) fire(target int, name string) {
	one := &alarm{target: target, Alert: incident.Alert{Fingerprint: fmt.Sprintf("%s-%d", w.targets[target].Name, len(w.alarms)), Name: name, StartsAt: time.Now()}}
	w.alarms = append(w.alarms, one)
	w.step("%s fires: %s", name, one.Fingerprint)
	w.tell(one)
}

// alert is something new of an alert, or something old once more.
func (w *world) alert() {
	if w.draw.IntN(3) == 0 {
		w.fire(w.draw.IntN(2), []string{w.book.Alert, w.book.Alert, "QueueSlow"}[w.draw.IntN(3)])
		return
	}
	one := w.alarms[w.draw.IntN(len(w.alarms))]
	w.mu.Lock()
	switch {
	case w.draw.IntN(3) == 0: // repeated
	case one.Firing():
		one.EndsAt = time.Now()
	default:
		one.StartsAt, one.EndsAt = time.Now(), time.Time{}
	}
	w.mu.Unlock()
	w.step("Alertmanager tells of %s, firing %t", one.Fingerprint, one.Firing())
	w.tell(one)
}

// edit is somebody else's hand on an object.
func (w *world) edit() {
	of := []incident.Object{clustertest.Settings, clustertest.Workload}[w.draw.IntN(2)]
	key := []string{"note", "size", "fallback"}[w.draw.IntN(3)]
	target := w.targets[w.draw.IntN(2)]
	w.step("somebody edits %s of %s", of, target)
	w.fakes[target.Namespace].Edit(of, key, fmt.Sprintf("edit %d", len(w.steps)))
}

// goes lets something be gone for a while.
func (w *world) goes() {
	what := []string{downStore, downCluster, downCluster, downPagers, downSlack}[w.draw.IntN(5)]
	span := time.Second + time.Duration(w.draw.Int64N(int64([]time.Duration{10 * time.Second, time.Minute, 5 * time.Minute}[w.draw.IntN(3)])))
	w.step("%s is gone for %s", what, span.Round(time.Second))
	w.count.saw("outages", 1)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.down[what] = time.Now().Add(span)
}

// kill ends a replica, wherever it is.
func (w *world) kill() {
	r := w.replicas[w.draw.IntN(len(w.replicas))]
	w.step("%s is killed", r.name)
	if l := r.alive(); l != nil {
		w.count.saw("kills", 1)
		l.die(death{})
	}
}

// tidyAfter is how long closed incidents are kept.
const tidyAfter = 8 * time.Minute

// tidy drops what was closed some time ago.
func (w *world) tidy() {
	w.step("the store is tidied")
	if l := w.someone(); l != nil {
		l.do(func() {
			if _, err := l.service.Tidy(l.ctx, incident.Keep{Age: tidyAfter - time.Minute}); err != nil {
				w.note("   not all is dropped: %v", err)
			}
		})
	}
}

// rest ends all faults and lets everything come to its end.
func (w *world) rest() {
	w.step("all faults are over")
	w.mu.Lock()
	w.calm = true
	w.mu.Unlock()
	for _, one := range w.alarms {
		w.tell(one)
	}
	for range 12 { // what is half done ends, and what was not answered is asked again
		time.Sleep(2 * time.Minute)
		w.listen()
		w.look()
		pending := slices.Concat(w.desk.again, w.desk.forms)
		w.desk.again, w.desk.forms = nil, nil
		for _, request := range pending {
			if request.Answers == nil || w.draw.IntN(2) == 0 {
				w.submit(request)
			}
		}
	}
	w.settled("at rest")
	for range 3 { // somebody looks at what nobody knows
		w.look()
		for _, button := range w.desk.now {
			if button.ID == "decide" {
				w.submit(press(bob, button))
			}
		}
		time.Sleep(6 * time.Minute)
		w.listen()
	}
	w.settled("once everything was decided")
	time.Sleep(70 * time.Minute) // past every hold, and every page
	w.listen()
}
