// Package bolt keeps incidents in one file on the bot's own disk, so that they
// outlive the bot.
//
// It owns the file and its format. One process has it open at a time. It holds
// what incidents and bundles hold, which is redacted before it gets here.
package bolt

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"

	"redis-session-bot/internal/evidence"
	"redis-session-bot/internal/incident"
)

// format is the version of the file. A file of a later one is refused.
const format = 1

// lockTimeout is how long another process may take to let go of the file.
const lockTimeout = 2 * time.Second

// wasteful is the share of free pages that makes a file worth rewriting, and
// least the number of bytes below which it is not.
const (
	wasteful = 0.5
	least    = 1 << 20
)

var (
	metaBucket      = []byte("meta")
	incidentsBucket = []byte("incidents") // big-endian number -> sealed JSON
	bundlesBucket   = []byte("bundles")   // big-endian number -> sealed, compressed JSON
	formatKey       = []byte("format")
)

// Store is an incident.Store in a file. Close it.
type Store struct{ db *bbolt.DB }

var _ incident.Store = (*Store)(nil)

// Open opens the file, and makes it and its folder where they are missing. A
// file of which more than half is free is rewritten first. The error is a
// sentence where another process has the file open, or a newer bot has written it.
func Open(path string) (*Store, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("make the folder of the store: %w", err)
	}
	db, err := open(path)
	if err != nil {
		return nil, err
	}
	if db, err = compacted(db, path); err != nil {
		return nil, err
	}
	if err := db.Update(prepare); err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", path, err), db.Close())
	}
	return &Store{db: db}, nil
}

func open(path string) (*bbolt.DB, error) {
	db, err := opening(path)
	if errors.Is(err, bolterrors.ErrTimeout) {
		return nil, fmt.Errorf("%s is open in another process: a second bot may be running; stop it, or give this one a store of its own", path)
	}
	if err != nil {
		return nil, fmt.Errorf("open the store %s: %w", path, err)
	}
	return db, nil
}

// opening opens the file. What the library answers to a damaged one with a
// panic is an error here.
func opening(path string) (db *bbolt.DB, err error) {
	defer func() {
		if trouble := recover(); trouble != nil {
			db, err = nil, fmt.Errorf("the file is damaged: %v; restore it from a backup, or move it away", trouble)
		}
	}()
	if err := whole(path); err != nil {
		return nil, err
	}
	return bbolt.Open(path, 0o600, &bbolt.Options{Timeout: lockTimeout})
}

// whole refuses a file that ends before its last page: reading on would end the
// process. It opens the file without its list of free pages, which may be what
// is missing.
func whole(path string) error {
	info, err := os.Stat(path)
	if errors.Is(err, os.ErrNotExist) || err == nil && info.Size() == 0 {
		return nil // a new one
	}
	if err != nil {
		return err
	}
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{Timeout: lockTimeout, ReadOnly: true})
	if err != nil {
		return err
	}
	defer db.Close()
	tx, err := db.Begin(false)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }()
	if info.Size() < tx.Size() {
		return fmt.Errorf("the file is cut off: it has %d of %d bytes; restore it from a backup, or move it away", info.Size(), tx.Size())
	}
	return nil
}

// prepare makes a new file's buckets, and refuses a file of a later format.
func prepare(tx *bbolt.Tx) error {
	meta, err := tx.CreateBucketIfNotExists(metaBucket)
	if err != nil {
		return err
	}
	if written := meta.Get(formatKey); written != nil {
		version, err := strconv.Atoi(string(written))
		if err != nil || version > format {
			return fmt.Errorf("it was written by a newer bot (format %s, this one knows %d): run that one, or move the file away", written, format)
		}
	}
	for _, name := range [][]byte{incidentsBucket, bundlesBucket} {
		if _, err := tx.CreateBucketIfNotExists(name); err != nil {
			return err
		}
	}
	return meta.Put(formatKey, []byte(strconv.Itoa(format)))
}

// compacted rewrites a file that is mostly free pages.
func compacted(db *bbolt.DB, path string) (*bbolt.DB, error) {
	var size int64
	if err := db.View(func(tx *bbolt.Tx) error { size = tx.Size(); return nil }); err != nil {
		return nil, errors.Join(fmt.Errorf("read %s: %w", path, err), db.Close())
	}
	free := int64(db.Stats().FreePageN) * int64(db.Info().PageSize)
	if size < least || float64(free) < wasteful*float64(size) {
		return db, nil
	}
	smaller := path + ".compact"
	into, err := bbolt.Open(smaller, 0o600, &bbolt.Options{Timeout: lockTimeout})
	if err != nil {
		return db, nil // it stays as large as it is
	}
	err = bbolt.Compact(into, db, 0)
	if closed := into.Close(); err != nil || closed != nil {
		return db, os.Remove(smaller)
	}
	if err := db.Close(); err != nil {
		return nil, fmt.Errorf("close %s: %w", path, err)
	}
	if err := os.Rename(smaller, path); err != nil {
		return nil, fmt.Errorf("take over the smaller store: %w", err)
	}
	return open(path)
}

// Close closes the file.
func (s *Store) Close() error { return s.db.Close() }

// Ping tells whether the file can be written.
func (s *Store) Ping(context.Context) error {
	if err := s.db.Update(func(*bbolt.Tx) error { return nil }); err != nil {
		return errors.New("the store cannot be written; the log says why")
	}
	return nil
}

