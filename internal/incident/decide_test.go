package incident_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"redis-session-bot/internal/checks"
	"redis-session-bot/internal/incident"
	"redis-session-bot/internal/runbook"
)

var start = time.Date(2026, 1, 2, 2, 41, 0, 0, time.UTC)

// after is a moment, in minutes since the alert began.
func after(minutes float64) time.Time {
	return start.Add(time.Duration(minutes * float64(time.Minute)))
}

// policy pages two levels, and reminds ten minutes before.
func policy() incident.Policy {
	return incident.Policy{Remind: 10 * time.Minute,
		Levels: []incident.Level{
			{Who: "@oncall", Pagers: []string{"duty", "channel"}, Every: 10 * time.Minute, Times: 3},
			{Who: "@lead", Pagers: []string{"duty"}, After: 15 * time.Minute},
		},
		Response: incident.Response{Who: "the crisis team", Pagers: []string{"crisis"}, Level: 2}}
}

// called is a page of a level that was sent in that minute.
func called(level int, minute float64) incident.Call {
	return incident.Call{Act: incident.Trigger, Level: level, Key: "k", Pagers: []string{"duty", "channel"}, State: incident.CallSent, Pager: "duty",
		At: after(minute), Tried: after(minute), SentAt: after(minute), Tries: 1}
}

