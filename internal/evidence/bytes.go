package evidence

import (
	"fmt"
	"strings"
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
