package bolt_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"redis-session-bot/internal/store/bolt"
)

// TestTry says whether a store can be kept there, and leaves nothing behind.
func TestTry(t *testing.T) {
	folder := t.TempDir()
	fresh, kept, taken := filepath.Join(folder, "not", "there", "incidents.db"), filepath.Join(folder, "kept.db"), filepath.Join(folder, "open.db")
	closed(t, open(t, kept))
	open := open(t, taken)
	defer closed(t, open)
	broken := filepath.Join(folder, "broken.db")
	if err := os.WriteFile(broken, []byte(strings.Repeat("no store ", 1000)), 0o600); err != nil {
		t.Fatal(err)
	}
	below := filepath.Join(broken, "incidents.db") // a file is no folder
	for name, test := range map[string]struct{ path, says string }{
		"none yet":                     {fresh, ""},
		"one":                          {kept, ""},
		"one that another has open":    {taken, ""},
		"what is none":                 {broken, "cannot be read: this is no store, or it is damaged"},
		"a folder":                     {folder, "cannot be written: is a directory"},
		"a folder that cannot be made": {below, "cannot be written: not a directory"},
		"a folder nobody may write in": {"/proc/nowhere/incidents.db", "nothing can be written in /proc: "},
	} {
		err := bolt.Try(test.path)
		if test.says == "" && err != nil || test.says != "" && (err == nil || !strings.Contains(err.Error(), test.says)) {
			t.Errorf("%s: %v, want %q", name, err, test.says)
		}
	}
	left, err := os.ReadDir(folder)
	if err != nil || len(left) != 3 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}
