package chaos

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"redis-session-bot/internal/commands"
	"redis-session-bot/internal/incident"
)

// The people. Eve may do nothing.
var (
	ada = incident.Actor{ID: "ada", Name: "Ada"}
	bob = incident.Actor{ID: "bob", Name: "Bob"}
	cy  = incident.Actor{ID: "cy", Name: "Cy"}
	eve = incident.Actor{ID: "eve", Name: "Eve"}

	people = []incident.Actor{ada, bob, cy, bob, cy, eve}
)

// place is the one channel.
var place = incident.Place{Channel: "C1"}

// answerWithin is how long an answer may take: a plan is prepared within it.
const answerWithin = 6 * time.Minute

// ask is one thing that a person has asked for.
type ask struct {
	request commands.Request
	at      time.Time
	writes  atomic.Int32 // that it has made itself
	parked  chan struct{}
	parking sync.Once
	done    chan struct{}

	// Set before done is closed.
	reply commands.Reply
	died  bool // the replica has, and nobody has heard an answer
	took  time.Duration
}

type askKey struct{}

// park tells that the ask waits for something outside.
func (a *ask) park() { a.parking.Do(func() { close(a.parked) }) }

func (a *ask) String() string {
	words := a.request.Actor.ID + " " + a.request.Action + " " + a.request.Value + a.request.Text
	for _, input := range slices.Sorted(maps.Keys(a.request.Answers)) {
		words += fmt.Sprintf(" %s=%q", input, a.request.Answers[input])
	}
	return words
}

// hand brings a request to a replica.
func (w *world) hand(l *life, request commands.Request) *ask {
	a := &ask{request: request, at: time.Now(), parked: make(chan struct{}), done: make(chan struct{})}
	w.mu.Lock()
	w.asks = append(w.asks, a)
	w.mu.Unlock()
	w.note("   %s is asked: %s", l.of.name, a)
	w.around.Go(func() {
		defer close(a.done)
		heard := l.do(func() {
			a.reply = l.handler.Handle(context.WithValue(l.ctx, askKey{}, a), request)
		})
		a.died, a.took = !heard, time.Since(a.at)
		w.note("   %s has answered %s: %s", l.of.name, a, says(a.reply, a))
	})
	return a
}

// says is what a person sees of an answer.
func says(reply commands.Reply, a *ask) string {
	switch {
	case a.died:
		return "(it died)"
	case reply.Form != nil:
		return "form " + reply.Form.Title
	case reply.Whisper != nil:
		return fmt.Sprintf("%q", reply.Whisper.Summary)
	case len(reply.Wrong) > 0:
		return fmt.Sprint(reply.Wrong)
	}
	return "done"
}

// someone is a replica that answers; nil for none.
func (w *world) someone() *life {
	first := w.draw.IntN(len(w.replicas))
	for n := range w.replicas {
		if l := w.replicas[(first+n)%len(w.replicas)].alive(); l != nil {
			return l
		}
	}
	return nil
}

// turn is a request that comes to one replica in the middle of what another one does.
type turn struct {
	replica string // whose it is
	skip    int    // calls of the other one that go first
	take    func() *ask
}

// takeTurn lets a request that waits for its turn run until it is answered or
// waits for something outside: what l does goes on only then.
func (w *world) takeTurn(l *life) {
	w.mu.Lock()
	t := w.turn
	if t == nil || t.replica == l.of.name {
		w.mu.Unlock()
		return
	}
	if t.skip--; t.skip >= 0 {
		w.mu.Unlock()
		return
	}
	w.turn = nil
	w.mu.Unlock()
	a := t.take()
	if a == nil {
		return
	}
	select {
	case <-a.done:
	case <-a.parked:
	}
}

// desk is what people see, and what they are about to do.
type desk struct {
	now, before []commands.Button // of all messages
	forms       []commands.Request
	again       []commands.Request // nobody has answered
	heard       int                // of world.asks
}

