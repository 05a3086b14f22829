package main

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"time"
)

// row is one measurement.
type row struct {
	what, with, result string
	aim                string // empty: none
	held               bool
}

// table holds what was measured, in order.
type table struct{ rows []row }

func (t *table) add(one row) {
	note("%s, %s: %s", one.what, one.with, one.result)
	t.rows = append(t.rows, one)
}

// markdown is the table as a document has it.
func (t *table) markdown() string {
	var b strings.Builder
	b.WriteString("| What | With | Measured | Aim | Held |\n| --- | --- | --- | --- | --- |\n")
	for _, one := range t.rows {
		held := ""
		if one.aim != "" {
			held = map[bool]string{true: "yes", false: "**no**"}[one.held]
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s |\n", one.what, one.with, one.result, one.aim, held)
	}
	return b.String()
}

// write makes the document.
func (t *table) write(file string) error {
	text := fmt.Sprintf(`# Benchmarks

Measured by `+"`make bench`"+` on %s, on %s.
Everything ran on this one machine: the Kubernetes of the lab, the store, the bot, and kubectl. The numbers move with its
load; what is compared was measured within one run.

%s
How it is measured:

- Times are medians of %d runs, each a new process with new connections, from its start to its end. kubectl has its
  cache of the API already, and nobody thinks or reads between two lines. The lines are in `+"`lab/bench/typed.sh`"+`.
- The delay is a TCP proxy in front of the API server. It holds back each direction by half of it, and each new
  connection by a round trip.
- Requests are counted by a proxy between the bot and the API server; exec and port-forward are one each.
- Memory is the kernel's peak of the process (VmHWM). The log is a file of the container on the node, of its full size.
  The other pods wait at a scheduling gate: the API server has them, and no node runs them.
- An acknowledgement is timed from when the local Slack sends a slash command until it has the answer.
- The clicks run a step again, or show its kubectl lines: every click on the first asks the cluster.
- The incidents that are kept are copies, with its evidence, of one that was walked.
`, time.Now().UTC().Format("2 January 2006"), machine(), t.markdown(), rounds)
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		return fmt.Errorf("write the benchmarks: %w", err)
	}
	return nil
}

// machine describes the processors and the memory.
func machine() string {
	name := runtime.GOARCH
	if info, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		for line := range strings.Lines(string(info)) {
			if key, value, found := strings.Cut(line, ":"); found && strings.TrimSpace(key) == "model name" {
				name = strings.TrimSpace(value)
			}
		}
	}
	memory := "memory of an unknown size"
	if info, err := os.ReadFile("/proc/meminfo"); err == nil {
		var kib int
		if _, err := fmt.Sscanf(string(info), "MemTotal: %d kB", &kib); err == nil {
			memory = fmt.Sprintf("%d GiB of memory", (kib+512<<10)>>20)
		}
	}
	return fmt.Sprintf("%d processors (%s) with %s, %s", runtime.NumCPU(), name, memory, runtime.GOOS)
}
