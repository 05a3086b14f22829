package bolt

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"
)

// Peek opens the file to be read and nothing else. Where another process has it
// open, it reads a copy as the file was at one moment; the other one does not
// notice.
func Peek(path string) (*Store, error) {
	if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("there is no store at %s: no bot has been served with this configuration yet", path)
	}
	db, err := reading(path, 50*time.Millisecond)
	if errors.Is(err, bolterrors.ErrTimeout) {
		db, err = snapshot(path)
	}
	if err != nil {
		return nil, fmt.Errorf("read the store %s: %w", path, err)
	}
	store := &Store{db: db, path: path}
	err = guarded(path, func() error {
		return db.View(func(t *bbolt.Tx) error {
			version, err := versionOf(t)
			if err == nil && version != format {
				err = fmt.Errorf("it has format %d, and this bot reads %d: start this bot with it once (bot serve)", version, format)
			}
			return err
		})
	})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("read the store %s: %w", path, err), db.Close())
	}
	return store, nil
}

// reading opens a file that is whole, with a lock that others who read share.
func reading(path string, patience time.Duration) (db *bbolt.DB, err error) {
	err = guarded(path, func() error {
		if err := whole(path, patience); err != nil {
			return err
		}
		db, err = bbolt.Open(path, 0o600, &bbolt.Options{Timeout: patience, ReadOnly: true})
		return unusable(err)
	})
	return db, err
}

// tries is how often a copy is made anew because the file was written to.
const tries = 50

// snapshot opens a copy of a file that another process writes to. That one writes
// the first two pages last, and never into a page that they lead to: a copy during
// which they stayed the same is the file as it was then.
func snapshot(path string) (*bbolt.DB, error) {
	for range tries {
		copied, err := copyOf(path)
		if err != nil {
			return nil, fmt.Errorf("copy what another process has open: %w", err)
		}
		if copied == "" {
			continue
		}
		db, err := reading(copied, lockTimeout)
		return db, errors.Join(err, os.Remove(copied)) // what is open stays until it is closed
	}
	return nil, errors.New("another process writes to it all the time; try again")
}

// copyOf copies a file beside it; "" where it was written to meanwhile.
func copyOf(path string) (copied string, err error) {
	from, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer from.Close()
	before, err := heads(from)
	if err != nil {
		return "", err
	}
	into, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".copy-")
	if err != nil {
		return "", err
	}
	defer func() {
		if copied == "" {
			err = errors.Join(err, os.Remove(into.Name()))
		}
	}()
	_, err = io.Copy(into, from)
	if err = errors.Join(err, into.Close()); err != nil {
		return "", err
	}
	after, err := heads(from)
	if err != nil || !bytes.Equal(before, after) {
		return "", err
	}
	return into.Name(), nil
}
