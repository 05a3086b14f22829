package evidence

import (
	"fmt"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/resource"

	"redis-session-bot/internal/redisconf"
)

// Bytes writes a number of bytes as Kubernetes users read it, such as 512Mi
// or 1.5Gi.
func Bytes(n int64) string {
	units := []struct {
		name string
		size int64
	}{{"Gi", 1 << 30}, {"Mi", 1 << 20}, {"Ki", 1 << 10}}
	for _, unit := range units {
		if n >= unit.size {
			text := fmt.Sprintf("%.1f", float64(n)/float64(unit.size))
			return strings.TrimSuffix(text, ".0") + unit.name
		}
	}
	return fmt.Sprintf("%d bytes", n)
}

// ParseBytes reads an amount of memory, as Kubernetes (1.5Gi, 512M) or Redis
// (1024mb, 1gb, plain bytes) writes it. It is false for anything else and for
// less than nothing.
func ParseBytes(text string) (int64, bool) {
	text = strings.TrimSpace(text)
	if n, err := redisconf.Memory(text); err == nil && n >= 0 {
		return n, true
	}
	quantity, err := resource.ParseQuantity(text)
	if err != nil || quantity.Sign() < 0 {
		return 0, false
	}
	return quantity.Value(), true
}

// Age is how long ago something was, as people say it: 12 days, 3 h, 5 min, 20 s.
func Age(d time.Duration) string {
	switch d = max(d, 0); {
	case d < 2*time.Minute:
		return fmt.Sprintf("%d s", int(d.Seconds()))
	case d < 2*time.Hour:
		return fmt.Sprintf("%d min", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h", int(d.Hours()))
	}
	return fmt.Sprintf("%d days", int(d.Hours()/24))
}

// IEC writes a number of bytes as graphs do, such as 512 MiB or 1.5 GiB.
func IEC(n int64) string {
	switch {
	case n == 0:
		return "0"
	case n < 1<<10:
		return fmt.Sprintf("%d B", n)
	}
	text := Bytes(n)
	return text[:len(text)-2] + " " + text[len(text)-2:] + "B"
}

// Count writes a large number in three digits or so: 950, 12.4k, 1.2M.
func Count(n int64) string {
	for _, unit := range []struct {
		name string
		size int64
	}{{"G", 1e9}, {"M", 1e6}, {"k", 1e3}} {
		if n >= unit.size {
			text := fmt.Sprintf("%.1f", float64(n/(unit.size/10))/10)
			return strings.TrimSuffix(text, ".0") + unit.name
		}
	}
	return fmt.Sprint(n)
}
