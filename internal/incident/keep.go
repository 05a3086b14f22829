package incident

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// Keep is how long closed incidents are kept. The zero value keeps all.
type Keep struct {
	Age   time.Duration // after they were closed; 0: for ever
	Count int           // of them, the newest; 0: any number
}

// over says which incidents are kept no longer, the one closed first first, and
// why. What is open stays, and what a debt hangs on: recent holds all of those.
func (k Keep) over(index []Brief, recent []Incident, now time.Time) (over []Brief, why map[string]string) {
	closed := slices.DeleteFunc(slices.Clone(index), func(b Brief) bool { return b.ClosedAt.IsZero() })
	slices.SortStableFunc(closed, func(a, b Brief) int { return a.ClosedAt.Compare(b.ClosedAt) })
	why = map[string]string{}
	for n, brief := range closed {
		switch {
		case k.Age > 0 && now.Sub(brief.ClosedAt) > k.Age:
			why[brief.ID] = fmt.Sprintf("closed more than %s ago", days(k.Age))
		case k.Count > 0 && len(closed)-n > k.Count:
			why[brief.ID] = fmt.Sprintf("%d closed ones are kept", k.Count)
		default:
			continue
		}
		rest := slices.DeleteFunc(slices.Clone(recent), func(inc Incident) bool { return inc.ID == brief.ID })
		if !sameDebts(recent, rest) {
			continue
		}
		recent = rest
		over = append(over, brief)
	}
	return over, why
}

// sameDebts reports whether what is owed is the same without the incidents that
// are in one and not in the other.
func sameDebts(with, without []Incident) bool {
	if len(with) == len(without) {
		return true
	}
	owed := func(all []Incident) (ids []string) {
		for _, debt := range Debts(all, func(Incident, string) bool { return false }) {
			ids = append(ids, fmt.Sprintf("%s/%d", debt.Incident, debt.Plan.Number))
		}
		return ids
	}
	return slices.Equal(owed(with), owed(without))
}

// days writes a time as config does.
func days(d time.Duration) string {
	if d%(24*time.Hour) == 0 {
		return fmt.Sprintf("%d days", d/(24*time.Hour))
	}
	return d.String()
}

// Tidy drops what is kept long enough, each with a line in the audit trail. It
// tells how many; what cannot be dropped now is left for the next time.
func (s *Service) Tidy(ctx context.Context, keep Keep) (int, error) {
	index, err := s.Store.Index(ctx)
	if err != nil {
		return 0, fmt.Errorf("list incidents: %w", err)
	}
	recent, err := s.Store.Recent(ctx, time.Time{})
	if err != nil {
		return 0, fmt.Errorf("list incidents: %w", err)
	}
	over, why := keep.over(index, recent, s.Now())
	dropped := 0
	var failed []error
	for _, brief := range over {
		line := Entry{At: s.Now(), Actor: Actor{ID: "bot", Name: "bot"}, Text: "dropped the incident: " + why[brief.ID]}
		if err := s.Store.Drop(ctx, brief.ID, line); err != nil {
			failed = append(failed, fmt.Errorf("drop %s: %w", brief.ID, err))
			continue
		}
		dropped++
	}
	return dropped, errors.Join(failed...)
}
