package checks

import (
	"fmt"
	"strings"
	"time"

	"redis-session-bot/internal/evidence"
)

// Course says in one line what the series of the last hours show, for somebody
// who does not see them: the keys, the memory, and the container's limit in bytes
// (0 for none). It is "" where neither series has two samples. Times are in UTC.
func Course(p evidence.Prometheus, limit int64) string {
	if len(p.Keys) < 2 && len(p.Memory) < 2 {
		return ""
	}
	return courseOfKeys(p.Keys, p.End()) + "; " + courseOfMemory(p.Memory, p.MaxMemory, limit)
}

func courseOfKeys(keys []evidence.Sample, end time.Time) string {
	if len(keys) < 2 {
		return "the number of keys was not kept"
	}
	last := keys[len(keys)-1]
	said := heldOrFell(keys, last)
	if end.Sub(last.At) > evidence.Lately {
		return fmt.Sprintf("%s, not known since %s", said, hour(last.At))
	}
	return said
}

// heldOrFell tells of a fall by half or more, else of the least and the most.
func heldOrFell(keys []evidence.Sample, last evidence.Sample) string {
	var before, after evidence.Sample
	least, most := keys[0].Value, keys[0].Value
	for n := 1; n < len(keys); n++ {
		if keys[n-1].Value-keys[n].Value > before.Value-after.Value {
			before, after = keys[n-1], keys[n]
		}
		least, most = min(least, keys[n].Value), max(most, keys[n].Value)
	}
	switch {
	case before.Value > 0 && 2*after.Value <= before.Value:
		said := fmt.Sprintf("%s keys until %s UTC, ", numberOf(before), hour(before.At))
		if numberOf(after) == numberOf(last) {
			return said + fmt.Sprintf("%s since %s", numberOf(after), hour(after.At))
		}
		return said + fmt.Sprintf("%s at %s, %s at %s", numberOf(after), hour(after.At), numberOf(last), hour(last.At))
	case evidence.Count(int64(least)) == evidence.Count(int64(most)):
		return fmt.Sprintf("%s keys from %s to %s UTC", evidence.Count(int64(last.Value)), hour(keys[0].At), hour(last.At))
	}
	return fmt.Sprintf("%s to %s keys, %s at %s UTC", evidence.Count(int64(least)), evidence.Count(int64(most)), numberOf(last), hour(last.At))
}

func courseOfMemory(memory, maxMemory []evidence.Sample, limit int64) string {
	if len(memory) < 2 {
		return "the memory was not kept"
	}
	most := 0.0
	for _, sample := range memory {
		most = max(most, sample.Value)
	}
	var said strings.Builder
	fmt.Fprintf(&said, "memory at most %s", evidence.IEC(int64(most)))
	if n := len(maxMemory); n > 0 && maxMemory[n-1].Value > 0 {
		fmt.Fprintf(&said, " of maxmemory %s", evidence.IEC(int64(maxMemory[n-1].Value)))
	} else if n > 0 {
		said.WriteString(", without a maxmemory")
	}
	if limit > 0 {
		fmt.Fprintf(&said, ", limit %s", evidence.IEC(limit))
	}
	return said.String()
}

func numberOf(s evidence.Sample) string {
	if s.Value < 1 {
		return "none"
	}
	return evidence.Count(int64(s.Value))
}

func hour(at time.Time) string { return at.UTC().Format("15:04") }
