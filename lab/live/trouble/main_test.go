// Package trouble holds what goes wrong on the way from a fault to its fix, on a
// real cluster: refusals, an API server that goes away, a bot that is killed. The
// way itself is package fixes.
package trouble

import (
	"flag"
	"os"
	"testing"
)

// TestMain tries more stores at once than there are cores: they mostly wait.
func TestMain(m *testing.M) {
	flag.Parse()
	if err := flag.Set("test.parallel", "4"); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}
