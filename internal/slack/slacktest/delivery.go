package slacktest

import (
	"encoding/json"
	"time"
)

// holdFor bounds how long an envelope waits for somebody to connect.
const holdFor = 5 * time.Minute

// The types of envelopes.
const (
	slashCommands = "slash_commands"
	interactions  = "interactive"
	eventsAPI     = "events_api"
)

// envelope is one payload on its way to the app.
type envelope struct {
	id      string
	kind    string
	what    string // for violations: the command, the action
	takes   bool   // accepts_response_payload
	payload object
	acked   chan json.RawMessage // closed after the first acknowledgement, which it carries
	// heard does at once what an acknowledgement in time asks for, before anything else that the app does: it runs
	// under Workspace.mu. It may be nil.
	heard func(payload json.RawMessage)
	// The following change under Workspace.mu.
	done   bool
	sentAt time.Time
}

// outcome is what became of a delivery within Slack's time.
type outcome struct {
	acked   bool
	payload json.RawMessage
	took    time.Duration
}

// deliver hands a payload to the app and waits for the acknowledgement. Redelivery goes on behind it.
func (w *Workspace) deliver(e *envelope) outcome {
	start := time.Now()
	w.dispatch(e)
	timer := time.NewTimer(w.opts.Limits.AckWithin)
	defer timer.Stop()
	select {
	case answer := <-e.acked:
		return outcome{acked: true, payload: answer, took: time.Since(start)}
	case <-timer.C:
	case <-w.ctx.Done():
		return outcome{took: time.Since(start)}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if e.sentAt.IsZero() {
		w.breach(AckMissing, "%s: nobody was connected for %s", e.what, w.opts.Limits.AckWithin)
	} else {
		w.breach(AckMissing, "%s: no acknowledgement within %s", e.what, w.opts.Limits.AckWithin)
	}
	return outcome{took: time.Since(start)}
}

// dispatch sends an envelope on its way.
func (w *Workspace) dispatch(e *envelope) {
	e.id, e.acked = secret(), make(chan json.RawMessage, 1)
	w.mu.Lock()
	w.envelopes[e.id] = e
	w.mu.Unlock()
	w.work.Go(func() { w.carry(e) })
}

// carry sends an envelope until it is acknowledged or has been sent often enough.
func (w *Workspace) carry(e *envelope) {
	limits := w.opts.Limits
	for attempt := 0; attempt <= limits.Redeliveries; attempt++ {
		if !w.hand(e, attempt) {
			return
		}
		if w.opts.Facts.NoRedelivery {
			return
		}
		timer := time.NewTimer(limits.RedeliverAfter)
		select {
		case <-timer.C:
		case <-w.ctx.Done():
		}
		timer.Stop()
		w.mu.Lock()
		done := e.done
		w.mu.Unlock()
		if done || w.ctx.Err() != nil {
			return
		}
	}
}

// hand sends one attempt over any connection, waiting for one when there is none. It is false when there is no use in
// going on.
func (w *Workspace) hand(e *envelope, attempt int) bool {
	frame := object{
		"envelope_id": e.id, "type": e.kind, "accepts_response_payload": e.takes, "payload": e.payload,
	}
	if e.kind == eventsAPI || attempt > 0 {
		frame["retry_attempt"], frame["retry_reason"] = attempt, ""
	}
	if attempt > 0 {
		frame["retry_reason"] = "timeout"
		if w.opts.Facts.FreshEnvelopes {
			frame["envelope_id"] = w.alias(e)
		}
	}
	deadline := time.NewTimer(holdFor)
	defer deadline.Stop()
	for {
		w.mu.Lock()
		l, waiting, twice := w.pick(), w.linked, w.faults.duplicate > 0
		if l != nil {
			e.sentAt = time.Now()
			if twice {
				w.faults.duplicate--
			}
		}
		w.mu.Unlock()
		if l != nil {
			if l.send(frame) == nil {
				if twice {
					_ = l.send(frame)
				}
				return true
			}
			l.end()
			w.detach(l)
			continue
		}
		if w.opts.Facts.DropWhileDisconnected {
			return false
		}
		select {
		case <-waiting:
		case <-deadline.C:
			return false
		case <-w.ctx.Done():
			return false
		}
	}
}

// alias gives an envelope another id under which it can be acknowledged.
func (w *Workspace) alias(e *envelope) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	id := secret()
	w.envelopes[id] = e
	return id
}

// pick takes the connections in turn, since Slack may use any. The caller holds w.mu.
func (w *Workspace) pick() *link {
	if len(w.greeted) == 0 {
		return nil
	}
	w.nextLink++
	return w.greeted[w.nextLink%len(w.greeted)]
}

// acknowledge takes a frame from the app.
func (w *Workspace) acknowledge(raw []byte) {
	var ack struct {
		EnvelopeID string          `json:"envelope_id"`
		Payload    json.RawMessage `json:"payload"`
	}
	err := json.Unmarshal(raw, &ack)
	w.mu.Lock()
	defer w.mu.Unlock()
	e := w.envelopes[ack.EnvelopeID]
	switch {
	case err != nil:
		w.breach(AckBad, "a frame that is no acknowledgement: %s", cut(string(raw), 200))
		return
	case e == nil:
		w.breach(AckUnknown, "an acknowledgement for the unknown envelope %q", ack.EnvelopeID)
		return
	case e.done:
		return // the second delivery of an envelope is acknowledged too
	}
	e.done = true
	late := time.Since(e.sentAt)
	if late > w.opts.Limits.AckWithin {
		w.breach(AckLate, "%s: acknowledged after %s", e.what, late.Round(time.Millisecond))
	}
	if !e.takes && filled(ack.Payload) {
		w.breach(AckBad, "%s: the acknowledgement has a payload, where none is accepted", e.what)
		ack.Payload = nil
	}
	if e.heard != nil && late <= w.opts.Limits.AckWithin {
		e.heard(ack.Payload)
	}
	e.acked <- ack.Payload
	close(e.acked)
}

// filled says whether an acknowledgement's payload says anything.
func filled(raw json.RawMessage) bool {
	switch string(raw) {
	case "", "null", "{}", `""`:
		return false
	}
	return true
}
