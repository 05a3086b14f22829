package incident

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"redis-session-bot/internal/evidence"
	"redis-session-bot/internal/runbook"
)

// Alertmanager is who opens an incident when an alert comes. It may open and
// walk, and nothing else; nobody of a chat can be it.
func Alertmanager() Actor { return Actor{ID: "alertmanager", Name: "Alertmanager"} }

// mayWalk asks for the role to run steps, which change nothing.
func (s *Service) mayWalk(ctx context.Context, actor Actor) error {
	if actor == Alertmanager() {
		return nil
	}
	return s.allow(ctx, actor, Responder)
}

// Alerted takes a notice of Alertmanager's: an alert opens an incident or joins
// the one that goes on, and one that is resolved makes the bot look itself. It
// may be told the same any number of times, by several Alertmanagers, to several
// replicas. Its error means that it has to be told again.
//
// Notices that come while another one is stored are stored as one: a storm costs
// a few writes.
func (s *Service) Alerted(ctx context.Context, notice Notice) error {
	mine := s.told.add(notice)
	s.opens.Lock()
	defer s.opens.Unlock()
	for _, batch := range s.told.take() {
		err := s.alerted(context.WithoutCancel(ctx), batch.notice)
		for _, waits := range batch.waiting {
			waits <- err
		}
	}
	return <-mine
}

func (s *Service) alerted(ctx context.Context, notice Notice) error {
	book, ok := s.Runbooks[notice.Runbook]
	if !ok {
		return fmt.Errorf("there is no runbook for %s", notice.Runbook)
	}
	for {
		all, err := s.Store.Recent(ctx, s.Now().Add(-max(s.Alerting.ReopenWithin, remembers)))
		if err != nil {
			return fmt.Errorf("list incidents: %w", err)
		}
		known, fresh := notice.place(all, book, s.Now(), s.Alerting.ReopenWithin)
		for _, id := range slices.Sorted(maps.Keys(known)) {
			if err := s.tell(ctx, id, book, known[id]); err != nil {
				return err
			}
		}
		if len(fresh) == 0 {
			return nil
		}
		existed, err := s.openFor(ctx, notice, book, fresh)
		if err != nil || !existed {
			return err
		}
		// Another replica was faster: its incident takes these alerts.
	}
}

// openFor opens an incident for alerts that belong to none.
func (s *Service) openFor(ctx context.Context, notice Notice, book *runbook.Runbook, fresh []Alert) (existed bool, err error) {
	since := s.Now()
	for _, alert := range fresh {
		if alert.Name == book.Alert && alert.StartsAt.Before(since) {
			since = alert.StartsAt
		}
	}
	inc := s.unstored(book, Alertmanager(), notice.Target, notice.Place, since)
	s.note(&inc, Alertmanager(), "opened the incident for %s", notice.Target)
	for _, alert := range fresh {
		s.noteAll(&inc, inc.take(alert, alert.Name == book.Alert, s.Now()))
	}
	inc, existed, err = s.create(ctx, inc)
	if err != nil || existed {
		return existed, err
	}
	s.walkSoon(ctx, inc.ID)
	return false, nil
}

// tell adds alerts to an incident and does what follows.
func (s *Service) tell(ctx context.Context, id string, book *runbook.Runbook, alerts []Alert) error {
	var all told
	_, err := s.change(ctx, id, func(inc *Incident) error {
		all = told{}
		for _, alert := range alerts {
			one := inc.take(alert, alert.Name == book.Alert, s.Now())
			s.noteAll(inc, one)
			all.changed = all.changed || one.changed
			all.reopened = all.reopened || one.reopened
			all.quiet = all.quiet || one.quiet
		}
		if !all.changed {
			return errNothing
		}
		return nil
	})
	switch {
	case errors.Is(err, errNothing):
		return nil
	case err != nil:
		return err
	}
	// It is stored, and told again it would be an old story: what follows from it
	// follows now.
	if all.quiet {
		s.start(id, func(ctx context.Context) error { return s.lookQuiet(ctx, id) })
	}
	if err := s.judgeAgain(ctx, id, book); err != nil {
		s.start(id, func(ctx context.Context) error {
			return s.insist(ctx, id, func() error { return s.judgeAgain(ctx, id, book) })
		})
	}
	if all.reopened {
		s.walkSoon(ctx, id)
	}
	return nil
}

// walkSoon begins the diagnosis now, or once the store takes it.
func (s *Service) walkSoon(ctx context.Context, id string) {
	if err := s.walkForAlert(ctx, id); err != nil {
		s.start(id, func(ctx context.Context) error {
			return s.insist(ctx, id, func() error { return s.walkForAlert(ctx, id) })
		})
	}
}

