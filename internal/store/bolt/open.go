package bolt

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"
)

// lockTimeout is how long another process may take to let go of the file.
const lockTimeout = 2 * time.Second

// wasteful is the share of free pages that makes a file worth rewriting, and
// least the number of bytes below which it is not.
const (
	wasteful = 0.5
	least    = 1 << 20
)

// compactStep bounds the memory that rewriting takes.
const compactStep = 16 << 20

// Open opens the file, and makes it and its folder where they are missing. A
// file of which more than half is free is rewritten first, and one of an older
// format is brought to this one. The error is a sentence where another process
// has the file open, a newer bot has written it, or it is damaged.
func Open(path string) (*Store, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("make the folder of the store: %w", err)
	}
	db, err := open(path)
	if err != nil {
		return nil, err
	}
	doubt, err := doubt(path)
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	if db, err = compacted(db, path); err != nil {
		return nil, err
	}
	if err := guarded(path, func() error { return prepare(db, path) }); err != nil {
		return nil, errors.Join(fmt.Errorf("open the store %s: %w", path, err), db.Close())
	}
	return &Store{db: db, path: path, doubt: doubt}, nil
}

// open opens the file that stands at path once it is locked. While this process
// waited for the lock, another may have put a smaller file in its place.
func open(path string) (*bbolt.DB, error) {
	for {
		db, file, err := opening(path)
		if errors.Is(err, bolterrors.ErrTimeout) {
			return nil, fmt.Errorf("%s is open in another process: a second bot may be running; stop it, or give this one a store of its own (store.path)", path)
		}
		if err != nil {
			return nil, fmt.Errorf("open the store %s: %w", path, err)
		}
		locked, err := file.Stat()
		if err == nil {
			var there os.FileInfo
			if there, err = os.Stat(path); err == nil && os.SameFile(locked, there) {
				return db, nil
			}
		}
		if closed := db.Close(); closed != nil || err != nil && !errors.Is(err, os.ErrNotExist) {
			return nil, fmt.Errorf("open the store %s: %w", path, errors.Join(err, closed))
		}
	}
}

// opening opens the file. What the library answers to a damaged one with a
// panic is an error here.
func opening(path string) (db *bbolt.DB, file *os.File, err error) {
	options := &bbolt.Options{Timeout: lockTimeout, OpenFile: func(name string, flag int, mode os.FileMode) (*os.File, error) {
		opened, err := os.OpenFile(name, flag, mode)
		file = opened
		return opened, err
	}}
	opened := false
	err = guarded(path, func() error {
		if err := whole(path, lockTimeout); err != nil {
			return err
		}
		db, err = bbolt.Open(path, 0o600, options)
		opened = true
		return err
	})
	if err != nil && !opened && file != nil {
		_ = file.Close() // the library has left it open, and locked
	}
	return db, file, err
}

// whole refuses a file that ends before its last page: reading on would end the
// process. It opens the file without its list of free pages, which may be what
// is missing.
func whole(path string, patience time.Duration) error {
	info, err := os.Stat(path)
	if errors.Is(err, os.ErrNotExist) || err == nil && info.Size() == 0 {
		return nil // a new one
	}
	if err != nil {
		return err
	}
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{Timeout: patience, ReadOnly: true})
	if err != nil {
		return unusable(err)
	}
	defer db.Close()
	tx, err := db.Begin(false)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }()
	if info.Size() < tx.Size() {
		return fmt.Errorf("the file is cut off: it has %d of %d bytes; %s", info.Size(), tx.Size(), restore)
	}
	return nil
}

// unusable says what to do where the library says only what is wrong.
func unusable(err error) error {
	var system syscall.Errno
	if err == nil || errors.Is(err, bolterrors.ErrTimeout) || errors.As(err, &system) {
		return err
	}
	return fmt.Errorf("this is no store, or it is damaged: %w; %s", err, restore)
}

// compacted rewrites a file that is mostly free pages: beside it, onto the disk,
// and then in its place. A bot that dies in between leaves the old file or the
// new one, whole. It stays locked until the new one stands there.
func compacted(db *bbolt.DB, path string) (*bbolt.DB, error) {
	smaller := path + ".compact"
	if err := os.Remove(smaller); err != nil && !errors.Is(err, os.ErrNotExist) { // of a bot that died
		return nil, errors.Join(fmt.Errorf("remove what is left of an older start: %w", err), db.Close())
	}
	var size int64
	if err := guarded(path, func() error {
		return db.View(func(tx *bbolt.Tx) error { size = tx.Size(); return nil })
	}); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	free := int64(db.Stats().FreePageN) * int64(db.Info().PageSize)
	if size < least || float64(free) < wasteful*float64(size) {
		return db, nil
	}
	if err := rewrite(db, path, smaller); err != nil {
		_ = os.Remove(smaller)
		return db, nil // it stays as large as it is
	}
	if err := os.Rename(smaller, path); err != nil {
		return nil, errors.Join(fmt.Errorf("take over the smaller store: %w", err), db.Close())
	}
	if err := errors.Join(syncFolder(path), db.Close()); err != nil {
		return nil, fmt.Errorf("take over the smaller store: %w", err)
	}
	return open(path)
}

// rewrite copies what is in a file into a new one, and sees it onto the disk.
func rewrite(db *bbolt.DB, path, smaller string) error {
	return guarded(path, func() error {
		into, err := bbolt.Open(smaller, 0o600, &bbolt.Options{Timeout: lockTimeout})
		if err != nil {
			return err
		}
		err = bbolt.Compact(into, db, compactStep)
		if err == nil {
			err = into.Sync()
		}
		return errors.Join(err, into.Close())
	})
}

// syncFolder makes a rename outlast a loss of power.
func syncFolder(path string) error {
	folder, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}
