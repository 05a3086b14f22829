// Package record is the form in which the stores that outlive the bot write what
// they keep: JSON, compressed, and sealed with a checksum over its name and its
// content.
//
// It knows neither files nor Kubernetes.
package record

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"sync"
)

// ErrDamaged says that a record is not as it was written.
var ErrDamaged = errors.New("the checksum is wrong")

// Damage is a record that is not as it was written. The others are not affected.
type Damage struct {
	What  string // INC-7, the evidence of INC-7, entry 7 of the audit trail
	Where string // the file, or the object
	Err   error
}

// Error is a sentence with the way out.
func (d *Damage) Error() string {
	return fmt.Sprintf("%s is damaged in %s (%v); the rest can be read. Restore that from a backup to have it back", d.What, d.Where, d.Err)
}

// Unwrap gives the cause.
func (d *Damage) Unwrap() error { return d.Err }

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// packers are kept for the next record: each takes a megabyte to make.
var packers = sync.Pool{New: func() any { return gzip.NewWriter(nil) }}

// Pack writes a value under a name.
func Pack(name string, value any) ([]byte, error) {
	var out bytes.Buffer
	out.Write(make([]byte, crc32.Size))
	packer := packers.Get().(*gzip.Writer)
	defer packers.Put(packer)
	packer.Reset(&out)
	err := json.NewEncoder(packer).Encode(value)
	if err = errors.Join(err, packer.Close()); err != nil {
		return nil, fmt.Errorf("pack %s: %w", name, err)
	}
	sealed := out.Bytes()
	binary.BigEndian.PutUint32(sealed, checksum(name, sealed[crc32.Size:]))
	return sealed, nil
}

// Unpack reads a value that was written under that name, or ErrDamaged.
func Unpack(name string, sealed []byte, into any) error {
	if len(sealed) < crc32.Size || binary.BigEndian.Uint32(sealed) != checksum(name, sealed[crc32.Size:]) {
		return ErrDamaged
	}
	reader, err := gzip.NewReader(bytes.NewReader(sealed[crc32.Size:]))
	if err != nil {
		return fmt.Errorf("unpack %s: %w", name, err)
	}
	if err := json.NewDecoder(reader).Decode(into); err != nil {
		return fmt.Errorf("unpack %s: %w", name, err)
	}
	return nil
}

func checksum(name string, content []byte) uint32 {
	return crc32.Update(crc32.Checksum([]byte(name), castagnoli), castagnoli, content)
}
