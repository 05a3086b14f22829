package incident

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Policy is who is called when an incident is not mended in time. The zero
// value calls nobody.
type Policy struct {
	Remind   time.Duration // the reminder comes this long before a page; 0: none
	Levels   []Level       // in the order of After
	Response Response
}

// Level is one step of the escalation.
type Level struct {
	Who    string        // as people call them; "" for the names of the pagers
	After  time.Duration // after the runbook's delay
	Pagers []string      // the first that takes the page; the next where it fails
	Every  time.Duration // the page is repeated, while nobody acknowledges it; 0: never
	Times  int           // so many pages of this level at the most; 0 is 1
}

// String is who is called.
func (l Level) String() string { return orNames(l.Who, l.Pagers) }

// Response is the organisation's own process for grave incidents.
type Response struct {
	Who    string   // as people call it; "" for the names of the pagers
	Pagers []string // none: it cannot be invoked from here
	Level  int      // invoked by itself when this level is paged; 0: never
}

// String is what is invoked.
func (r Response) String() string { return orNames(r.Who, r.Pagers) }

func orNames(who string, pagers []string) string {
	if who != "" {
		return who
	}
	return strings.Join(pagers, ", else ")
}

// Escalation is what the clock of an incident has done so far, and who stands
// in its way.
type Escalation struct {
	Round     int        `json:"round,omitempty"` // how many times it has begun anew
	From      time.Time  `json:"from,omitzero"`   // the delay counts from here; zero: from Incident.Since
	Over      time.Time  `json:"over,omitzero"`   // since when nobody is needed; zero: somebody is
	Reminders []Reminder `json:"reminders,omitempty"`
	Holds     []Hold     `json:"holds,omitempty"`
	Calls     []Call     `json:"calls,omitempty"`
}

// Reminder was shown before a page.
type Reminder struct {
	At    time.Time `json:"at"`
	Due   time.Time `json:"due"` // when the page was to come
	Level int       `json:"level"`
	Round int       `json:"round,omitempty"`
}

// Hold keeps pages from going out by themselves until it ends.
type Hold struct {
	By      Actor     `json:"by"`
	At      time.Time `json:"at"`
	Until   time.Time `json:"until"`
	Reason  string    `json:"reason"`
	EndedBy Actor     `json:"endedBy,omitzero"` // before its time; a new hold ends the old one
	EndedAt time.Time `json:"endedAt,omitzero"`
}

// End is when the hold was or will be over.
func (h Hold) End() time.Time {
	if !h.EndedAt.IsZero() {
		return h.EndedAt
	}
	return h.Until
}

// Act is what a receiver outside is asked to do.
type Act string

// The acts.
const (
	Trigger     Act = "page"
	Acknowledge Act = "acknowledge" // somebody is on it
	Resolve     Act = "resolve"     // it is over
	Respond     Act = "respond"     // begin the incident response
)

// Reason is why something is due.
type Reason string

// The reasons.
const (
	ReasonDelay        Reason = "delay"        // the delay has passed without a verified fix
	ReasonHoldOver     Reason = "hold-over"    // a hold has ended
	ReasonRepeat       Reason = "repeat"       // nobody has acknowledged
	ReasonAsked        Reason = "asked"        // somebody has asked for it
	ReasonLevel        Reason = "level"        // a level was paged
	ReasonAcknowledged Reason = "acknowledged" // somebody has acknowledged
	ReasonOver         Reason = "over"         // nobody is needed any more
	ReasonFailed       Reason = "failed"       // no pager took it
	ReasonLost         Reason = "lost"         // whoever sent it has never told what came of it
	ReasonAnew         Reason = "anew"         // what was over goes on
)

