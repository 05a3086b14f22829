package checks_test

import (
	"testing"
	"time"

	"redis-session-bot/internal/checks"
	"redis-session-bot/internal/evidence"
)

// every are samples from 03:00 on, one a minute; a value below zero was not kept.
func every(values ...float64) []evidence.Sample {
	var all []evidence.Sample
	for n, value := range values {
		if value >= 0 {
			all = append(all, evidence.Sample{At: time.Date(2026, 1, 2, 3, n, 0, 0, time.UTC), Value: value})
		}
	}
	return all
}

func TestTheCourseIsSaidInWords(t *testing.T) {
	const mebi = 1 << 20
	full, room := every(240*mebi, 250*mebi), every(256*mebi, 256*mebi)
	for want, test := range map[string]struct {
		p     evidence.Prometheus
		limit int64
	}{
		"12.4k keys until 03:02 UTC, none since 03:05; memory at most 250 MiB of maxmemory 256 MiB":              {evidence.Prometheus{Keys: every(12_300, 12_380, 12_403, -1, -1, 0, 0), Memory: full, MaxMemory: room}, 0},
		"12.4k keys until 03:02 UTC, 12 since 03:03; memory at most 250 MiB of maxmemory 256 MiB, limit 512 MiB": {evidence.Prometheus{Keys: every(12_300, 12_380, 12_403, 12), Memory: full, MaxMemory: room}, 512 * mebi},
		"12.4k keys until 03:01 UTC, none at 03:02, 11.9k at 03:04; memory at most 250 MiB, without a maxmemory": {evidence.Prometheus{Keys: every(12_300, 12_403, 0, 11_800, 11_900), Memory: full, MaxMemory: every(0, 0)}, 0},
		"412 keys from 03:00 to 03:02 UTC; memory at most 250 MiB, limit 256 MiB":                                {evidence.Prometheus{Keys: every(412, 412, 412), Memory: full}, 256 * mebi},
		"12k to 13k keys, 12.5k at 03:02 UTC; the memory was not kept":                                           {evidence.Prometheus{Keys: every(12_000, 13_000, 12_500)}, 0},
		"0 keys from 03:00 to 03:01 UTC; the memory was not kept":                                                {evidence.Prometheus{Keys: every(0, 0)}, 0},
		"12.4k keys from 03:00 to 03:01 UTC, not known since 03:01; memory at most 250 MiB of maxmemory 256 MiB": {evidence.Prometheus{Keys: every(12_400, 12_403), Memory: full, MaxMemory: room, Up: every(1, 1, 1, 1, 1)}, 0},
		"the number of keys was not kept; memory at most 250 MiB of maxmemory 256 MiB":                           {evidence.Prometheus{Keys: every(5), Memory: full, MaxMemory: room}, 0},
		"": {evidence.Prometheus{Keys: every(5), Up: every(1, 1, 1), MaxMemory: room}, 512 * mebi},
	} {
		if got := checks.Course(test.p, test.limit); got != want {
			t.Errorf("it says  %q\nand not  %q", got, want)
		}
	}
}
