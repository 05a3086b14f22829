package incident

import (
	"slices"
	"time"

	"redis-session-bot/internal/checks"
	"redis-session-bot/internal/runbook"
)

// Due is something that is to be done from a moment on.
type Due struct {
	At    time.Time // zero: at once
	Do    Task
	Act   Act       // of a call
	Level int       // of a page, or of the page that is reminded of
	Call  int       // number of the call that is sent again; 0 for a new one
	To    string    // the one pager of a call; "" for those of the level or of the response
	Key   string    // of a call to one pager
	For   time.Time // when the page comes that is reminded of
	Why   Reason
}

// Task is what is done.
type Task string

// The tasks.
const (
	TaskBegin  Task = "begin" // somebody is needed again
	TaskEnd    Task = "end"   // nobody is needed any more
	TaskRemind Task = "remind"
	TaskSend   Task = "send"
)

// Decide says what is due for an incident, and when to look again; zero for
// not before the incident changes. It is pure.
func (p Policy) Decide(inc Incident, book *runbook.Runbook, now time.Time) (due []Due, next time.Time) {
	for _, d := range p.schedule(inc, book) {
		switch {
		case d.At.After(now):
			if next.IsZero() || d.At.Before(next) {
				next = d.At
			}
		case d.Do == TaskRemind && !now.Before(d.For):
			// The page itself is due.
		default:
			due = append(due, d)
		}
	}
	return due, next
}

// NextPage is the page that goes out by itself next; false for none.
func (p Policy) NextPage(inc Incident, book *runbook.Runbook) (next Due, ok bool) {
	for _, d := range p.schedule(inc, book) {
		if d.Do == TaskSend && d.Act == Trigger && (!ok || d.At.Before(next.At)) {
			next, ok = d, true
		}
	}
	return next, ok
}

// schedule lists all that is to be done if nothing happens in between.
func (p Policy) schedule(inc Incident, book *runbook.Runbook) []Due {
	e := inc.Escalation
	if len(p.Levels) == 0 && len(e.Calls) == 0 && len(p.Response.Pagers) == 0 {
		return nil // there is nobody to call
	}
	needed := needed(inc, book)
	all := append(e.resolves(needed), e.again(inc, needed)...)
	switch {
	case !needed && e.Over.IsZero():
		return append(all, Due{Do: TaskEnd, Why: ReasonOver})
	case !needed:
		return all
	case !e.Over.IsZero():
		return append(all, Due{Do: TaskBegin, Why: ReasonAnew})
	}
	all = append(all, e.acknowledges()...)
	if p.Response.Level > 0 && len(p.Response.Pagers) > 0 && e.Response() == nil &&
		slices.ContainsFunc(e.Pages(), func(c Call) bool { return c.Level >= p.Response.Level }) {
		all = append(all, Due{Do: TaskSend, Act: Respond, Why: ReasonLevel})
	}
	if inc.well(book) {
		return all
	}
	return append(all, p.pages(inc, book)...)
}

// needed reports whether somebody has to look after the incident: it is
// neither mended nor closed. Where a person has begun it and the evidence says
// that all is well, nobody is called for it.
func needed(inc Incident, book *runbook.Runbook) bool {
	return inc.Open() && inc.State != Fixed && (!inc.well(book) || len(inc.Escalation.Pages()) > 0)
}

// well reports whether every step was run and they leave no doubt that nothing
// is to be mended.
func (i Incident) well(book *runbook.Runbook) bool {
	if book == nil || i.State != Walking && i.State != Stopped || len(i.Verdict.Causes) == 0 {
		return false
	}
	cause := i.Verdict.Causes[0]
	scenario, ok := book.Scenario(cause.Scenario)
	return ok && scenario.WhenOK && cause.Confidence == runbook.Certain && !slices.ContainsFunc(i.Steps, func(s Step) bool {
		return s.Status == Pending || s.Status == Running || s.Status == checks.Unknown
	})
}

// from is where the delay counts from.
func (i Incident) from() time.Time {
	if i.Escalation.From.IsZero() {
		return i.Since
	}
	return i.Escalation.From
}

// pages lists the pages that go out by themselves, and their reminders.
func (p Policy) pages(inc Incident, book *runbook.Runbook) []Due {
	if book == nil || book.EscalateAfter <= 0 {
		return nil
	}
	base, why := inc.from().Add(book.EscalateAfter), ReasonDelay
	held := inc.Escalation.heldUntil()
	if held.After(base) { // it moves the whole clock
		base, why = held, ReasonHoldOver
	}
	var all []Due
	pages := inc.Escalation.Pages()
	for n, level := range p.Levels {
		ours := slices.DeleteFunc(slices.Clone(pages), func(c Call) bool { return c.Level != n+1 })
		if len(ours) == 0 {
			due := base.Add(level.After)
			if n > 0 {
				// Not at once behind a page that came late.
				due = latest(due, firstOf(pages, n).Add(level.After-p.Levels[n-1].After))
			}
			page := Due{At: due, Do: TaskSend, Act: Trigger, Level: n + 1, Why: why}
			return append(append(all, page), p.reminder(inc.Escalation, page)...)
		}
		last := ours[len(ours)-1]
		if level.Every > 0 && len(ours) < level.Times && last.State == CallSent && !acknowledged(pages, n+1) {
			all = append(all, Due{At: latest(last.SentAt.Add(level.Every), held), Do: TaskSend, Act: Trigger, Level: n + 1, Why: ReasonRepeat})
		}
	}
	return all
}