func TestDecide(t *testing.T) {
	book := document.Load(t)
	book.EscalateAfter = 30 * time.Minute
	type e = incident.Escalation
	calls := func(all ...incident.Call) e {
		for n := range all {
			all[n].Number = n + 1
		}
		return e{Calls: all}
	}
	with := func(call incident.Call, change func(*incident.Call)) incident.Call {
		change(&call)
		return call
	}
	failed := func(c *incident.Call) {
		c.State, c.Pager, c.SentAt, c.Maybe, c.Tries = incident.CallFailed, "", time.Time{}, []string{"channel"}, 3
	}
	sending := func(c *incident.Call) { c.State, c.Pager, c.SentAt = incident.CallSending, "", time.Time{} }
	held := func(from, until float64) incident.Hold {
		return incident.Hold{By: ada, At: after(from), Until: after(until), Reason: "the vendor is on it"}
	}
	ended := func(hold incident.Hold, at float64) incident.Hold {
		hold.EndedBy, hold.EndedAt = bob, after(at)
		return hold
	}
	reminded := func(page float64) []incident.Reminder {
		return []incident.Reminder{{At: after(page - 10), Due: after(page), Level: 1}}
	}
	acked := func(c *incident.Call) { c.Acked, c.AckAt = ada, c.SentAt.Add(time.Minute) }
	told := func(act incident.Act, pager string, minute float64) incident.Call {
		return incident.Call{Act: act, Key: "k", Pagers: []string{pager}, Pager: pager, State: incident.CallSent, At: after(minute), Tried: after(minute), SentAt: after(minute)}
	}
	for name, test := range map[string]struct {
		state incident.State
		well  bool
		esc   e
		now   float64
		want  string  // what is due
		next  float64 // when to look again, in minutes; 0: not before it changes
	}{
		"in time, nothing":                      {now: 5, next: 20},
		"a reminder before the page":            {now: 20, want: "remind 1 delay", next: 30},
		"one reminder is enough":                {now: 21, esc: e{Reminders: reminded(30)}, next: 30},
		"the page after the delay":              {now: 30, esc: e{Reminders: reminded(30)}, want: "send page 1 delay"},
		"a page that is late needs no reminder": {now: 90, want: "send page 1 delay"},
		"while a plan is applied":               {state: incident.Applying, now: 30, want: "send page 1 delay"},
		"while it is verified":                  {state: incident.Verifying, now: 30, want: "send page 1 delay"},
		"after a verification that failed":      {state: incident.NotFixed, now: 30, want: "send page 1 delay"},
		"although the walk was stopped":         {state: incident.Stopped, now: 30, want: "send page 1 delay"},

		"fixed in time":                            {state: incident.Fixed, now: 12, want: "end over"},
		"fixed, and the clock stands still":        {state: incident.Fixed, esc: e{Over: after(12)}, now: 300},
		"closed":                                   {state: incident.Closed, now: 12, want: "end over"},
		"undone: the clock begins anew":            {esc: e{Over: after(12)}, now: 50, want: "begin anew"},
		"and has its whole delay":                  {esc: e{Round: 1, From: after(50)}, now: 51, next: 70},
		"well from the start: nobody is needed":    {well: true, now: 30, want: "end over"},
		"well after a page: it is not resolved":    {well: true, esc: calls(called(1, 30)), now: 45},
		"paged, then fixed: its receiver is told":  {state: incident.Fixed, esc: calls(called(1, 30)), now: 40, want: "send resolve duty over; end over"},
		"told already":                             {state: incident.Fixed, esc: calls(called(1, 30), told(incident.Resolve, "duty", 40)), now: 41, want: "end over"},
		"one that may have arrived is told, too":   {state: incident.Fixed, esc: calls(with(called(1, 30), failed)), now: 40, want: "send resolve channel over; end over"},
		"a page on its way comes to its end first": {state: incident.Fixed, esc: calls(with(called(1, 30), sending)), now: 31, want: "end over", next: 32},
		"or is lost, and all are told":             {state: incident.Fixed, esc: calls(with(called(1, 30), sending)), now: 32, want: "send resolve duty over; send resolve channel over; end over"},
		"a resolve that failed is tried again":     {state: incident.Fixed, esc: e{Over: after(40), Calls: calls(called(1, 30), with(told(incident.Resolve, "duty", 40), failed)).Calls}, now: 44, want: "send resolve again 2 failed"},
		"but not for ever":                         {state: incident.Fixed, esc: e{Over: after(40), Calls: calls(called(1, 30), with(told(incident.Resolve, "duty", 40), func(c *incident.Call) { failed(c); c.Tried = after(40 + 24*60) })).Calls}, now: 40 + 25*60},
		"a page of an earlier round is resolved":   {esc: e{Round: 1, From: after(50), Calls: calls(called(1, 30)).Calls}, now: 51, want: "send resolve duty over", next: 70},

		"held":                               {esc: e{Holds: []incident.Hold{held(25, 55)}}, now: 30, next: 45},
		"a reminder before the hold ends":    {esc: e{Holds: []incident.Hold{held(25, 55)}}, now: 45, want: "remind 1 hold-over", next: 55},
		"the hold is over":                   {esc: e{Holds: []incident.Hold{held(25, 55)}}, now: 55, want: "send page 1 hold-over"},
		"a short hold needs no reminder":     {esc: e{Holds: []incident.Hold{held(28, 35)}}, now: 29, next: 35},
		"the hold is ended: at once":         {esc: e{Holds: []incident.Hold{ended(held(25, 55), 40)}}, now: 40, want: "send page 1 hold-over"},
		"ended in time: as if never held":    {esc: e{Reminders: reminded(30), Holds: []incident.Hold{ended(held(5, 55), 10)}}, now: 15, next: 30},
		"a hold after the page stops all":    {esc: e{Calls: calls(called(1, 30)).Calls, Holds: []incident.Hold{held(35, 65)}}, now: 50, next: 65},
		"and then the repeat comes":          {esc: e{Calls: calls(called(1, 30)).Calls, Holds: []incident.Hold{held(35, 65)}}, now: 65, want: "send page 1 repeat", next: 70},
		"a failed page is held as well":      {esc: e{Calls: calls(with(called(1, 30), failed)).Calls, Holds: []incident.Hold{held(31, 65)}}, now: 40, next: 65},
		"but not one that a person asks for": {esc: e{Calls: calls(with(called(1, 30), func(c *incident.Call) { failed(c); c.By = ada })).Calls, Holds: []incident.Hold{held(31, 65)}}, now: 40, want: "send page 1 again 1 failed", next: 70},

		"nobody acknowledges: again":            {esc: calls(called(1, 30)), now: 40, want: "send page 1 repeat", next: 45},
		"at most so many times":                 {esc: calls(called(1, 30), called(1, 33), called(1, 36)), now: 44, next: 45},
		"the next level":                        {esc: calls(called(1, 30), called(1, 40)), now: 45, want: "send page 2 delay", next: 50},
		"not at once behind a late one":         {esc: calls(called(1, 80)), now: 81, next: 90},
		"asked for early, the clock goes on":    {esc: calls(called(1, 10)), now: 11, next: 20},
		"the last level calls for the response": {esc: calls(called(1, 30), called(2, 45)), now: 46, want: "send respond level; send page 1 repeat"},
		"once":                                  {esc: calls(called(1, 30), called(2, 45), incident.Call{Act: incident.Respond, State: incident.CallSent, At: after(45)}, called(1, 50), called(1, 60)), now: 300},
		"acknowledged: the receiver is told":    {esc: calls(with(called(1, 30), acked)), now: 32, want: "send acknowledge duty acknowledged", next: 45},
		"and nothing is repeated":               {esc: calls(with(called(1, 30), acked), told(incident.Acknowledge, "duty", 32)), now: 44, next: 45},
		"but the next level comes":              {esc: calls(with(called(1, 30), acked), told(incident.Acknowledge, "duty", 32)), now: 45, want: "send page 2 delay"},

		"no pager took it: again":          {esc: calls(with(called(1, 30), failed)), now: 34, want: "send page 1 again 1 failed", next: 45},
		"with a growing pause":             {esc: calls(with(called(1, 30), failed)), now: 33, next: 34},
		"of ten minutes at the most":       {esc: calls(with(called(1, 30), func(c *incident.Call) { failed(c); c.Tries = 70 })), now: 39, next: 40},
		"whoever sent it may be at it yet": {esc: calls(with(called(1, 30), sending)), now: 31, next: 32},
		"whoever sent it has died":         {esc: calls(with(called(1, 30), sending)), now: 32, want: "send page 1 again 1 lost", next: 45},
	} {
		t.Run(name, func(t *testing.T) {
			inc := incident.Incident{ID: "INC-1", Runbook: "queue", State: test.state, Since: start, Escalation: test.esc, Steps: []incident.Step{{ID: "pods", Status: checks.OK}}}
			if inc.State == "" {
				inc.State = incident.Walking
			}
			scenario := "broken"
			if test.well {
				scenario = "well"
			}
			inc.Verdict.Causes = []runbook.Cause{{Scenario: scenario, Confidence: runbook.Certain}}
			due, next := policy().Decide(inc, book, after(test.now))
			var words []string
			for _, d := range due {
				words = append(words, dueWords(d))
			}
			wantNext := time.Time{}
			if test.next > 0 {
				wantNext = after(test.next)
			}
			if got := strings.Join(words, "; "); got != test.want || !next.Equal(wantNext) {
				t.Errorf("due %q, want %q; next in minute %.0f, want %.0f", got, test.want, next.Sub(start).Minutes(), test.next)
			}
			for _, d := range due {
				if d.At.After(after(test.now)) {
					t.Errorf("%s is due only at %s", dueWords(d), d.At)
				}
			}
		})
	}
}