// look shows people the incidents as they are now, where Slack is there.
func (w *world) look() {
	if w.isDown(downSlack) {
		return
	}
	l := w.someone()
	if l == nil {
		return
	}
	var buttons []commands.Button
	l.do(func() { buttons = w.shown(l) })
	w.desk.before, w.desk.now = w.desk.now, buttons
}

// shown are the buttons of all messages, as a replica draws them. It remembers
// where some of the messages are, as package slack does.
func (w *world) shown(l *life) (buttons []commands.Button) {
	all, err := l.service.Recent(l.ctx, time.Time{})
	if err != nil {
		return nil
	}
	for _, inc := range all {
		for _, message := range l.handler.Messages(inc) {
			for _, part := range message.View.Parts {
				if row, ok := part.(commands.Buttons); ok {
					buttons = append(buttons, row.Buttons...)
				}
			}
		}
		if w.draw.IntN(3) == 0 {
			if err := l.service.Show(l.ctx, inc.ID, "incident", fmt.Sprintf("C1 %d", w.draw.IntN(100))); err != nil {
				w.note("   the place of %s is not kept: %v", inc.ID, err)
			}
		}
	}
	return buttons
}

// listen takes what was answered since: Forms are filled in next, and what
// nobody has answered is asked again.
func (w *world) listen() {
	w.mu.Lock()
	asks := slices.Clone(w.asks)
	w.mu.Unlock()
	for _, a := range asks[w.desk.heard:] {
		select {
		case <-a.done:
			w.desk.heard++
			w.hears(a)
		default:
			return // it is still on its way; those behind it wait
		}
	}
}

// hears holds one answer against what a person needs.
func (w *world) hears(a *ask) {
	w.count.saw("requests", 1)
	reply := a.reply
	if a.died {
		w.count.saw("requests asked again", 1)
		w.desk.again = append(w.desk.again, a.request)
		return
	}
	if a.took > answerWithin {
		w.broken("%s was answered after %s", a, a.took)
	}
	if reply.Whisper == nil && reply.Post == nil && reply.Form == nil && len(reply.Wrong) == 0 && a.writes.Load() == 0 {
		w.broken("%s was not answered: nothing was said, and nothing has changed", a)
	}
	w.secret(a.String(), reply)
	if form := reply.Form; form != nil {
		w.desk.forms = append(w.desk.forms, w.filled(a.request, form))
	}
}

// filled is a Form with its answers, which are mostly right.
func (w *world) filled(from commands.Request, form *commands.Form) commands.Request {
	r := commands.Request{Actor: from.Actor, Place: place, Action: form.ID, Value: form.Value, Answers: map[string]string{}}
	for _, input := range form.Inputs {
		switch input.ID {
		case incident.InputTyped:
			r.Answers[input.ID] = []string{"queue", "queue", "queue", "quue"}[w.draw.IntN(4)]
		case incident.InputReason:
			r.Answers[input.ID] = "everybody else sleeps"
		case incident.InputFor:
			r.Answers[input.ID] = []string{"15m", "30m", "soon"}[w.draw.IntN(3)]
		default:
			r.Answers[input.ID] = input.Value
		}
	}
	return r
}

// press is a button as somebody presses it who has seen it.
func press(who incident.Actor, button commands.Button) commands.Request {
	return commands.Request{Actor: who, Place: place, Action: button.ID, Value: button.Value}
}

// word is a command as somebody types it.
func word(who incident.Actor, text string) commands.Request {
	return commands.Request{Actor: who, Place: place, Command: command, Text: text}
}

// pick is a button to press: mostly one that changes something.
func (w *world) pick() (commands.Button, bool) {
	buttons := w.desk.now
	if w.draw.IntN(5) == 0 && len(w.desk.before) > 0 {
		buttons = w.desk.before // an old view
	}
	if len(buttons) == 0 {
		return commands.Button{}, false
	}
	for _, grave := range [][]string{{"apply", "go-on", "decide"}, {"plan", "undo", "apply", "go-on", "decide"}} {
		few := slices.DeleteFunc(slices.Clone(buttons), func(b commands.Button) bool { return !slices.Contains(grave, b.ID) })
		if len(few) > 0 && w.draw.IntN(2) == 0 {
			buttons = few
			break
		}
	}
	return buttons[w.draw.IntN(len(buttons))], true
}