// heldUntil is the end of the last hold; zero for none.
func (e Escalation) heldUntil() time.Time {
	var end time.Time
	for _, hold := range e.Holds {
		end = latest(end, hold.End())
	}
	return end
}

// reminder comes before the first page, and before one that follows a hold.
func (p Policy) reminder(e Escalation, page Due) []Due {
	at := page.At.Add(-p.Remind)
	switch {
	case p.Remind <= 0, page.Level > 1 && page.Why != ReasonHoldOver:
		return nil
	case slices.ContainsFunc(e.Reminders, func(r Reminder) bool { return r.Due.Equal(page.At) && r.Round == e.Round }):
		return nil
	case len(e.Holds) > 0 && !e.Holds[len(e.Holds)-1].At.Before(at):
		return nil // somebody has just said how long
	}
	return []Due{{At: at, Do: TaskRemind, Level: page.Level, For: page.At, Why: page.Why}}
}

// firstOf is when a level was paged first.
func firstOf(pages []Call, level int) time.Time {
	for _, page := range pages {
		if page.Level == level {
			return page.At
		}
	}
	return time.Time{}
}

// acknowledged reports whether somebody has acknowledged a page of that level
// or of one above it.
func acknowledged(pages []Call, level int) bool {
	return slices.ContainsFunc(pages, func(c Call) bool { return c.Level >= level && !c.AckAt.IsZero() })
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// again lists the calls that nobody has taken yet.
func (e Escalation) again(inc Incident, needed bool) []Due {
	var all []Due
	for _, call := range e.Calls {
		at, why := call.Retry(), ReasonFailed
		if call.State == CallSending {
			at, why = call.Tried.Add(sendLease), ReasonLost
		}
		wanted := false
		switch call.Act {
		case Trigger:
			wanted = needed && e.Over.IsZero() && call.Round == e.Round
			if call.By.ID == "" {
				at = latest(at, e.heldUntil())
			}
		case Respond:
			wanted = inc.Open()
		case Acknowledge:
			wanted = needed && call.Round == e.Round && at.Before(call.At.Add(tellFor))
		case Resolve:
			wanted = at.Before(call.At.Add(tellFor))
		}
		if wanted && (call.State == CallSending || call.State == CallFailed) {
			all = append(all, Due{At: at, Do: TaskSend, Act: call.Act, Level: call.Level, Call: call.Number, Why: why})
		}
	}
	return all
}

// acknowledges tells each pager that has a page that somebody is on it.
func (e Escalation) acknowledges() []Due {
	return e.follow(Acknowledge, ReasonAcknowledged, func(page Call) bool { return page.Round == e.Round && !page.AckAt.IsZero() },
		func(told, page Call) bool { return !told.At.Before(page.AckAt) })
}

// resolves tells each pager that has a page of a round that is over.
func (e Escalation) resolves(needed bool) []Due {
	return e.follow(Resolve, ReasonOver, func(page Call) bool { return page.Round < e.Round || !needed },
		func(Call, Call) bool { return true })
}

// follow lists what is told of the pages that count to the pagers that have
// them. Those are told already of whom a call of that act covers the page. A
// page that is on its way comes to its end first: it must not arrive after.
func (e Escalation) follow(act Act, why Reason, counts func(page Call) bool, covers func(told, page Call) bool) []Due {
	var all []Due
	for _, page := range e.Calls {
		if page.Act != Trigger || !counts(page) {
			continue
		}
		var after time.Time
		if page.State == CallSending {
			after = page.Tried.Add(sendLease)
		}
		for _, pager := range page.everTold() {
			told := slices.ContainsFunc(e.Calls, func(c Call) bool {
				return c.Act == act && c.Key == page.Key && slices.Contains(c.Pagers, pager) && covers(c, page)
			})
			same := slices.IndexFunc(all, func(d Due) bool { return d.To == pager && d.Key == page.Key })
			switch {
			case told || !page.arrivedAt(pager):
			case same >= 0:
				all[same].At = latest(all[same].At, after)
			default:
				all = append(all, Due{At: after, Do: TaskSend, Act: act, To: pager, Key: page.Key, Why: why})
			}
		}
	}
	return all
}

// everTold are the pagers that a call may have come to.
func (c Call) everTold() []string {
	all := slices.Clone(c.Pagers)
	for _, pager := range append(slices.Clone(c.Maybe), c.Pager) {
		if pager != "" && !slices.Contains(all, pager) {
			all = append(all, pager)
		}
	}
	return all
}
