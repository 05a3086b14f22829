package incident

import (
	"context"
	"fmt"
	"time"

	"redis-session-bot/internal/evidence"
	"redis-session-bot/internal/runbook"
)

// Judgement is what the verdict's first cause has changed to.
type Judgement struct {
	Scenario   string             `json:"scenario"` // "" where the evidence names none any more
	Title      string             `json:"title"`
	Confidence runbook.Confidence `json:"confidence"`
	At         time.Time          `json:"at"`
}

// String is the cause with its confidence.
func (j Judgement) String() string {
	if j.Scenario == "" {
		return "no cause"
	}
	return fmt.Sprintf("%s — %s", j.Title, j.Confidence)
}

// first is the verdict's first cause.
func first(verdict runbook.Verdict) Judgement {
	if len(verdict.Causes) == 0 {
		return Judgement{}
	}
	cause := verdict.Causes[0]
	return Judgement{Scenario: cause.Scenario, Title: cause.Title, Confidence: cause.Confidence}
}

// judge takes over what the runbook says of the evidence, and which fixes it
// admits.
func (i *Incident) judge(book *runbook.Runbook, e evidence.Evidence) {
	i.Verdict, i.Judged, i.Offers = book.Judge(e), true, nil
	for _, cause := range i.Verdict.Causes {
		for _, fix := range book.Offers(cause.Scenario, e) {
			i.Offers = append(i.Offers, Offer{Scenario: cause.Scenario, Ref: fix.Ref, Action: fix.Action, Asks: len(fix.Inputs) > 0, Loses: len(fix.Cautions) > 0})
		}
	}
}

// judged notes what the verdict has changed to, where it does not say the same as
// before.
func (s *Service) judged(ctx context.Context, inc *Incident) {
	before := Judgement{}
	if n := len(inc.Judgements); n > 0 {
		before = inc.Judgements[n-1]
	}
	now := first(inc.Verdict)
	if now.Scenario == before.Scenario && now.Confidence == before.Confidence {
		return
	}
	if now.Scenario != before.Scenario {
		s.recall(ctx, inc)
	}
	s.note(inc, Bot(), "judged: %s", now)
	now.At = inc.Timeline[len(inc.Timeline)-1].At
	inc.Judgements = append(inc.Judgements, now)
}

// Cause is the cause that stands at the end: the newest one that means that
// something needs mending, else the newest one. It is false where there is none.
// book may be nil.
func (i Incident) Cause(book *runbook.Runbook) (Judgement, bool) {
	last, ok := first(i.Verdict), len(i.Verdict.Causes) > 0
	if ok && !fine(book, last.Scenario) {
		return i.firstSaid(last), true
	}
	for n := len(i.Judgements) - 1; n >= 0; n-- {
		if one := i.Judgements[n]; one.Scenario != "" && !fine(book, one.Scenario) {
			return i.firstSaid(one), true
		}
	}
	return i.firstSaid(last), ok
}

// firstSaid gives a judgement the time at which its cause came first for the
// first time; none where that was not kept.
func (i Incident) firstSaid(j Judgement) Judgement {
	j.At = time.Time{}
	for _, one := range i.Judgements {
		if one.Scenario == j.Scenario {
			j.At = one.At
			break
		}
	}
	return j
}

// fine reports whether a scenario means that nothing needs mending.
func fine(book *runbook.Runbook, id string) bool {
	if book == nil {
		return false
	}
	scenario, ok := book.Scenario(id)
	return ok && scenario.WhenOK
}
