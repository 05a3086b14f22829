// Package bolt keeps incidents, their evidence and their audit trail in one file
// on the bot's own disk, so that they outlive the bot.
//
// It owns the file and its format. One process has it open at a time; others may
// read a copy. It holds what incidents and bundles hold, which is redacted before
// it gets here.
package bolt

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"time"

	"go.etcd.io/bbolt"

	"redis-session-bot/internal/chain"
	"redis-session-bot/internal/evidence"
	"redis-session-bot/internal/incident"
	"redis-session-bot/internal/store/record"
)

// The buckets. Numbers are those of the IDs, as big-endian keys.
var (
	metaBucket      = []byte("meta")
	incidentsBucket = []byte("incidents") // number -> incident
	bundlesBucket   = []byte("bundles")   // number -> bundle
	activeBucket    = []byte("active")    // number -> nothing: incidents that do not rest
	closedBucket    = []byte("closed")    // when it was closed, number -> nothing
	trailBucket     = []byte("trail")     // number of the entry -> entry
	formatKey       = []byte("format")
)

// Store is an incident.Store in a file. Its fields are set before the first call.
// Close it.
type Store struct {
	// Chained is told of each new entry of the audit trail; nil for nobody.
	Chained func(chain.Entry)
	// Damaged is told once of each incident that is left out of a list, and of
	// damage to the file as a whole; nil for nobody.
	Damaged func(*record.Damage)

	db    *bbolt.DB
	path  string
	doubt *record.Damage // of the file itself; nil for none
	told  sync.Map       // what of the damage was told
}

var (
	_ incident.Store = (*Store)(nil)
	_ chain.Trail    = (*Store)(nil)
)

// Close closes the file.
func (s *Store) Close() error { return s.db.Close() }

// Ping tells whether the file can be written.
func (s *Store) Ping(ctx context.Context) error {
	if err := s.update(ctx, func(*tx) error { return nil }); err != nil {
		return errors.New("the store cannot be written; the log says why")
	}
	return nil
}

// Create stores a new incident under the next ID.
func (s *Store) Create(ctx context.Context, inc incident.Incident) (created incident.Incident, err error) {
	err = s.update(ctx, func(tx *tx) error {
		number, err := tx.Bucket(incidentsBucket).NextSequence()
		if err != nil {
			return err
		}
		inc.ID, inc.Version = fmt.Sprintf("INC-%d", number), 1
		created, err = tx.put(inc, nil)
		return err
	})
	if err != nil {
		return incident.Incident{}, fmt.Errorf("store a new incident: %w", err)
	}
	return created, nil
}

// Get returns one incident, incident.ErrNotFound, or *record.Damage.
func (s *Store) Get(ctx context.Context, id string) (inc incident.Incident, err error) {
	err = s.view(ctx, func(tx *tx) error {
		inc, err = tx.get(id)
		return err
	})
	return inc, err
}

// Update stores inc if nobody has since it was read, or incident.ErrConflict.
func (s *Store) Update(ctx context.Context, inc incident.Incident) (updated incident.Incident, err error) {
	err = s.update(ctx, func(tx *tx) error {
		stored, err := tx.get(inc.ID)
		if err != nil {
			return err
		}
		if stored.Version != inc.Version {
			return incident.ErrConflict
		}
		inc.Version++
		updated, err = tx.put(inc, &stored)
		return err
	})
	if err != nil {
		return incident.Incident{}, fmt.Errorf("update %s: %w", inc.ID, err)
	}
	return updated, nil
}

// List returns all incidents, oldest first.
func (s *Store) List(ctx context.Context) (all []incident.Incident, err error) {
	err = s.view(ctx, func(tx *tx) error {
		cursor := tx.Bucket(incidentsBucket).Cursor()
		for key, _ := cursor.First(); key != nil; key, _ = cursor.Next() {
			if err := s.add(ctx, tx, &all, idOf(key)); err != nil {
				return err
			}
		}
		return nil
	})
	return all, err
}

// Recent returns those that do not rest, and those closed since then; none of
// those for the zero time. It reads no other.
func (s *Store) Recent(ctx context.Context, since time.Time) (all []incident.Incident, err error) {
	s.tell(s.doubt)
	err = s.view(ctx, func(tx *tx) error {
		wanted := map[uint64]bool{}
		closed := tx.Bucket(closedBucket).Cursor()
		for key, _ := closed.Last(); !since.IsZero() && key != nil && !closedAt(key).Before(since); key, _ = closed.Prev() {
			wanted[numberIn(key)] = true
		}
		active := tx.Bucket(activeBucket).Cursor()
		for key, _ := active.First(); key != nil; key, _ = active.Next() {
			wanted[numberIn(key)] = true
		}
		for _, number := range sorted(wanted) {
			if err := s.add(ctx, tx, &all, fmt.Sprintf("INC-%d", number)); err != nil {
				return err
			}
		}
		return nil
	})
	return all, err
}

