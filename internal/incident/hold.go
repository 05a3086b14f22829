package incident

import (
	"context"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"redis-session-bot/internal/runbook"
)

// The inputs of a BadInput that Hold returns.
const InputFor = "for"

// The bounds of a hold.
const (
	leastHold = time.Minute
	mostHold  = 24 * time.Hour
	// leastHoldReason is how many letters a reason for a hold has at least.
	leastHoldReason = 4
)

// Hold keeps pages from going out by themselves for some time; 0 is the
// runbook's delay once more. The error is a *runbook.BadInput where the time or
// the reason does not fit.
func (s *Service) Hold(ctx context.Context, id string, actor Actor, span time.Duration, reason string) error {
	if err := s.allow(ctx, actor, Responder); err != nil {
		return err
	}
	reason = Line(reason, 300)
	_, err := s.change(ctx, id, func(inc *Incident) error {
		book := s.Runbooks[inc.Runbook]
		next, err := s.holdable(*inc, book)
		if err != nil {
			return err
		}
		hold := Hold{By: actor, At: s.Now(), Until: s.Now().Add(orDelay(span, book)), Reason: reason}
		if err := hold.fits(next); err != nil {
			return err
		}
		if before := inc.Escalation.Hold(s.Now()); before != nil {
			before.EndedBy, before.EndedAt = actor, s.Now()
		}
		inc.Escalation.Holds = append(inc.Escalation.Holds, hold)
		s.note(inc, actor, "holds the pages until %s: %s", hold.Until.UTC().Format("15:04 UTC"), reason)
		return nil
	})
	return err
}

// holdable gives when a page comes by itself if nobody holds it.
func (s *Service) holdable(inc Incident, book *runbook.Runbook) (time.Time, error) {
	if !inc.Open() {
		return time.Time{}, refuse("%s is closed.", inc.ID)
	}
	free := inc
	free.Escalation.Holds = nil
	next, ok := s.Escalation.NextPage(free, book)
	if !ok {
		return time.Time{}, refuse("No page of %s goes out by itself, so there is nothing to hold.", inc.ID)
	}
	return next.At, nil
}

// fits reports what is wrong with a hold, given when the page comes without it.
func (h Hold) fits(page time.Time) error {
	span := h.Until.Sub(h.At)
	switch {
	case span < leastHold || span > mostHold:
		return &runbook.BadInput{Input: InputFor, Says: "A hold lasts between a minute and 24 hours."}
	case !h.Until.After(page):
		return &runbook.BadInput{Input: InputFor, Says: fmt.Sprintf("The page comes at %s, after this hold would end. Hold it longer.", page.UTC().Format("15:04 UTC"))}
	case utf8.RuneCountInString(strings.TrimSpace(h.Reason)) < leastHoldReason:
		return &runbook.BadInput{Input: InputReason, Says: "Say in a few words why nobody has to be paged."}
	}
	return nil
}

func orDelay(span time.Duration, book *runbook.Runbook) time.Duration {
	if span == 0 && book != nil {
		return book.EscalateAfter
	}
	return span
}

// EndHold ends the hold that is in force: a page that is due goes out at once.
func (s *Service) EndHold(ctx context.Context, id string, actor Actor) error {
	if err := s.allow(ctx, actor, Responder); err != nil {
		return err
	}
	_, err := s.change(ctx, id, func(inc *Incident) error {
		hold := inc.Escalation.Hold(s.Now())
		if hold == nil {
			return refuse("Nobody holds the pages of %s.", id)
		}
		hold.EndedBy, hold.EndedAt = actor, s.Now()
		s.note(inc, actor, "ended the hold of %s", hold.By.Name)
		return nil
	})
	return err
}