// judgeAgain lets the alerts that have joined speak for a cause, where
// something was read already.
func (s *Service) judgeAgain(ctx context.Context, id string, book *runbook.Runbook) error {
	s.merge.Lock()
	defer s.merge.Unlock()
	bundle, err := s.Store.Bundle(ctx, id)
	if err != nil {
		return fmt.Errorf("read the evidence of %s: %w", id, err)
	}
	_, err = s.change(ctx, id, func(inc *Incident) error {
		if !inc.Judged || inc.settled() {
			return errNothing
		}
		bundle.Alerts = inc.alertEvidence()
		inc.judge(book, evidence.Read(bundle, inc.Target))
		s.judged(ctx, inc)
		return nil
	})
	if errors.Is(err, errNothing) {
		return nil
	}
	return err
}

func (s *Service) noteAll(inc *Incident, one told) {
	for _, note := range one.notes {
		s.note(inc, Alertmanager(), "%s", note)
	}
}

// walkForAlert begins the diagnosis, where config says so.
func (s *Service) walkForAlert(ctx context.Context, id string) error {
	if !s.Alerting.Auto {
		return nil
	}
	err := s.RunAll(ctx, id, Alertmanager())
	var refusal *Refusal
	if errors.As(err, &refusal) {
		return nil // somebody runs them already
	}
	return err
}

// lookQuiet holds the store against the verification once its alert is quiet,
// and closes the incident where all of it holds. It stands in nobody's way: the
// walk and plans go on meanwhile, and while one is applied it waits. It ends
// without a word when the alert fires again.
func (s *Service) lookQuiet(ctx context.Context, id string) error {
	for {
		var inc Incident
		err := s.insist(ctx, id, func() (err error) {
			inc, err = s.Store.Get(ctx, id)
			return err
		})
		if err != nil {
			return fmt.Errorf("read %s: %w", id, err)
		}
		if !inc.unheard() {
			return nil
		}
		if inc.busy() {
			if s.pause(ctx) {
				continue
			}
			return ctx.Err()
		}
		outcomes, err := s.watch(ctx, inc, func([]runbook.Outcome) {})
		if err != nil {
			return err
		}
		looked := false
		err = s.insist(ctx, id, func() (err error) {
			looked, err = s.endQuiet(ctx, id, inc.Quiet.At, outcomes)
			return err
		})
		if err != nil {
			return err
		}
		if looked && allOK(outcomes) {
			s.start(id, func(ctx context.Context) error { return s.keepRecovery(ctx, id) })
			return nil
		}
		if looked {
			return s.walkForAlert(ctx, id) // the verdict may be another one now
		}
	}
}

// endQuiet records what the look has shown, and closes what is well. It is
// false where that is not known: a plan was begun, or the alert has fired and
// gone quiet again.
func (s *Service) endQuiet(ctx context.Context, id string, quiet time.Time, outcomes []runbook.Outcome) (looked bool, err error) {
	well := allOK(outcomes)
	_, err = s.change(ctx, id, func(inc *Incident) error {
		if !inc.unheard() || inc.busy() || !inc.Quiet.At.Equal(quiet) {
			return errNothing
		}
		inc.Verified, inc.Quiet.Looked, inc.Quiet.Says = outcomes, true, notWell(outcomes)
		s.note(inc, Alertmanager(), "%s", inc.Quiet)
		switch {
		case well:
			if inc.State != Fixed {
				inc.FixedAt = s.Now()
			}
			inc.State, inc.ClosedAt = Closed, s.Now()
			s.note(inc, Alertmanager(), "closed the incident")
		case inc.State == Fixed:
			inc.State, inc.FixedAt = NotFixed, time.Time{}
		}
		return nil
	})
	if errors.Is(err, errNothing) {
		return false, nil
	}
	return err == nil, err
}

// busy reports whether something is being written or verified.
func (i Incident) busy() bool { return i.State == Applying || i.State == Verifying }

// unheard reports whether the alert went quiet and nobody has looked since.
func (i Incident) unheard() bool {
	return i.Open() && !i.Quiet.At.IsZero() && !i.Quiet.Looked
}

// notWell is the first line of a verification that does not hold.
func notWell(outcomes []runbook.Outcome) string {
	for _, outcome := range outcomes {
		if !outcome.OK {
			return outcome.Says
		}
	}
	return ""
}

// takeUp goes on after a restart with what an alert or a fix has set going.
func (s *Service) takeUp(inc Incident) {
	if inc.recovers() {
		s.start(inc.ID, func(ctx context.Context) error { return s.keepRecovery(ctx, inc.ID) })
	}
	if inc.unheard() {
		s.start(inc.ID, func(ctx context.Context) error { return s.lookQuiet(ctx, inc.ID) })
	}
	if inc.OpenedBy == Alertmanager() && !inc.Judged && inc.State == Walking {
		s.start(inc.ID, func(ctx context.Context) error { return s.walkForAlert(ctx, inc.ID) })
	}
}