// Call is one thing that is told to a receiver outside. It is recorded before
// it is sent, and sent again with the same key until one has taken it.
type Call struct {
	Number int       `json:"number"` // from 1
	Round  int       `json:"round,omitempty"`
	Act    Act       `json:"act"`
	Level  int       `json:"level,omitempty"` // of a page, from 1
	Why    Reason    `json:"why"`
	By     Actor     `json:"by,omitzero"`    // who asked for it; zero: the clock
	Text   string    `json:"text,omitempty"` // in the words of whoever asked
	Key    string    `json:"key"`            // the same one for all that belongs together at the receiver
	Pagers []string  `json:"pagers"`
	At     time.Time `json:"at"`
	State  CallState `json:"state"`
	Tried  time.Time `json:"tried"` // when the last try began
	Tries  int       `json:"tries"`
	Pager  string    `json:"pager,omitempty"`  // who took it
	Ref    string    `json:"ref,omitempty"`    // what the pager calls it
	SentAt time.Time `json:"sentAt,omitzero"`  // when it took it
	Maybe  []string  `json:"maybe,omitempty"`  // pagers that may have it, though they have not said so
	Error  string    `json:"error,omitempty"`  // of the last try, for people
	Acked  Actor     `json:"acked,omitzero"`   // who acknowledged a page
	AckAt  time.Time `json:"ackedAt,omitzero"` // and when
}

// CallState is where a call stands.
type CallState string

// The states of a call.
const (
	CallSending CallState = "sending"
	CallSent    CallState = "sent"
	CallFailed  CallState = "failed" // no pager took it; it is tried again
)

// The times of sending.
const (
	// sendWithin bounds one try over all pagers of a call.
	sendWithin = 90 * time.Second
	// sendLease is how long whoever has recorded a call has to send it. It is
	// longer than sendWithin, so that two never send at the same time.
	sendLease = 2 * time.Minute
	// tellFor is how long receivers are told again that somebody is on it, or
	// that it is over. A page is tried for as long as somebody is needed.
	tellFor = 24 * time.Hour

	retryFirst = time.Minute
	retryMost  = 10 * time.Minute
)

// Retry is when a call that no pager took is tried again.
func (c Call) Retry() time.Time {
	pause := retryFirst
	for n := 1; n < c.Tries && pause < retryMost; n++ {
		pause *= 2
	}
	return c.Tried.Add(min(pause, retryMost))
}

// arrivedAt reports whether a pager has the call, or may have it.
func (c Call) arrivedAt(pager string) bool {
	switch {
	case c.State == CallSent && c.Pager == pager:
		return true
	case c.State == CallSending:
		return slices.Contains(c.Pagers, pager)
	}
	return slices.Contains(c.Maybe, pager)
}

// Call returns a pointer to the call of that number, nil when there is none.
func (e *Escalation) Call(number int) *Call {
	if number < 1 || number > len(e.Calls) {
		return nil
	}
	return &e.Calls[number-1]
}

// Pages are the pages of this round, in order.
func (e Escalation) Pages() []Call {
	var pages []Call
	for _, call := range e.Calls {
		if call.Act == Trigger && call.Round == e.Round {
			pages = append(pages, call)
		}
	}
	return pages
}

// Response is the call that invoked incident response; nil while nobody has.
func (e Escalation) Response() *Call {
	at := slices.IndexFunc(e.Calls, func(c Call) bool { return c.Act == Respond })
	if at < 0 {
		return nil
	}
	return &e.Calls[at]
}

// Hold is the one that is in force at that moment; nil for none.
func (e Escalation) Hold(at time.Time) *Hold {
	for n := len(e.Holds) - 1; n >= 0; n-- {
		if hold := &e.Holds[n]; hold.EndedAt.IsZero() && at.Before(hold.Until) {
			return hold
		}
	}
	return nil
}

// Bot is who does what nobody has asked for.
func Bot() Actor { return Actor{ID: "bot", Name: "the bot"} }

// dedupKey names an incident at a receiver. The start tells incidents apart
// that have the same ID in another store.
func dedupKey(inc Incident, what string) string {
	key := fmt.Sprintf("%s-%s-%s", inc.Runbook, inc.ID, inc.Since.UTC().Format("20060102T150405Z"))
	if inc.Escalation.Round > 0 {
		key += fmt.Sprintf("-%d", inc.Escalation.Round+1)
	}
	return key + what
}
