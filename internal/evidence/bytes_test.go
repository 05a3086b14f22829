package evidence_test

import (
	"testing"

	"redis-session-bot/internal/evidence"
)

func TestNumbersAreShortToRead(t *testing.T) {
	for n, want := range map[int64]string{0: "0", 7: "7", 950: "950", 1000: "1k", 12_403: "12.4k", 999_999: "999.9k", 1_240_000: "1.2M", 3_000_000_000: "3G"} {
		if got := evidence.Count(n); got != want {
			t.Errorf("%d is %s, want %s", n, got, want)
		}
	}
	for n, want := range map[int64]string{0: "0", 900: "900 B", 2048: "2 KiB", 256 << 20: "256 MiB", 3 << 29: "1.5 GiB"} {
		if got := evidence.IEC(n); got != want {
			t.Errorf("%d bytes are %s, want %s", n, got, want)
		}
	}
}