// find is the first button of an action that people see.
func (w *world) find(action string) (commands.Button, bool) {
	at := slices.IndexFunc(w.desk.now, func(b commands.Button) bool { return b.ID == action })
	if at < 0 {
		return commands.Button{}, false
	}
	return w.desk.now[at], true
}

// alarm is one alert, of which Alertmanager tells until it is heard.
type alarm struct {
	incident.Alert
	target int
	heard  bool // as it is now
}

// tell tells of an alert as it is, until a replica has taken it.
func (w *world) tell(one *alarm) {
	w.around.Go(func() {
		for try := 0; w.over.Err() == nil; try++ {
			w.mu.Lock()
			alert := one.Alert
			w.mu.Unlock()
			at := w.replicas[(try+int(alert.StartsAt.Unix()))%len(w.replicas)]
			if l := at.alive(); l != nil {
				var err error
				heard := l.do(func() {
					err = l.service.Alerted(l.ctx, incident.Notice{Runbook: command, Target: w.targets[one.target], Place: place, Alerts: []incident.Alert{alert}})
				})
				w.note("   %s was told of %s (firing %t): %t, %v", at.name, alert.Fingerprint, alert.Firing(), heard, err)
				if err == nil && heard {
					w.taken(one, alert)
					return
				}
			}
			select {
			case <-w.over.Done():
			case <-time.After(10*time.Second + time.Duration(w.roll("Alertmanager "+alert.Fingerprint).Int64N(int64(20*time.Second)))):
			}
		}
	})
}

// taken holds that an alert that was taken is in the store.
func (w *world) taken(one *alarm, alert incident.Alert) {
	w.mu.Lock()
	one.heard = one.heard || one.Firing() == alert.Firing()
	w.mu.Unlock()
	w.count.saw("notices", 1)
	if alert.Firing() && alert.Name == w.book.Alert {
		w.knows(alert, "was just taken")
	}
}

// knows holds that some incident has an alert.
func (w *world) knows(alert incident.Alert, when string) {
	all, ok := w.everything()
	if !ok {
		return // nobody can look now
	}
	for _, inc := range all {
		if slices.ContainsFunc(inc.Alerts, func(a incident.Alert) bool { return a.Fingerprint == alert.Fingerprint }) {
			return
		}
	}
	w.broken("alert %s %s, and no incident has it", alert.Fingerprint, when)
}

// everything is every incident that there is or was; false while the one replica
// is dead, and nobody can look.
func (w *world) everything() ([]incident.Incident, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.kept == nil {
		return nil, false
	}
	all, err := w.kept.List(context.Background())
	if err != nil {
		w.t.Errorf("seed %d: the store cannot be read: %v", w.seed, err)
	}
	return append(all, w.gone...), true
}

// receiver is whom pages come to.
type receiver struct {
	name string

	mu  sync.Mutex
	has []incident.Summons
}

func (r *receiver) take(summons incident.Summons) (ref string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.has = append(r.has, summons)
	return "ref-" + summons.Key
}

func (r *receiver) all() []incident.Summons {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.has)
}

// policy pages two levels, and calls for a response with the second.
var policy = incident.Policy{Remind: 3 * time.Minute, Response: incident.Response{Who: "the crisis team", Pagers: []string{"hook"}, Level: 2},
	Levels: []incident.Level{{Who: "@oncall", Pagers: []string{"duty", "hook"}, Every: 5 * time.Minute, Times: 2}, {Who: "@lead", Pagers: []string{"hook"}, After: 10 * time.Minute}}}

// words are what people type.
func (w *world) words() string {
	all := []string{"diagnose shop", "diagnose mall", "diagnose", "status", "timeline", "report", "history", "help", "escalate", "respond", "hold 20m nobody is there",
		"hold", "hold end", "fallback shop", "fallback end", "fallback mall", "draft handover", "diagnoze", "fallback " + strings.Repeat("x", w.draw.IntN(3))}
	return all[w.draw.IntN(len(all))]
}
