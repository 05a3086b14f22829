package bolt

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"os"

	"redis-session-bot/internal/store/record"
)

// A file has two heads, one on each of its first two pages, which say where all
// the others are. They are written in turn, each as the last act of a change; the
// newer one counts, and the other one where that is damaged.
const (
	headSize   = 80 // with the head of the page
	pageSizeAt = 24
	sumFrom    = 16
	sumAt      = 72
)

// heads reads both heads.
func heads(file *os.File) ([]byte, error) {
	both := make([]byte, 2*headSize)
	if _, err := file.ReadAt(both[:headSize], 0); err != nil {
		return nil, err
	}
	pageSize := int64(binary.NativeEndian.Uint32(both[pageSizeAt:]))
	if pageSize < 512 || pageSize > 1<<20 || !headHolds(both[:headSize]) {
		pageSize = int64(os.Getpagesize())
	}
	_, err := file.ReadAt(both[headSize:], pageSize)
	return both, err
}

// doubt tells of a head that is damaged: the change that it was written for is
// missing. A loss of power in the middle of a change does that, too; then nobody
// was told that it was stored.
func doubt(path string) (*record.Damage, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	both, err := heads(file)
	if err != nil {
		return nil, fmt.Errorf("read the heads of %s: %w", path, err)
	}
	if headHolds(both[:headSize]) && headHolds(both[headSize:]) {
		return nil, nil
	}
	return &record.Damage{What: "one of the two heads of the file", Where: path, Err: errors.New("the checksum is wrong: the newest change may be missing")}, nil
}

func headHolds(head []byte) bool {
	sum := fnv.New64a()
	_, _ = sum.Write(head[sumFrom:sumAt])
	return sum.Sum64() == binary.NativeEndian.Uint64(head[sumAt:])
}
