package checks

import (
	"fmt"
	"regexp"
	"strings"

	"redis-session-bot/internal/evidence"
)

func logsCheck() Check {
	return Check{
		Name:   "logs",
		Says:   "the current and the previous log of every container, secrets redacted; failing are those of runs that went wrong",
		Fields: []string{"logs", "failing"},
		Read:   readLogs,
	}
}

// telling are the words that make a line worth showing first. They only
// choose what is shown; what a line means is the runbook's business.
var telling = regexp.MustCompile(`(?i)fatal|error|fail|denied|refus|corrupt|bad file|unexpected end|out of memory|oom|no space|read-only|already in use|can't|cannot|unable|killed|wrong|aborting|>>>|shutdown signal|mis(conf|match)`)

// usual are lines with such words that every server prints and nothing follows from.
var usual = regexp.MustCompile(`Memory overcommit must be enabled|no config file specified|Transparent Huge Pages|TCP backlog setting`)

// headline is the line that names the trouble: the line of the configuration
// that was refused, or the first line that tells.
func headline(e evidence.Evidence, lines []string) string {
	if refused := e.Config.Refused; refused.Happened && strings.Contains(lines[0], "CONFIG FILE ERROR") {
		return fmt.Sprintf("refuses line %d of its configuration, %q: %s", refused.Line, cut(refused.Text, 80), cut(refused.Reason, 100))
	}
	return fmt.Sprintf("%q", cut(lines[0], 160))
}

// shownLines is how many lines of proof one log shows.
const shownLines = 8

func readLogs(e evidence.Evidence) Reading {
	r := &reading{}
	if r.unknown(e, "logs", e.Target.Workload) {
		return r.done("", "")
	}
	var raw strings.Builder
	for _, log := range e.Logs {
		fmt.Fprintf(&raw, "==> %s/%s%s <==\n%s\n\n", log.Pod, log.Container, previousWord(log), strings.Join(log.Lines, "\n"))
		object := "Pod/" + log.Pod
		lines := tellingLines(log)
		switch {
		case log.Failing && len(lines) > 0:
			r.add(Fail, object, fmt.Sprintf("%s%s: %s", log.Container, previousWord(log), headline(e, lines)), lines...)
		case log.Failing && len(log.Lines) == 0:
			r.add(Warn, object, log.Container+previousWord(log)+" wrote nothing")
		case log.Failing:
			r.add(Warn, object, log.Container+previousWord(log)+" names no error", lastOf(log.Lines, 3)...)
		case !log.Previous && len(lines) > 0:
			r.add(Warn, object, fmt.Sprintf("%s runs and wrote: %q", log.Container, cut(lines[len(lines)-1], 160)), lines...)
		case !log.Previous:
			r.add(OK, object, fmt.Sprintf("%s names no error in %s", log.Container, count(len(log.Lines), "line")))
		}
	}
	return r.done("", raw.String())
}

func previousWord(log evidence.Log) string {
	if log.Previous {
		return " (previous run)"
	}
	return ""
}

// tellingLines gives the first lines that name trouble, each once.
func tellingLines(log evidence.Log) []string {
	var lines []string
	seen := map[string]bool{}
	for _, line := range log.Lines {
		line = strings.TrimSpace(line)
		if line == "" || seen[line] || !telling.MatchString(line) || usual.MatchString(line) {
			continue
		}
		seen[line] = true
		lines = append(lines, cut(line, 300))
		if len(lines) == shownLines {
			break
		}
	}
	return lines
}

func lastOf(lines []string, n int) []string {
	if len(lines) > n {
		lines = lines[len(lines)-n:]
	}
	return append([]string(nil), lines...)
}
