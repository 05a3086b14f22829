package cluster

import (
	"os"
	"testing"
	"time"
)

func TestAProcessIsKnownByItsStart(t *testing.T) {
	c := New(Options{State: t.TempDir()})
	started, err := c.start(program{name: "sleeper", path: "/bin/sleep", args: []string{"60"}})
	if err != nil || !started {
		t.Fatalf("start: %t, %v", started, err)
	}
	if again, err := c.start(program{name: "sleeper", path: "/bin/sleep", args: []string{"60"}}); err != nil || again {
		t.Errorf("a second start: %t, %v", again, err)
	}
	p, ok := c.noted("sleeper")
	if !ok || !c.running("sleeper") {
		t.Fatalf("not running: %+v", p)
	}
	// The same PID with another start time is another process: it is left alone.
	stranger := process{PID: os.Getpid(), Started: "1"}
	if stranger.alive() {
		t.Error("a process that merely has the PID is taken for ours")
	}
	if err := c.stop("sleeper", time.Second); err != nil {
		t.Fatal(err)
	}
	if p.alive() || c.running("sleeper") {
		t.Error("it runs after the stop")
	}
	if err := c.stop("sleeper", time.Second); err != nil {
		t.Errorf("a second stop: %v", err)
	}
}

func TestKubeSumChangesWithItsSourcesOnly(t *testing.T) {
	sum, err := kubeSum("../..")
	if err != nil || len(sum) != 12 {
		t.Fatalf("%q, %v", sum, err)
	}
	again, err := kubeSum("../..")
	if err != nil || again != sum {
		t.Errorf("%q and %q, %v", sum, again, err)
	}
}