// add reads an incident for a list; one that is damaged is left out and told of.
func (s *Store) add(ctx context.Context, tx *tx, all *[]incident.Incident, id string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	inc, err := tx.get(id)
	var damage *record.Damage
	switch {
	case errors.As(err, &damage):
		s.tell(damage)
		return nil
	case err != nil:
		return err
	}
	*all = append(*all, inc)
	return nil
}

func (s *Store) tell(damage *record.Damage) {
	if damage == nil || s.Damaged == nil {
		return
	}
	if _, known := s.told.LoadOrStore(damage.What, true); !known {
		s.Damaged(damage)
	}
}

// Index lists what is kept, from keys alone.
func (s *Store) Index(ctx context.Context) (index []incident.Brief, err error) {
	err = s.view(ctx, func(tx *tx) error {
		closed := map[uint64]time.Time{}
		cursor := tx.Bucket(closedBucket).Cursor()
		for key, _ := cursor.First(); key != nil; key, _ = cursor.Next() {
			closed[numberIn(key)] = closedAt(key)
		}
		cursor = tx.Bucket(incidentsBucket).Cursor()
		for key, _ := cursor.First(); key != nil; key, _ = cursor.Next() {
			index = append(index, incident.Brief{ID: idOf(key), ClosedAt: closed[numberIn(key)]})
		}
		return nil
	})
	return index, err
}

// Drop forgets an incident and its evidence.
func (s *Store) Drop(ctx context.Context, id string, why incident.Entry) error {
	return s.update(ctx, func(tx *tx) error {
		stored, err := tx.get(id)
		if err != nil {
			return err
		}
		if err := tx.unlist(stored); err != nil {
			return err
		}
		key := keyOf(numberOf(id))
		if err := errors.Join(tx.Bucket(incidentsBucket).Delete(key), tx.Bucket(bundlesBucket).Delete(key)); err != nil {
			return err
		}
		return tx.chain([]chain.Entry{chain.Gone(id, len(stored.Timeline), why)})
	})
}

// AddBundle adds what was read for an incident.
func (s *Store) AddBundle(ctx context.Context, id string, part evidence.Bundle) error {
	return s.update(ctx, func(tx *tx) error {
		if tx.Bucket(incidentsBucket).Get(keyOf(numberOf(id))) == nil {
			return fmt.Errorf("%s: %w", id, incident.ErrNotFound)
		}
		whole, err := tx.bundle(id)
		var damage *record.Damage
		if err != nil && !errors.As(err, &damage) {
			return err
		}
		whole.Add(part) // in place of what is damaged: it can be read from the cluster again
		packed, err := record.Pack(bundleName(id), whole)
		if err != nil {
			return err
		}
		return tx.Bucket(bundlesBucket).Put(keyOf(numberOf(id)), packed)
	})
}

// Bundle returns what was read for an incident, the empty one for nothing.
func (s *Store) Bundle(ctx context.Context, id string) (bundle evidence.Bundle, err error) {
	err = s.view(ctx, func(tx *tx) error {
		bundle, err = tx.bundle(id)
		return err
	})
	return bundle, err
}

// view runs f in a transaction that reads.
func (s *Store) view(ctx context.Context, f func(*tx) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return s.guarded(func() error {
		return s.db.View(func(t *bbolt.Tx) error { return f(&tx{Tx: t, path: s.path}) })
	})
}

// update runs f in a transaction that writes, and tells of what it chained once
// that is on the disk.
func (s *Store) update(ctx context.Context, f func(*tx) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	var chained []chain.Entry
	err := s.guarded(func() error {
		return s.db.Update(func(t *bbolt.Tx) error {
			tx := &tx{Tx: t, path: s.path}
			err := f(tx)
			chained = tx.chained
			return err
		})
	})
	if err == nil && s.Chained != nil {
		for _, entry := range chained {
			s.Chained(entry)
		}
	}
	return err
}

func (s *Store) guarded(f func() error) error { return guarded(s.path, f) }

// guarded makes an error of what a damaged file does to the library: a panic, or
// an access outside of the file.
func guarded(path string, f func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if trouble := recover(); trouble != nil {
			err = fmt.Errorf("the store %s is damaged: %v; %s", path, trouble, restore)
		}
	}()
	return f()
}

// restore is the way out where the whole file is of no use.
const restore = "restore it from a backup, or move it away and begin anew"

// numberOf is the number in INC-7; 0, which no incident has, for anything else.
func numberOf(id string) uint64 {
	digits, ok := strings.CutPrefix(id, "INC-")
	number, err := strconv.ParseUint(digits, 10, 64)
	if !ok || err != nil || digits != strconv.FormatUint(number, 10) {
		return 0
	}
	return number
}

func keyOf(number uint64) []byte { return binary.BigEndian.AppendUint64(nil, number) }

// numberIn is the number that a key ends with; 0 for no key of ours.
func numberIn(key []byte) uint64 {
	if len(key) < 8 {
		return 0
	}
	return binary.BigEndian.Uint64(key[len(key)-8:])
}

func idOf(key []byte) string { return fmt.Sprintf("INC-%d", numberIn(key)) }
