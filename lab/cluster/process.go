package cluster

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// process is one program of the cluster, as noted in the state folder. The
// start time tells it from another one that got the same PID later.
type process struct {
	PID     int    `json:"pid"`
	Started string `json:"started"` // field 22 of /proc/PID/stat, in clock ticks since boot
}

// start starts a program unless it runs already. It outlives the lab command,
// and inherits nothing of its environment: no proxy, no token.
func (c *Cluster) start(name, path string, args ...string) error {
	if c.running(name) {
		return nil
	}
	for _, folder := range []string{"logs", "pids"} {
		if err := os.MkdirAll(c.path(folder), 0o755); err != nil {
			return err
		}
	}
	log, err := os.OpenFile(c.path("logs", name+".log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return err
	}
	defer log.Close()
	command := exec.Command(path, args...)
	command.Args[0] = name
	command.Stdout, command.Stderr = log, log
	command.Dir = c.state
	command.Env = []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}
	command.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := command.Start(); err != nil {
		return fmt.Errorf("start %s: %w", name, err)
	}
	p := process{PID: command.Process.Pid, Started: startTime(command.Process.Pid)}
	// The lab command may live on (a test, the demo): whoever waits for the
	// process keeps it from staying a zombie.
	go func() { _ = command.Wait() }()
	return c.note(name, p)
}

func (c *Cluster) note(name string, p process) error {
	data, err := json.Marshal(p)
	if err != nil {
		return err
	}
	return write(c.path("pids", name), string(data))
}

// Programs says of every program of the cluster, by name, whether it runs.
func (c *Cluster) Programs() map[string]bool {
	programs := map[string]bool{}
	for _, name := range slices.Concat(nodePrograms(), lastPrograms()) {
		programs[name] = c.running(name)
	}
	return programs
}

// running reports whether the very process that was started still runs.
func (c *Cluster) running(name string) bool {
	_, ok := c.find(name)
	return ok
}

// find gives the process of a program, if it runs. One that was started by a
// lab command that was killed before it could note it is known by its words.
func (c *Cluster) find(name string) (process, bool) {
	var p process
	data, err := os.ReadFile(c.path("pids", name))
	if err == nil && json.Unmarshal(data, &p) == nil && p.alive() {
		return p, true
	}
	for _, pid := range pids() {
		words := commandLine(pid)
		ours := func(word string) bool { return strings.Contains(word, c.state+"/") }
		if words[0] == name && slices.ContainsFunc(words[1:], ours) {
			p := process{PID: pid, Started: startTime(pid)}
			return p, p.alive()
		}
	}
	return process{}, false
}

// pids lists the processes of this machine.
func pids() []int {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil
	}
	var list []int
	for _, entry := range entries {
		if pid, err := strconv.Atoi(entry.Name()); err == nil && pid > 1 {
			list = append(list, pid)
		}
	}
	return list
}

// commandLine gives the words a process was started by, its name first; the
// name is empty for a process that is gone.
func commandLine(pid int) []string {
	data, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid)) // gone: no words
	return strings.Split(strings.TrimSuffix(string(data), "\x00"), "\x00")
}

func (p process) alive() bool {
	started := startTime(p.PID)
	return started != "" && started == p.Started
}

// startTime is when a process was started; "" when it is gone or a zombie.
func startTime(pid int) string {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return ""
	}
	// The name in parentheses may hold blanks: what counts stands behind it.
	_, rest, ok := strings.Cut(string(data), ") ")
	fields := strings.Fields(rest)
	if !ok || len(fields) < 20 || fields[0] == "Z" {
		return ""
	}
	return fields[19]
}

// stop ends a program, politely first, and returns when it is gone.
func (c *Cluster) stop(name string, patience time.Duration) error {
	p, ok := c.find(name)
	if !ok {
		return nil
	}
	for _, signal := range []syscall.Signal{syscall.SIGTERM, syscall.SIGKILL} {
		if !p.alive() {
			break
		}
		if err := syscall.Kill(p.PID, signal); err != nil && !errors.Is(err, syscall.ESRCH) {
			return fmt.Errorf("stop %s: %w", name, err)
		}
		for deadline := time.Now().Add(patience); p.alive() && time.Now().Before(deadline); {
			time.Sleep(20 * time.Millisecond) // there is no event for the end of a process that is not a child
		}
	}
	if p.alive() {
		return fmt.Errorf("stop %s: process %d does not end", name, p.PID)
	}
	if err := os.Remove(c.path("pids", name)); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// tail is the end of a program's log, for an error.
func (c *Cluster) tail(name string) string {
	data, err := os.ReadFile(c.path("logs", name+".log"))
	if err != nil {
		return ""
	}
	lines := strings.Split(strings.TrimSpace(string(data)), "\n")
	return strings.Join(lines[max(0, len(lines)-3):], " | ")
}

// link gives a program of the kube binary a name of its own.
func (c *Cluster) link(name string) (string, error) {
	path := c.path("bin", name)
	if c.kube == "" { // a handle that did not bring the cluster
		return path, nil
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return "", err
	}
	if target, err := os.Readlink(path); err == nil && target == c.kube {
		return path, nil
	}
	_ = os.Remove(path)
	return path, os.Symlink(c.kube, path)
}
