package k8s

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// script runs one of the scripts on a folder of this machine, with its tools.
func script(t *testing.T, source, dir string, env ...string) (workOutput, error) {
	t.Helper()
	checker, err := exec.LookPath("redis-check-rdb")
	if err != nil {
		t.Fatalf("%v: make set-up installs it", err)
	}
	tools, scratch := t.TempDir(), t.TempDir()
	for _, name := range []string{"redis-server", "redis-check-aof"} { // one program, by its name
		if err := os.Symlink(checker, filepath.Join(tools, name)); err != nil {
			t.Fatal(err)
		}
	}
	// A socket's path may have some hundred bytes, which a test's own folder may exceed.
	if scratch, err = os.MkdirTemp("", "rsb"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(scratch) })
	command := exec.CommandContext(t.Context(), "sh", "-c", commonScript+source)
	command.Env = append([]string{"PATH=" + tools + ":" + os.Getenv("PATH"), "DIR=" + dir, "SCRATCH=" + scratch, "CONF=", "AOF_DIR=appendonlydir",
		"AOF_FILE=appendonly.aof", "RDB_FILE=dump.rdb", "MOST=100000", "BACKUPS=try", "APPEND_ONLY=yes", "BACKUP=backup-inc-1-1"}, env...)
	out, err := command.CombinedOutput()
	return readWork(string(out)), err
}

// single is the append-only file of Redis 6: n keys, and what comes after them.
func single(t *testing.T, dir string, n int, after string) {
	t.Helper()
	var b strings.Builder
	for i := range n {
		b.WriteString("*3\r\n$3\r\nSET\r\n$1\r\n" + string(rune('a'+i)) + "\r\n$1\r\nx\r\n")
	}
	if err := os.WriteFile(filepath.Join(dir, "appendonly.aof"), []byte(b.String()+after), 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestScripts: a single damaged file is repaired by what was announced, and as
// a backup it becomes what the configuration loads.
func TestScripts(t *testing.T) {
	dir := t.TempDir()
	single(t, dir, 7, "\x89\xffbad\r\n*1\r\n")
	output, err := script(t, readScript, dir)
	if err != nil {
		t.Fatal(err)
	}
	state := stateOf(output)
	if state.repair.bytes() != 11 || state.repair.keys != 7 || state.aof.loads() {
		t.Fatalf("%+v\n%+v", state.aof, state.repair)
	}
	if output, err = script(t, workScript+repairScript, dir, "CUT=10"); err == nil || !strings.Contains(output.last("refused"), "announced 10") {
		t.Errorf("another loss than was announced: %v, %+v", err, output)
	}
	if output, err = script(t, workScript+repairScript, dir, "CUT=11"); err != nil {
		t.Fatalf("%v, %+v", err, output)
	}
	if output, err = script(t, workScript+restoreScript, dir, "BACKUP=backup-inc-1-2", "KIND=aof", "APPEND_ONLY=no", "FROM="+filepath.Join(dir, "appendonly.aof")); err != nil {
		t.Fatalf("%v, %+v", err, output)
	}
	if output, err = script(t, readScript, dir); err != nil || stateOf(output).rdb.keys != 7 || stateOf(output).aof.there {
		t.Errorf("as a snapshot: %v, %+v", err, stateOf(output))
	}
	if output, err = script(t, workScript+asideScript, dir, "BACKUP=backup-inc-1-2"); err == nil || !strings.Contains(output.last("refused"), "is there already") {
		t.Errorf("a folder that is there: %v, %+v", err, output)
	}
}

// TestTheSnapshotThatWasLookedAt is put back as an append-only file; one that
// was written since is left alone.
func TestTheSnapshotThatWasLookedAt(t *testing.T) {
	dir := t.TempDir()
	single(t, dir, 5, "")
	if output, err := script(t, workScript+restoreScript, dir, "KIND=aof", "APPEND_ONLY=no", "FROM="+filepath.Join(dir, "appendonly.aof")); err != nil {
		t.Fatalf("make a snapshot: %v, %+v", err, output)
	}
	single(t, dir, 1, "") // what a server that came back empty has written since
	output, err := script(t, readScript, dir)
	if err != nil {
		t.Fatal(err)
	}
	state := stateOf(output)
	state.place.files = fileNames{appendOnly: true, rdbFile: "dump.rdb"}
	found, err := choose(state, restoreArgs{From: ownSnapshot})
	if err != nil || found.keys != 5 || found.name != "dump.rdb" {
		t.Fatalf("%+v, %v", found, err)
	}
	restore := func(was string) (workOutput, error) {
		return script(t, workScript+restoreScript, dir, "BACKUP=backup-inc-1-2", "KIND=rdb", "FROM="+filepath.Join(dir, "dump.rdb"), "WAS="+was)
	}
	if output, err := restore("1 1"); err == nil || !strings.Contains(output.last("refused"), "was written anew") {
		t.Errorf("another snapshot: %v, %+v", err, output)
	}
	if output, err := restore(state.rdb.stamp()); err != nil {
		t.Fatalf("%v, %+v", err, output)
	}
	if output, err = script(t, readScript, dir); err != nil || stateOf(output).aof.keys != 5 {
		t.Errorf("after it: %v, %+v", err, stateOf(output))
	}
	state.place.files.appendOnly = false
	if _, err := choose(state, restoreArgs{From: ownSnapshot}); err == nil || !strings.Contains(err.Error(), "loads the snapshot dump.rdb by itself") {
		t.Errorf("without an append-only file: %v", err)
	}
}

// TestTheBackupThatIsAskedFor is tried however many are newer.
func TestTheBackupThatIsAskedFor(t *testing.T) {
	dir := t.TempDir()
	now := time.Now()
	for n := range 8 {
		folder := filepath.Join(dir, fmt.Sprintf("backup-inc-1-%d", n))
		if err := os.Mkdir(folder, 0o700); err != nil {
			t.Fatal(err)
		}
		single(t, folder, n+1, "")
		old := now.Add(-time.Duration(n) * time.Hour)
		for _, path := range []string{filepath.Join(folder, "appendonly.aof"), folder} {
			if err := os.Chtimes(path, old, old); err != nil {
				t.Fatal(err)
			}
		}
	}
	for from, want := range map[string]int64{"": -1, "backup-inc-1-7": 8, "data/backup-inc-1-7": 8} {
		output, err := script(t, readScript, dir, "FROM="+from)
		if err != nil {
			t.Fatal(err)
		}
		got := stateOf(output).backups
		if len(got) != 8 || got[0].keys != 1 || got[7].keys != want {
			t.Errorf("asked for %q: %+v", from, got)
		}
	}
}