// Create stores a new incident under the next ID.
func (s *Store) Create(_ context.Context, inc incident.Incident) (incident.Incident, error) {
	err := s.db.Update(func(tx *bbolt.Tx) error {
		bucket := tx.Bucket(incidentsBucket)
		number, err := bucket.NextSequence()
		if err != nil {
			return err
		}
		inc.ID, inc.Version = fmt.Sprintf("INC-%d", number), 1
		inc, err = put(bucket, inc)
		return err
	})
	if err != nil {
		return incident.Incident{}, fmt.Errorf("store a new incident: %w", err)
	}
	return inc, nil
}

// Get returns one incident, or incident.ErrNotFound.
func (s *Store) Get(_ context.Context, id string) (inc incident.Incident, err error) {
	err = s.db.View(func(tx *bbolt.Tx) error {
		inc, err = get(tx.Bucket(incidentsBucket), id)
		return err
	})
	return inc, err
}

// Update stores inc if nobody has since it was read, or incident.ErrConflict.
func (s *Store) Update(_ context.Context, inc incident.Incident) (incident.Incident, error) {
	err := s.db.Update(func(tx *bbolt.Tx) error {
		bucket := tx.Bucket(incidentsBucket)
		stored, err := get(bucket, inc.ID)
		if err != nil {
			return err
		}
		if stored.Version != inc.Version {
			return fmt.Errorf("update %s: %w", inc.ID, incident.ErrConflict)
		}
		inc.Version++
		inc, err = put(bucket, inc)
		return err
	})
	if err != nil {
		return incident.Incident{}, err
	}
	return inc, nil
}

// List returns all incidents, oldest first.
func (s *Store) List(context.Context) (all []incident.Incident, err error) {
	err = s.db.View(func(tx *bbolt.Tx) error {
		return tx.Bucket(incidentsBucket).ForEach(func(key, sealed []byte) error {
			var inc incident.Incident
			if err := unseal(sealed, &inc); err != nil {
				return fmt.Errorf("INC-%d: %w", binary.BigEndian.Uint64(key), err)
			}
			all = append(all, inc)
			return nil
		})
	})
	return all, err
}

// SaveBundle keeps what was read for an incident.
func (s *Store) SaveBundle(_ context.Context, id string, bundle evidence.Bundle) error {
	var packed bytes.Buffer
	writer := gzip.NewWriter(&packed)
	err := json.NewEncoder(writer).Encode(bundle)
	if err = errors.Join(err, writer.Close()); err != nil {
		return fmt.Errorf("pack the evidence of %s: %w", id, err)
	}
	return s.db.Update(func(tx *bbolt.Tx) error {
		return tx.Bucket(bundlesBucket).Put(key(numberOf(id)), seal(packed.Bytes()))
	})
}

// Bundle returns what was read for an incident, the empty one for nothing.
func (s *Store) Bundle(_ context.Context, id string) (evidence.Bundle, error) {
	var packed []byte
	err := s.db.View(func(tx *bbolt.Tx) (err error) {
		sealed := tx.Bucket(bundlesBucket).Get(key(numberOf(id)))
		if sealed != nil {
			packed, err = opened(sealed)
		}
		return err
	})
	if err != nil || packed == nil {
		return evidence.Bundle{}, err
	}
	reader, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return evidence.Bundle{}, fmt.Errorf("the evidence of %s: %w", id, err)
	}
	var bundle evidence.Bundle
	if err := json.NewDecoder(reader).Decode(&bundle); err != nil {
		return evidence.Bundle{}, fmt.Errorf("the evidence of %s: %w", id, err)
	}
	return bundle, nil
}

// numberOf is the number in INC-7; 0, which no incident has, for anything else.
func numberOf(id string) uint64 {
	digits, ok := strings.CutPrefix(id, "INC-")
	number, err := strconv.ParseUint(digits, 10, 64)
	if !ok || err != nil {
		return 0
	}
	return number
}

func key(number uint64) []byte { return binary.BigEndian.AppendUint64(nil, number) }

// put stores an incident and returns it as it is read back: nobody holds a
// pointer into the store.
func put(bucket *bbolt.Bucket, inc incident.Incident) (incident.Incident, error) {
	data, err := json.Marshal(inc)
	if err != nil {
		return incident.Incident{}, fmt.Errorf("store %s: %w", inc.ID, err)
	}
	if err := bucket.Put(key(numberOf(inc.ID)), seal(data)); err != nil {
		return incident.Incident{}, fmt.Errorf("store %s: %w", inc.ID, err)
	}
	return get(bucket, inc.ID)
}

func get(bucket *bbolt.Bucket, id string) (inc incident.Incident, err error) {
	sealed := bucket.Get(key(numberOf(id)))
	if sealed == nil {
		return inc, fmt.Errorf("%s: %w", id, incident.ErrNotFound)
	}
	if err := unseal(sealed, &inc); err != nil {
		return inc, fmt.Errorf("%s: %w", id, err)
	}
	return inc, nil
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// seal puts the data's checksum before it.
func seal(data []byte) []byte {
	return append(binary.BigEndian.AppendUint32(nil, crc32.Checksum(data, castagnoli)), data...)
}

// opened checks the checksum and returns a copy of the data.
func opened(sealed []byte) ([]byte, error) {
	if len(sealed) < 4 || binary.BigEndian.Uint32(sealed) != crc32.Checksum(sealed[4:], castagnoli) {
		return nil, errors.New("the store is damaged here: the checksum is wrong; restore the file from a backup, or move it away")
	}
	return bytes.Clone(sealed[4:]), nil
}

func unseal(sealed []byte, into any) error {
	data, err := opened(sealed)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(data, into); err != nil {
		return fmt.Errorf("read: %w", err)
	}
	return nil
}
