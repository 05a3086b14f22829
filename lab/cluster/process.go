package cluster

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
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

// program is how a process is started.
type program struct {
	name string
	path string
	args []string
	env  []string
}

// start starts a program unless it runs already. It outlives the lab command.
func (c *Cluster) start(p program) (started bool, err error) {
	if c.running(p.name) {
		return false, nil
	}
	if err := os.MkdirAll(c.path("logs"), 0o755); err != nil {
		return false, err
	}
	log, err := os.OpenFile(c.path("logs", p.name+".log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return false, err
	}
	defer log.Close()
	command := exec.Command(p.path, p.args...)
	command.Args[0] = p.name
	command.Stdout, command.Stderr = log, log
	command.Dir = c.state
	command.Env = append(os.Environ(), p.env...)
	command.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := command.Start(); err != nil {
		return false, fmt.Errorf("start %s: %w", p.name, err)
	}
	note := process{PID: command.Process.Pid, Started: startTime(command.Process.Pid)}
	// The lab command may live on (a test, the demo): whoever waits for the
	// process keeps it from staying a zombie.
	go func() { _ = command.Wait() }()
	data, err := json.Marshal(note)
	if err != nil {
		return false, err
	}
	if err := os.MkdirAll(c.path("pids"), 0o755); err != nil {
		return false, err
	}
	return true, os.WriteFile(c.path("pids", p.name), data, 0o644)
}

// noted reads what was noted of a program.
func (c *Cluster) noted(name string) (process, bool) {
	data, err := os.ReadFile(c.path("pids", name))
	if err != nil {
		return process{}, false
	}
	var p process
	return p, json.Unmarshal(data, &p) == nil && p.PID > 1
}

// running reports whether the very process that was started still runs.
func (c *Cluster) running(name string) bool {
	p, ok := c.noted(name)
	return ok && p.alive()
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
	p, ok := c.noted(name)
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
	return os.Remove(c.path("pids", name))
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

// links gives each program of the kube binary a name of its own.
func (c *Cluster) link(name string) (string, error) {
	path := c.path("bin", name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return "", err
	}
	if target, err := os.Readlink(path); err == nil && target == c.kube {
		return path, nil
	}
	_ = os.Remove(path)
	return path, os.Symlink(c.kube, path)
}
