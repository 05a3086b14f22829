package incident

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"redis-session-bot/internal/checks"
	"redis-session-bot/internal/evidence"
)

// Kept is what an incident shows of the series that were kept of the store's
// last hours: as they were when they were first read, and once more as they were
// a while after the fix. The series themselves are in the bundle.
type Kept struct {
	Check string    `json:"check,omitempty"` // that brings them
	Says  string    `json:"says,omitempty"`  // what they show; "" until there is something to show
	Until time.Time `json:"until,omitzero"`  // the newest sample that is shown
	Fixed bool      `json:"fixed,omitempty"` // read again after the fix
}

// keepFirst takes over what the first round brought that read the series, once
// the other steps of that round have ended: they know the container's limit and
// the rollouts.
func (i *Incident) keepFirst(check string, part, bundle evidence.Bundle, e evidence.Evidence) {
	if i.Kept.Says != "" {
		return
	}
	if part.Prometheus != nil {
		i.Kept.Check = check
	}
	running := slices.ContainsFunc(i.Steps, func(s Step) bool { return s.Status == Running })
	if i.Kept.Check != "" && !running {
		i.keep(bundle, e)
	}
}

// keep writes down what the series of a bundle show; false for nothing.
func (i *Incident) keep(bundle evidence.Bundle, e evidence.Evidence) bool {
	if bundle.Prometheus == nil {
		return false
	}
	says := checks.Course(*bundle.Prometheus, e.MemoryLimit())
	if says == "" {
		return false
	}
	i.Kept.Says, i.Kept.Until = says, bundle.Prometheus.End()
	return true
}

// recovers reports whether the series are to be read again after the fix. They
// are once: not after a second fix.
func (i Incident) recovers() bool {
	return i.Kept.Says != "" && !i.Kept.Fixed && !i.FixedAt.IsZero()
}

// keepRecovery reads the series again, as soon as they can show the store well.
// Nothing else is read or judged anew: what was found stays.
func (s *Service) keepRecovery(ctx context.Context, id string) error {
	if s.Limits.Recovery == 0 {
		return nil
	}
	inc, err := s.Store.Get(ctx, id)
	if err != nil || !inc.recovers() {
		return err
	}
	select {
	case <-ctx.Done():
		return nil // after the restart it is taken up again
	case <-time.After(inc.FixedAt.Add(s.Limits.Recovery).Sub(s.Now())):
	}
	if inc, err = s.Store.Get(ctx, id); err != nil || !inc.recovers() {
		return err // it is broken again; its next fix comes here, too
	}
	part, err := s.check(ctx, s.Cluster.Look(inc.Target), inc.Kept.Check)
	if part.Prometheus == nil {
		return err
	}
	s.merge.Lock()
	defer s.merge.Unlock()
	if err := s.Store.AddBundle(ctx, id, evidence.Bundle{Prometheus: part.Prometheus}); err != nil {
		return fmt.Errorf("store the evidence of %s: %w", id, err)
	}
	bundle, err := s.Store.Bundle(ctx, id)
	if err != nil {
		return fmt.Errorf("read the evidence of %s: %w", id, err)
	}
	_, err = s.change(ctx, id, func(inc *Incident) error {
		if !inc.recovers() || !inc.keep(bundle, evidence.Read(bundle, inc.Target)) {
			return errNothing
		}
		inc.Kept.Fixed = true
		return nil
	})
	if errors.Is(err, errNothing) {
		return nil
	}
	return err
}

// Bundle returns what was read for an incident.
func (s *Service) Bundle(ctx context.Context, id string) (evidence.Bundle, error) {
	return s.Store.Bundle(ctx, id)
}
