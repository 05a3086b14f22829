package record_test

import (
	"errors"
	"strings"
	"testing"

	"redis-session-bot/internal/store/record"
)

func TestWhatIsPackedComesBack(t *testing.T) {
	sealed, err := record.Pack("INC-1", map[string]string{"said": strings.Repeat("again ", 1000)})
	if err != nil {
		t.Fatal(err)
	}
	if len(sealed) > 500 {
		t.Errorf("6,000 bytes became %d", len(sealed))
	}
	var back map[string]string
	if err := record.Unpack("INC-1", sealed, &back); err != nil || len(back["said"]) != 6000 {
		t.Errorf("%d, %v", len(back["said"]), err)
	}
}

// TestDamageIsFound flips every bit, cuts at every byte, and gives a record
// another's name.
func TestDamageIsFound(t *testing.T) {
	sealed, err := record.Pack("INC-1", "what was kept")
	if err != nil {
		t.Fatal(err)
	}
	var into string
	for n := range len(sealed) * 8 {
		sealed[n/8] ^= 1 << (n % 8)
		if err := record.Unpack("INC-1", sealed, &into); !errors.Is(err, record.ErrDamaged) {
			t.Errorf("bit %d: %v", n, err)
		}
		sealed[n/8] ^= 1 << (n % 8)
	}
	for n := range len(sealed) {
		if err := record.Unpack("INC-1", sealed[:n], &into); !errors.Is(err, record.ErrDamaged) {
			t.Errorf("%d bytes: %v", n, err)
		}
	}
	if err := record.Unpack("INC-2", sealed, &into); !errors.Is(err, record.ErrDamaged) {
		t.Errorf("under another name: %v", err)
	}
	if err := record.Unpack("INC-1", sealed, &into); err != nil || into != "what was kept" {
		t.Errorf("untouched: %q, %v", into, err)
	}
}
