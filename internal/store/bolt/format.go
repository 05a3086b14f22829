package bolt

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"strconv"

	"go.etcd.io/bbolt"

	"redis-session-bot/internal/evidence"
	"redis-session-bot/internal/incident"
	"redis-session-bot/internal/store/record"
)

// format is the version of the file. A file of a later one is refused.
//
//	1: incidents as JSON, bundles compressed, each behind its checksum
//	2: every record compressed and sealed with its name; indexes; the audit trail
const format = 2

// prepare makes a new file's buckets, brings an older format to this one, and
// refuses a later one.
func prepare(db *bbolt.DB, path string) error {
	version := 0
	err := db.View(func(t *bbolt.Tx) (err error) {
		version, err = versionOf(t)
		return err
	})
	if err != nil || version == format {
		return err
	}
	return db.Update(func(t *bbolt.Tx) error {
		for _, name := range [][]byte{metaBucket, incidentsBucket, bundlesBucket, activeBucket, closedBucket, trailBucket} {
			if _, err := t.CreateBucketIfNotExists(name); err != nil {
				return err
			}
		}
		if version == 1 {
			if err := (&tx{Tx: t, path: path}).fromFormat1(); err != nil {
				return fmt.Errorf("bring it from format 1 to %d: %w", format, err)
			}
		}
		return t.Bucket(metaBucket).Put(formatKey, []byte(strconv.Itoa(format)))
	})
}

// versionOf is the format of a file; 0 for a new one.
func versionOf(t *bbolt.Tx) (int, error) {
	meta := t.Bucket(metaBucket)
	if meta == nil {
		if key, _ := t.Cursor().First(); key != nil {
			return 0, errors.New("it is another program's file: name another one (store.path)")
		}
		return 0, nil
	}
	written := string(meta.Get(formatKey))
	version, err := strconv.Atoi(written)
	switch {
	case err != nil || version < 1:
		return 0, fmt.Errorf("its format is %q, which no bot has written; %s", written, restore)
	case version > format:
		return 0, fmt.Errorf("it was written by a newer bot (format %d, this one knows %d): run that one, or move the file away", version, format)
	}
	return version, nil
}

// fromFormat1 writes every record anew, and begins the audit trail with what the
// timelines say, one incident after another. One that is damaged stays as it is:
// it is damaged in this format, too.
func (t *tx) fromFormat1() error {
	var keys [][]byte
	cursor := t.Bucket(incidentsBucket).Cursor()
	for key, _ := cursor.First(); key != nil; key, _ = cursor.Next() {
		keys = append(keys, bytes.Clone(key))
	}
	for _, key := range keys {
		var inc incident.Incident
		data, whole := opened(t.Bucket(incidentsBucket).Get(key))
		if !whole {
			if err := t.Bucket(activeBucket).Put(key, nil); err != nil { // it is told of
				return err
			}
			continue
		}
		if err := json.Unmarshal(data, &inc); err != nil {
			return fmt.Errorf("%s: %w", idOf(key), err)
		}
		if _, err := t.put(inc, nil); err != nil {
			return err
		}
		packed, whole := opened(t.Bucket(bundlesBucket).Get(key))
		if !whole {
			continue
		}
		bundle, err := bundleOfFormat1(packed)
		if err != nil {
			return fmt.Errorf("the evidence of %s: %w", inc.ID, err)
		}
		sealed, err := record.Pack(bundleName(inc.ID), bundle)
		if err != nil {
			return err
		}
		if err := t.Bucket(bundlesBucket).Put(key, sealed); err != nil {
			return err
		}
	}
	return nil
}

func bundleOfFormat1(packed []byte) (bundle evidence.Bundle, err error) {
	reader, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return bundle, err
	}
	err = json.NewDecoder(reader).Decode(&bundle)
	return bundle, err
}

// opened gives a copy of what format 1 has sealed, where its checksum holds.
func opened(sealed []byte) ([]byte, bool) {
	if len(sealed) < 4 || binary.BigEndian.Uint32(sealed) != crc32.Checksum(sealed[4:], crc32.MakeTable(crc32.Castagnoli)) {
		return nil, false
	}
	return bytes.Clone(sealed[4:]), true
}