func dueWords(d incident.Due) string {
	words := []string{string(d.Do)}
	for _, word := range []string{string(d.Act), fmt.Sprint(d.Level), d.To} {
		if word != "" && word != "0" {
			words = append(words, word)
		}
	}
	if d.Call > 0 {
		words = append(words, "again", fmt.Sprint(d.Call))
	}
	return strings.Join(append(words, string(d.Why)), " ")
}

// TestNobodyIsPagedByItself where nothing is configured, or the runbook has no delay.
func TestNobodyIsPagedByItself(t *testing.T) {
	inc := incident.Incident{State: incident.Walking, Since: start}
	book := document.Load(t)
	for name, test := range map[string]struct {
		policy incident.Policy
		delay  time.Duration
	}{"no level": {incident.Policy{}, time.Minute}, "no delay": {policy(), 0}} {
		book.EscalateAfter = test.delay
		if due, _ := (incident.Policy{}).Decide(incident.Incident{State: incident.Fixed, Since: start}, book, after(1000)); len(due) > 0 {
			t.Errorf("%s, and it is fixed: %+v", name, due)
		}
		if due, next := test.policy.Decide(inc, book, after(1000)); len(due) > 0 || !next.IsZero() {
			t.Errorf("%s: %+v, next %s", name, due, next)
		}
		if page, ok := test.policy.NextPage(inc, book); ok {
			t.Errorf("%s: a page at %s", name, page.At)
		}
	}
}
