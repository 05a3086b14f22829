package incident

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"redis-session-bot/internal/evidence"
	"redis-session-bot/internal/runbook"
)

// Verify holds the live cluster against the runbook's verification until all
// of it holds or the time for it is over, and records which. It returns when
// that is known.
func (s *Service) Verify(ctx context.Context, id string, actor Actor) error {
	var inc Incident
	err := s.insist(ctx, id, func() (err error) {
		inc, err = s.change(ctx, id, func(inc *Incident) error {
			inc.State, inc.Verified, inc.Verifier = Verifying, nil, s.Replica
			s.beatsIn(inc)
			return nil
		})
		return err
	})
	if err != nil {
		return err
	}
	outcomes, err := s.watch(ctx, inc, func(outcomes []runbook.Outcome) { s.showOutcomes(ctx, id, outcomes) })
	if err != nil {
		return err
	}
	return s.endVerification(ctx, id, actor, outcomes)
}

// watch looks at the live cluster until all of the verification holds or the
// time for it is over, and gives the last outcomes. Those before go to tell.
func (s *Service) watch(ctx context.Context, inc Incident, tell func([]runbook.Outcome)) ([]runbook.Outcome, error) {
	book := s.Runbooks[inc.Runbook]
	since, promised := lastApplied(inc)
	limited, cancel := context.WithTimeout(ctx, s.Limits.Verify)
	defer cancel()
	for {
		outcomes := book.Verify(s.lookAll(limited, inc.Target, book.Verification), since, promised)
		if allOK(outcomes) || !s.pause(limited) {
			if ctx.Err() != nil {
				return nil, fmt.Errorf("verify %s: %w", inc.ID, ctx.Err())
			}
			return outcomes, nil
		}
		tell(outcomes)
	}
}

// pause waits between two looks; false when the time is over.
func (s *Service) pause(ctx context.Context) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(s.Limits.Poll):
		return true
	}
}

// showOutcomes keeps what holds so far. That it cannot be kept ends no verification.
func (s *Service) showOutcomes(ctx context.Context, id string, outcomes []runbook.Outcome) {
	_, err := s.change(ctx, id, func(inc *Incident) error {
		inc.Verified = outcomes
		return nil
	})
	if err != nil && ctx.Err() == nil {
		s.Log.Warn("progress not stored", "incident", id, "err", err)
	}
}

func (s *Service) endVerification(ctx context.Context, id string, actor Actor, outcomes []runbook.Outcome) error {
	fixed := allOK(outcomes)
	err := s.insist(ctx, id, func() error { return s.markVerified(ctx, id, actor, outcomes) })
	if err == nil && fixed {
		s.start(id, func(ctx context.Context) error { return s.keepRecovery(ctx, id) })
	}
	if err != nil || fixed {
		return err
	}
	return s.RunAll(ctx, id, actor) // the verdict may be another one now
}

func (s *Service) markVerified(ctx context.Context, id string, actor Actor, outcomes []runbook.Outcome) error {
	_, err := s.change(ctx, id, func(inc *Incident) error {
		inc.Verified = outcomes
		if allOK(outcomes) {
			inc.State, inc.FixedAt = Fixed, s.Now()
			s.note(inc, actor, "verified: fixed")
			return nil
		}
		inc.State = NotFixed
		for _, outcome := range outcomes {
			if !outcome.OK {
				s.note(inc, actor, "verified: not fixed: %s", outcome.Says)
				break
			}
		}
		return nil
	})
	return err
}

// lookAll runs every check that the verification names, at the same time.
func (s *Service) lookAll(ctx context.Context, target evidence.Target, expectations []runbook.Expectation) evidence.Evidence {
	var names []string
	for _, expectation := range expectations {
		if expectation.Check != "" && !slices.Contains(names, expectation.Check) {
			names = append(names, expectation.Check)
		}
	}
	look := s.Cluster.Look(target)
	var bundle evidence.Bundle
	var adding sync.Mutex
	var looks sync.WaitGroup
	for _, name := range names {
		looks.Go(func() {
			part, err := s.check(ctx, look, name)
			if err != nil {
				s.Log.Warn("verification could not look", "check", name, "err", err)
			}
			adding.Lock()
			defer adding.Unlock()
			bundle.Add(part)
		})
	}
	looks.Wait()
	return evidence.Read(bundle, target)
}

// lastApplied is when the newest plan was applied, and how many keys it has
// promised; the incident's start and -1 where there is none.
func lastApplied(inc Incident) (at time.Time, promised int64) {
	at, promised = inc.Since, -1
	for _, plan := range inc.Plans {
		if plan.AppliedAt.After(at) {
			at, promised = plan.AppliedAt, plan.Holds.After
		}
	}
	return at, promised
}

func allOK(outcomes []runbook.Outcome) bool {
	return len(outcomes) > 0 && !slices.ContainsFunc(outcomes, func(o runbook.Outcome) bool { return !o.OK })
}
