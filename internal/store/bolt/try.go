package bolt

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	bolterrors "go.etcd.io/bbolt/errors"
)

// Try tells whether a store can be kept at path. It makes none and changes none,
// and may be called while another process has it open.
func Try(path string) error {
	if err := tryFile(path); err != nil {
		return err
	}
	folder := filepath.Dir(path)
	for !exists(folder) && folder != filepath.Dir(folder) { // Open makes what is missing
		folder = filepath.Dir(folder)
	}
	file, err := os.CreateTemp(folder, ".redis-session-bot-check-")
	if err != nil {
		return fmt.Errorf("nothing can be written in %s: %w", folder, cause(err))
	}
	_, err = file.WriteString("check")
	if err := errors.Join(err, file.Sync(), file.Close(), os.Remove(file.Name())); err != nil {
		return fmt.Errorf("nothing can be written in %s: %w", folder, cause(err))
	}
	return nil
}

// tryFile looks at the file, if there is one.
func tryFile(path string) error {
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("%s cannot be written: %w", path, cause(err))
	}
	if err := file.Close(); err != nil {
		return err
	}
	db, err := reading(path, 50*time.Millisecond)
	switch {
	case errors.Is(err, bolterrors.ErrTimeout):
		return nil // a bot has it open: it has looked
	case err != nil:
		return fmt.Errorf("%s cannot be read: %w", path, err)
	}
	return db.Close()
}

// cause is an error without the path that the sentence names already.
func cause(err error) error {
	var of *os.PathError
	if errors.As(err, &of) {
		return of.Err
	}
	return err
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
