package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"time"
)

// ran is one process that has ended.
type ran struct {
	out  []byte
	took time.Duration
	peak int // KiB of memory at most in RAM, by the kernel
}

// peakEvery is how often a process is asked for its peak: what it takes in its
// last moments after that is not seen.
const peakEvery = 3 * time.Millisecond

// process runs a program to its end. Its exit code is no error: kubectl fails
// where there is nothing to see, and the bot where something is wrong.
func process(ctx context.Context, dir string, env []string, name string, args ...string) (ran, error) {
	command := exec.CommandContext(ctx, name, args...)
	var out bytes.Buffer
	command.Dir, command.Env = dir, append(os.Environ(), env...)
	command.Stdout, command.Stderr = &out, &out
	began := time.Now()
	if err := command.Start(); err != nil {
		return ran{}, fmt.Errorf("start %s: %w", name, err)
	}
	ended := make(chan error, 1)
	go func() { ended <- command.Wait() }()
	var result ran
	ticker := time.NewTicker(peakEvery)
	defer ticker.Stop()
	for {
		select {
		case err := <-ended:
			var exit *exec.ExitError
			if err != nil && !errors.As(err, &exit) {
				return ran{}, fmt.Errorf("run %s: %w", name, err)
			}
			result.out, result.took = out.Bytes(), time.Since(began)
			return result, ctx.Err()
		case <-ticker.C:
			result.peak = max(result.peak, peakOf(command.Process.Pid))
		}
	}
}

// peakOf is the most that a process has had in RAM, in KiB; 0 for one that is gone.
func peakOf(pid int) int { return memoryOf(pid, "VmHWM") }

// nowOf is what a process has in RAM, in KiB; 0 for one that is gone.
func nowOf(pid int) int { return memoryOf(pid, "VmRSS") }

func memoryOf(pid int, which string) int {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(status)) {
		if rest, ok := strings.CutPrefix(line, which+":"); ok {
			kib, _ := strconv.Atoi(strings.TrimSuffix(strings.TrimSpace(rest), " kB"))
			return kib
		}
	}
	return 0
}

// diagnose runs bot diagnose once. It wants a verdict: what was measured must
// have worked.
func (b *bench) diagnose(ctx context.Context, kubeconfig, namespace string, more ...string) (ran, error) {
	result, err := process(ctx, b.folder, []string{"KUBECONFIG=" + kubeconfig}, b.bot,
		append([]string{"diagnose", "-o", "json", "-n", namespace}, more...)...)
	if err != nil {
		return ran{}, err
	}
	var said struct {
		Healthy bool `json:"healthy"`
		Verdict struct {
			Scenario string `json:"scenario"`
		} `json:"verdict"`
	}
	if err := json.Unmarshal(result.out, &said); err != nil {
		return ran{}, fmt.Errorf("read what bot diagnose printed: %w: %s", err, result.out)
	}
	if said.Verdict.Scenario == "" {
		return ran{}, fmt.Errorf("bot diagnose has no verdict: %s", result.out)
	}
	return result, nil
}

// rounds is how often each thing is timed; the median counts.
const rounds = 3

// median times something several times.
func median(times int, one func() (time.Duration, error)) (time.Duration, error) {
	var all []time.Duration
	for range times {
		took, err := one()
		if err != nil {
			return 0, err
		}
		all = append(all, took)
	}
	slices.Sort(all)
	return all[len(all)/2], nil
}
