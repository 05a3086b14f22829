package cluster

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestAProcessIsKnownByItsStart(t *testing.T) {
	c, script := sleeper(t)
	if err := c.start("sleeper", "/bin/sh", script...); err != nil {
		t.Fatal(err)
	}
	p, ok := c.find("sleeper")
	if !ok || p.PID == 0 {
		t.Fatalf("not running: %+v", p)
	}
	if err := c.start("sleeper", "/bin/sh", script...); err != nil {
		t.Fatal(err)
	}
	if again, _ := c.find("sleeper"); again != p {
		t.Errorf("a second start made another process: %+v and %+v", p, again)
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

// sleeper gives a lab, and words for a shell that runs until it is stopped.
// They name the state folder, as those of every program do.
func sleeper(t *testing.T) (*Cluster, []string) {
	t.Helper()
	c := New(Options{State: t.TempDir()})
	if err := syscall.Mkfifo(c.path("fifo"), 0o600); err != nil {
		t.Fatal(err)
	}
	return c, []string{"-c", "read nothing < " + c.path("fifo")}
}

func TestAProcessThatWasNotNotedIsFound(t *testing.T) {
	c, script := sleeper(t)
	if err := c.start("sleeper", "/bin/sh", script...); err != nil {
		t.Fatal(err)
	}
	p, _ := c.find("sleeper")
	if err := os.Remove(c.path("pids", "sleeper")); err != nil {
		t.Fatal(err)
	}
	if found, ok := c.find("sleeper"); !ok || found != p {
		t.Errorf("found %+v, %t; it is %+v", found, ok, p)
	}
	other := New(Options{State: t.TempDir()})
	if found, ok := other.find("sleeper"); ok {
		t.Errorf("another lab takes it for its own: %+v", found)
	}
	if err := c.stop("sleeper", time.Second); err != nil {
		t.Fatal(err)
	}
	if p.alive() {
		t.Error("it runs after the stop")
	}
}

func TestAFolderOfOthersIsNeverTakenNorRemoved(t *testing.T) {
	state := t.TempDir()
	precious := filepath.Join(state, "precious")
	if err := os.WriteFile(precious, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	c := New(Options{State: state})
	if err := c.claim(t.Context()); err == nil || !strings.Contains(err.Error(), "is not empty") {
		t.Errorf("claim says %v", err)
	}
	if c.Exists() {
		t.Error("it is taken for a lab's")
	}
	if err := c.Down(t.Context()); err != nil {
		t.Errorf("down: %v", err)
	}
	if _, err := os.Stat(precious); err != nil {
		t.Error(err)
	}
}

func TestAClaimSurvivesAKill(t *testing.T) {
	c := New(Options{State: t.TempDir()})
	if err := os.WriteFile(c.path(recordFile+".new"), []byte(`{"bo`), 0o600); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := c.claim(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	data, err := os.ReadFile(c.path(recordFile))
	if err != nil || !json.Valid(data) || !c.Exists() {
		t.Errorf("the record is %q, %v", data, err)
	}
}

func TestTheLockIsOnTheFileThatIsThere(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	first, held, err := tryLock(path)
	if err != nil || !held {
		t.Fatalf("%t, %v", held, err)
	}
	if _, held, err := tryLock(path); err != nil || held {
		t.Errorf("a second one holds it too: %t, %v", held, err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if _, held, err := tryLock(path); err != nil || !held {
		t.Errorf("a removed file still excludes: %t, %v", held, err)
	}
	_ = first.Close()
}

func TestOnlyTheLabsRulesAreTakenOut(t *testing.T) {
	const before = `*nat
:PREROUTING ACCEPT [0:0]
:DOCKER - [0:0]
-A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER
-A DOCKER -i docker0 -j RETURN
COMMIT
`
	const services = `*nat
:PREROUTING ACCEPT [0:0]
:DOCKER - [0:0]
:KUBE-SERVICES - [0:0]
-A PREROUTING -m comment --comment "kubernetes service portals" -j KUBE-SERVICES
-A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER
-A DOCKER -i docker0 -j RETURN
-A KUBE-SERVICES -d 10.96.0.10/32 -j KUBE-SVC-TCOU7JCQXEZGVUNU
COMMIT
`
	const hostPorts = `*nat
:PREROUTING ACCEPT [0:0]
:CNI-DN-1111111111111111111 - [0:0]
:CNI-HOSTPORT-DNAT - [0:0]
-A PREROUTING -m addrtype --dst-type LOCAL -j CNI-HOSTPORT-DNAT
-A CNI-DN-1111111111111111111 -p tcp -m tcp --dport 8080 -j DNAT --to-destination 10.244.0.12:80
-A CNI-HOSTPORT-DNAT -p tcp -m comment --comment "dnat name: \"lab\" id: \"c0ffee\"" -m multiport --dports 8080 -j CNI-DN-1111111111111111111
COMMIT
`
	const shared = `*nat
:CNI-DN-1111111111111111111 - [0:0]
:CNI-DN-2222222222222222222 - [0:0]
:CNI-HOSTPORT-DNAT - [0:0]
-A CNI-DN-1111111111111111111 -p tcp -m tcp --dport 8080 -j DNAT --to-destination 10.244.0.12:80
-A CNI-DN-2222222222222222222 -p tcp -m tcp --dport 9090 -j DNAT --to-destination 10.88.0.2:90
-A CNI-HOSTPORT-DNAT -p tcp -m comment --comment "dnat name: \"lab\" id: \"c0ffee\"" -m multiport --dports 8080 -j CNI-DN-1111111111111111111
-A CNI-HOSTPORT-DNAT -p tcp -m comment --comment "dnat name: \"podman\" id: \"beef\"" -m multiport --dports 9090 -j CNI-DN-2222222222222222222
COMMIT
`
	const podmans = `*nat
:CNI-DN-2222222222222222222 - [0:0]
:CNI-HOSTPORT-DNAT - [0:0]
-A CNI-DN-2222222222222222222 -p tcp -m tcp --dport 9090 -j DNAT --to-destination 10.88.0.2:90
-A CNI-HOSTPORT-DNAT -p tcp -m comment --comment "dnat name: \"podman\" id: \"beef\"" -m multiport --dports 9090 -j CNI-DN-2222222222222222222
COMMIT
`
	for name, c := range map[string]struct{ saved, kept string }{
		"nothing of the lab":               {before, before},
		"kube-proxy's":                     {services, before},
		"a host port":                      {hostPorts, "*nat\n:PREROUTING ACCEPT [0:0]\nCOMMIT\n"},
		"a host port beside another's":     {shared, podmans},
		"another network's host port":      {podmans, podmans},
		"an empty table":                   {"*nat\nCOMMIT\n", "*nat\nCOMMIT\n"},
		"a machine that has no such thing": {"", ""},
	} {
		kept, changed := withoutChains(c.saved)
		if kept != c.kept || changed != (c.saved != c.kept) {
			t.Errorf("%s: changed %t, kept:\n%s", name, changed, kept)
		}
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
