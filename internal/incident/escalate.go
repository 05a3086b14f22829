package incident

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// scanEvery is how often all incidents are looked at: another process may have
// changed one.
const scanEvery = 30 * time.Second

// KeepTime looks after the clocks of all incidents until ctx is over: it
// reminds, pages, repeats, and tells the receivers when it is over. It asks
// nothing but the store. Several processes may keep the time of one store.
func (s *Service) KeepTime(ctx context.Context) {
	next := map[string]time.Time{}
	var scanned time.Time
	for ctx.Err() == nil {
		if s.Now().Sub(scanned) >= scanEvery {
			s.scan(ctx, next)
			scanned = s.Now()
		}
		for _, id := range s.clock.take() {
			next[id] = s.Now()
		}
		wake := scanned.Add(scanEvery)
		for id, at := range next {
			if !at.After(s.Now()) {
				at = s.glance(ctx, id)
				next[id] = at
			}
			switch {
			case at.IsZero():
				delete(next, id)
			case at.Before(wake):
				wake = at
			}
		}
		timer := time.NewTimer(wake.Sub(s.Now()))
		select {
		case <-ctx.Done():
		case <-timer.C:
		case <-s.clock.woken():
		}
		timer.Stop()
	}
}

// scan notes when to look at each incident.
func (s *Service) scan(ctx context.Context, next map[string]time.Time) {
	all, err := s.Store.Recent(ctx, s.Now().Add(-tellFor))
	if err != nil {
		s.Log.Error("list incidents for their clocks", "err", err)
		return
	}
	for _, inc := range all {
		due, at := s.Escalation.Decide(inc, s.Runbooks[inc.Runbook], s.Now())
		if len(due) > 0 {
			at = s.Now()
		}
		if !at.IsZero() {
			next[inc.ID] = at
		}
	}
}

// glance does what is due for an incident and gives the next time to look. What
// the store refuses is tried again soon.
func (s *Service) glance(ctx context.Context, id string) time.Time {
	next, err := s.Escalate(ctx, id)
	if err != nil && ctx.Err() == nil {
		s.Log.Error("the clock of an incident", "incident", id, "err", err)
		return s.Now().Add(retryFirst / 4)
	}
	return next
}

// errNothing ends a change that has nothing to change.
var errNothing = errors.New("nothing to change")

// Escalate does what is due for one incident now, and gives the next time to
// look; zero for not before it changes. Calls are recorded first, and sent in
// the background.
func (s *Service) Escalate(ctx context.Context, id string) (next time.Time, err error) {
	for {
		var calls []int
		_, err := s.change(ctx, id, func(inc *Incident) error {
			calls = nil // the store may ask again
			var due []Due
			if due, next = s.Escalation.Decide(*inc, s.Runbooks[inc.Runbook], s.Now()); len(due) == 0 {
				return errNothing
			}
			for _, d := range due {
				if number := s.do(inc, d); number > 0 {
					calls = append(calls, number)
				}
			}
			return nil
		})
		switch {
		case errors.Is(err, errNothing):
			return next, nil
		case err != nil:
			return time.Time{}, err
		}
		s.sendAll(id, calls)
	}
}

// do records what is due. It gives the number of the call to send; 0 for none.
func (s *Service) do(inc *Incident, d Due) int {
	e := &inc.Escalation
	switch d.Do {
	case TaskBegin:
		e.Round, e.From, e.Over = e.Round+1, s.Now(), time.Time{}
		if hold := e.Hold(s.Now()); hold != nil { // it was for what is over
			hold.EndedBy, hold.EndedAt = Bot(), s.Now()
		}
		s.note(inc, Bot(), "somebody is needed again: the clock of the escalation begins anew")
	case TaskEnd:
		e.Over = s.Now()
	case TaskRemind:
		e.Reminders = append(e.Reminders, Reminder{At: s.Now(), Due: d.For, Level: d.Level, Round: e.Round})
		s.note(inc, Bot(), "reminded: %s is paged at %s", s.Escalation.level(d.Level), d.For.UTC().Format("15:04 UTC"))
	case TaskSend:
		if d.Call == 0 {
			return s.record(inc, d)
		}
		call := e.Call(d.Call)
		if call.State == CallSending { // nobody knows how far the last try came
			call.mayHave(call.Pagers)
		}
		if now := s.Escalation.level(call.Level).Pagers; call.Act == Trigger && len(now) > 0 {
			call.Pagers = now // the configuration may be another one now
		}
		call.State, call.Tried = CallSending, s.Now()
		call.Tries++
		return d.Call
	}
	return 0
}

// record adds a call that is about to be sent.
func (s *Service) record(inc *Incident, d Due) int {
	e := &inc.Escalation
	call := Call{Number: len(e.Calls) + 1, Round: e.Round, Act: d.Act, Level: d.Level, Why: d.Why, Key: d.Key,
		At: s.Now(), State: CallSending, Tried: s.Now(), Tries: 1}
	switch d.Act {
	case Trigger:
		call.Key, call.Pagers = dedupKey(*inc, ""), s.Escalation.level(d.Level).Pagers
	case Respond:
		call.Key, call.Pagers = dedupKey(*inc, "-response"), s.Escalation.Response.Pagers
	default:
		call.Pagers = []string{d.To}
	}
	e.Calls = append(e.Calls, call)
	return call.Number
}

// level is one of the levels; the last one where there are fewer now.
func (p Policy) level(n int) Level {
	if len(p.Levels) == 0 {
		return Level{}
	}
	return p.Levels[max(1, min(n, len(p.Levels)))-1]
}

// clock holds the incidents that have changed since anybody looked. Its zero
// value is ready.
type clock struct {
	mu      sync.Mutex
	touched []string
	signal  chan struct{}
}

// woken is told once something was touched.
func (c *clock) woken() chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.signal == nil {
		c.signal = make(chan struct{}, 1)
	}
	return c.signal
}

func (c *clock) touch(id string) {
	woken := c.woken()
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.touched) < maxTouched {
		c.touched = append(c.touched, id)
	}
	select {
	case woken <- struct{}{}:
	default: // somebody is awake
	}
}

// maxTouched bounds what is remembered where nobody keeps the time; a scan
// finds the rest.
const maxTouched = 1000

func (c *clock) take() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	touched := c.touched
	c.touched = nil
	return touched
}

// sendAll sends calls that were recorded, in the background.
func (s *Service) sendAll(id string, calls []int) {
	for _, number := range calls {
		s.start(id, func(ctx context.Context) error {
			if err := s.sendCall(ctx, id, number); err != nil {
				return fmt.Errorf("call %d: %w", number, err)
			}
			return nil
		})
	}
}
