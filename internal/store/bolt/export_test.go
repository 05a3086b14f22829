package bolt

import (
	"context"

	"redis-session-bot/internal/incident"
)

// Fill stores so many incidents at once, as make gives them by their number.
func (s *Store) Fill(ctx context.Context, count int, make func(n int) incident.Incident) error {
	return s.update(ctx, func(tx *tx) error {
		for range count {
			n, err := tx.Bucket(incidentsBucket).NextSequence()
			if err != nil {
				return err
			}
			inc := make(int(n))
			inc.ID, inc.Version = idOf(keyOf(n)), 1
			if _, err := tx.put(inc, nil); err != nil {
				return err
			}
		}
		return nil
	})
}
