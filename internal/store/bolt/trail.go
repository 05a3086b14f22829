package bolt

import (
	"context"
	"iter"

	"redis-session-bot/internal/chain"
)

// trailStep is how many entries one transaction reads: a reader that is slow
// must not keep old pages from being used again.
const trailStep = 1000

// Trail gives the audit trail in the order of the file.
func (s *Store) Trail(ctx context.Context) iter.Seq2[chain.Entry, error] {
	return func(yield func(chain.Entry, error) bool) {
		type read struct {
			entry chain.Entry
			err   error
		}
		var after []byte
		for {
			var step []read
			err := s.view(ctx, func(tx *tx) error {
				cursor := tx.Bucket(trailBucket).Cursor()
				key, sealed := cursor.First()
				if after != nil {
					if key, sealed = cursor.Seek(after); string(key) == string(after) {
						key, sealed = cursor.Next()
					}
				}
				for ; key != nil && len(step) < trailStep; key, sealed = cursor.Next() {
					entry, err := tx.entry(key, sealed)
					step = append(step, read{entry, err})
					after = append([]byte(nil), key...)
				}
				return nil
			})
			if err != nil {
				yield(chain.Entry{}, err)
				return
			}
			for _, one := range step {
				if !yield(one.entry, one.err) {
					return
				}
			}
			if len(step) < trailStep {
				return
			}
		}
	}
}

// Head gives the newest entry's.
func (s *Store) Head(ctx context.Context) (head chain.Head, err error) {
	err = s.view(ctx, func(tx *tx) error {
		head, err = tx.head()
		return err
	})
	return head, err
}
