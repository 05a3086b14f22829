package bolt

import (
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"go.etcd.io/bbolt"

	"redis-session-bot/internal/chain"
	"redis-session-bot/internal/evidence"
	"redis-session-bot/internal/incident"
	"redis-session-bot/internal/store/record"
)

// tx is one transaction over the buckets.
type tx struct {
	*bbolt.Tx
	path    string
	chained []chain.Entry
}

func incidentName(id string) string { return id }
func bundleName(id string) string   { return "evidence of " + id }
func entryName(n uint64) string     { return fmt.Sprintf("entry %d", n) }

func (t *tx) get(id string) (inc incident.Incident, err error) {
	sealed := t.Bucket(incidentsBucket).Get(keyOf(numberOf(id)))
	if sealed == nil {
		return inc, fmt.Errorf("%s: %w", id, incident.ErrNotFound)
	}
	if err := record.Unpack(incidentName(id), sealed, &inc); err != nil {
		return incident.Incident{}, &record.Damage{What: id, Where: t.path, Err: err}
	}
	return inc, nil
}

func (t *tx) bundle(id string) (bundle evidence.Bundle, err error) {
	sealed := t.Bucket(bundlesBucket).Get(keyOf(numberOf(id)))
	if sealed == nil {
		return bundle, nil
	}
	if err := record.Unpack(bundleName(id), sealed, &bundle); err != nil {
		return evidence.Bundle{}, &record.Damage{What: "the evidence of " + id, Where: t.path, Err: err}
	}
	return bundle, nil
}

// put stores an incident in place of what is stored, nil for nothing; chains
// what is new in its timeline; and returns it as it is read back: nobody holds a
// pointer into the store.
func (t *tx) put(inc incident.Incident, stored *incident.Incident) (incident.Incident, error) {
	known := 0
	if stored != nil {
		known = len(stored.Timeline)
		if err := t.unlist(*stored); err != nil {
			return incident.Incident{}, err
		}
	}
	packed, err := record.Pack(incidentName(inc.ID), inc)
	if err != nil {
		return incident.Incident{}, err
	}
	if err := t.Bucket(incidentsBucket).Put(keyOf(numberOf(inc.ID)), packed); err != nil {
		return incident.Incident{}, fmt.Errorf("store %s: %w", inc.ID, err)
	}
	if err := t.list(inc); err != nil {
		return incident.Incident{}, err
	}
	if err := t.chain(chain.Lines(inc, known)); err != nil {
		return incident.Incident{}, err
	}
	return t.get(inc.ID)
}

// list enters an incident in the indexes; unlist takes it out of them.
func (t *tx) list(inc incident.Incident) error {
	number := numberOf(inc.ID)
	if !inc.Rests() {
		if err := t.Bucket(activeBucket).Put(keyOf(number), nil); err != nil {
			return err
		}
	}
	if !inc.Open() {
		return t.Bucket(closedBucket).Put(closedKey(inc), nil)
	}
	return nil
}

func (t *tx) unlist(inc incident.Incident) error {
	return errors.Join(t.Bucket(activeBucket).Delete(keyOf(numberOf(inc.ID))), t.Bucket(closedBucket).Delete(closedKey(inc)))
}

// closedKey sorts by when an incident was closed.
func closedKey(inc incident.Incident) []byte {
	seconds, nanos := max(0, inc.ClosedAt.Unix()), inc.ClosedAt.Nanosecond()
	key := binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint64(nil, uint64(seconds)), uint32(nanos))
	return append(key, keyOf(numberOf(inc.ID))...)
}

func closedAt(key []byte) time.Time {
	if len(key) != 20 {
		return time.Time{}
	}
	return time.Unix(int64(binary.BigEndian.Uint64(key)), int64(binary.BigEndian.Uint32(key[8:]))).UTC()
}

// chain binds entries to the end of the trail. Where its last entry is damaged,
// they stand behind it without its hash: the trail goes on.
func (t *tx) chain(entries []chain.Entry) error {
	if len(entries) == 0 {
		return nil
	}
	head, err := t.head()
	var damage *record.Damage
	if err != nil && !errors.As(err, &damage) {
		return err
	}
	for _, entry := range entries {
		entry = head.Next(entry)
		packed, err := record.Pack(entryName(entry.N), entry)
		if err != nil {
			return err
		}
		if err := t.Bucket(trailBucket).Put(keyOf(entry.N), packed); err != nil {
			return fmt.Errorf("write the audit trail: %w", err)
		}
		t.chained = append(t.chained, entry)
		head = entry.Head()
	}
	return nil
}

func (t *tx) head() (chain.Head, error) {
	key, sealed := t.Bucket(trailBucket).Cursor().Last()
	if key == nil {
		return chain.Head{}, nil
	}
	entry, err := t.entry(key, sealed)
	return entry.Head(), err
}

func (t *tx) entry(key, sealed []byte) (entry chain.Entry, err error) {
	n := numberIn(key)
	if err := record.Unpack(entryName(n), sealed, &entry); err != nil {
		return chain.Entry{N: n}, &record.Damage{What: fmt.Sprintf("entry %d of the audit trail", n), Where: t.path, Err: err}
	}
	return entry, nil
}

func sorted(numbers map[uint64]bool) []uint64 { return slices.Sorted(maps.Keys(numbers)) }
