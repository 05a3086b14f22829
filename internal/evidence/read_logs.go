package evidence

import (
	"regexp"
	"slices"
	"strings"
	"time"
)

// noLogs begins what the kubelet answers in place of a log that is gone.
const noLogs = "unable to retrieve container logs"

// readLogs keeps the logs of the workload's pods and says which of them tell
// about a run that went wrong.
func (r *reader) readLogs() {
	read := 0
	for _, raw := range r.bundle.Logs {
		if raw.Err != "" || !r.isTargetPod(raw.Pod) || strings.HasPrefix(raw.Text, noLogs) {
			continue
		}
		read++
		r.evidence.Logs = append(r.evidence.Logs, Log{Pod: raw.Pod, Container: raw.Container, Previous: raw.Previous,
			Failing: r.failing(raw), Lines: linesOf(raw.Text), Truncated: raw.Truncated})
	}
	for i, log := range r.evidence.Logs {
		if !log.Failing {
			continue
		}
		if log.Previous && r.outdone(log) {
			r.evidence.Logs[i].Failing = false
			continue
		}
		if log.Previous && r.passed(log) {
			// The run after it got further: what stopped this one at its
			// start is over. What it met later may come again.
			log.Lines = afterStart(log.Lines)
			if len(log.Lines) == 0 {
				r.evidence.Logs[i].Failing = false
				continue
			}
		}
		r.evidence.Failing = append(r.evidence.Failing, log)
	}
	if read == 0 {
		r.unknown("logs", SourceLogs)
		r.unknown("failing", SourceLogs)
	}
}

func (r *reader) isTargetPod(name string) bool {
	if r.evidence.Knows("pods") && r.evidence.Inferred["pods"] == "" {
		return slices.ContainsFunc(r.evidence.Pods, func(p Pod) bool { return p.Name == name })
	}
	return name == r.target.Workload || strings.HasPrefix(name, r.target.Workload+"-")
}

// failing reports whether a log is of a run whose container is not well now.
// Where the pods are not known, it may be.
func (r *reader) failing(raw RawLog) bool {
	for _, pod := range r.evidence.Pods {
		if pod.Name != raw.Pod {
			continue
		}
		for _, container := range pod.Containers {
			if container.Name == raw.Container {
				return !container.Ready && !(container.Init && container.LastExit.Happened && container.LastExit.Code == 0)
			}
		}
	}
	return true
}

// started is what a server writes once it serves.
var started = regexp.MustCompile(`Ready to accept connections`)

// passed reports whether the present run of the container came to serve.
func (r *reader) passed(previous Log) bool {
	return slices.ContainsFunc(r.evidence.Logs, func(l Log) bool {
		return l.Pod == previous.Pod && l.Container == previous.Container && !l.Previous &&
			!slices.Equal(l.Lines, previous.Lines) && slices.ContainsFunc(l.Lines, started.MatchString)
	})
}

// complaint is how a run that ends by itself says why; boast is what every
// start warns of, whatever becomes of it.
var (
	complaint = regexp.MustCompile(`(?i)fatal|abort|exiting|error|fail|denied|can.?t |cannot |unable|unrecoverable|bad |wrong |no such|not found|refus`)
	boast     = regexp.MustCompile(`WARNING|Warning: no config file|max file descriptors|maximum open files`)
)

// outdone reports whether the run after a previous one ended too, and says
// itself why: what stopped the one before is not what stops it now.
func (r *reader) outdone(previous Log) bool {
	return slices.ContainsFunc(r.evidence.Logs, func(l Log) bool {
		return l.Pod == previous.Pod && l.Container == previous.Container && !l.Previous && !r.runs(l) && !slices.Equal(l.Lines, previous.Lines) &&
			slices.ContainsFunc(l.Lines, func(line string) bool { return complaint.MatchString(line) && !boast.MatchString(line) })
	})
}

// runs reports whether the container of a log runs now, so that its log may go on.
func (r *reader) runs(l Log) bool {
	return slices.ContainsFunc(r.evidence.Pods, func(p Pod) bool {
		return p.Name == l.Pod && slices.ContainsFunc(p.Containers, func(c Container) bool { return c.Name == l.Container && c.State == "running" })
	})
}

// afterStart is what a run wrote once it served.
func afterStart(lines []string) []string {
	i := slices.IndexFunc(lines, started.MatchString)
	if i < 0 {
		return nil
	}
	return lines[i+1:]
}

func linesOf(text string) []string {
	text = strings.TrimRight(strings.ReplaceAll(text, "\r\n", "\n"), "\n")
	if text == "" {
		return nil
	}
	return strings.Split(text, "\n")
}

var (
	aboutStore     = regexp.MustCompile(`(?i)redis|session|6379|noauth|wrongpass`)
	sessionCreated = regexp.MustCompile(`(?i)session.*created`)
)

// saidAtMost bounds what is kept of the application's log.
const saidAtMost = 20

// readApp reads what the application says about the store.
func (r *reader) readApp() {
	app := App{Name: r.target.App}
	if r.target.App == "" {
		r.evidence.Unknown["app"] = "no application is configured for this target"
		return
	}
	app.StartedAt = r.appStart()
	if r.bundle.Deployments != nil {
		for _, d := range r.bundle.Deployments.Items {
			if d.Name == r.target.App {
				app.Pods, app.Ready = int64(d.Status.Replicas), int64(d.Status.ReadyReplicas)
				app.PodLabels = d.Spec.Template.Labels
			}
		}
	}
	read := false
	for _, raw := range r.bundle.Logs {
		if raw.Err != "" || raw.Previous || !strings.HasPrefix(raw.Pod, r.target.App+"-") {
			continue
		}
		read = true
		for _, line := range linesOf(raw.Text) {
			at, rest := stamped(line)
			if aboutStore.MatchString(rest) {
				app.Said = append(app.Said, line)
			}
			if !sessionCreated.MatchString(rest) {
				continue
			}
			if !at.Before(app.CreatedAt) {
				app.Created, app.CreatedAt = rest, at
			}
			if app.FirstAt.IsZero() || at.Before(app.FirstAt) {
				app.FirstAt = at
			}
		}
	}
	if !read {
		r.unknown("app", SourceLogs+"#app", SourceLogs)
		r.evidence.App.PodLabels = app.PodLabels // its policies are judged without its log
		return
	}
	slices.SortStableFunc(app.Said, func(a, b string) int {
		ta, _ := stamped(a)
		tb, _ := stamped(b)
		return ta.Compare(tb)
	})
	if len(app.Said) > saidAtMost {
		app.Said = app.Said[len(app.Said)-saidAtMost:]
	}
	r.evidence.App = app
}

// appStart is when the oldest container of the application that runs started.
func (r *reader) appStart() time.Time {
	var oldest time.Time
	for _, pod := range r.evidence.Neighbours {
		if !strings.HasPrefix(pod.Name, r.target.App+"-") || pod.Deleting {
			continue
		}
		for _, container := range pod.Containers {
			if !container.Init && !container.Since.IsZero() && (oldest.IsZero() || container.Since.Before(oldest)) {
				oldest = container.Since
			}
		}
	}
	return oldest
}

// ownStamp is how programs write the time themselves: at the line's start, or
// in a field of JSON. Without a zone it is UTC, as in nearly every container.
var ownStamp = regexp.MustCompile(`^(?:\[|\{.*?"(?:@?timestamp|time|ts)" ?: ?")?(\d{4}-\d\d-\d\d)[ T](\d\d:\d\d:\d\d)(?:[.,]\d+)?(Z|[+-]\d\d:\d\d)?`)

// stamped splits a line of `kubectl logs --timestamps`. Where the line has no
// such stamp, the time that the program itself wrote; else the zero time.
func stamped(line string) (time.Time, string) {
	first, rest, found := strings.Cut(line, " ")
	if !found {
		return time.Time{}, line
	}
	if at, err := time.Parse(time.RFC3339Nano, first); err == nil {
		return at, rest
	}
	match := ownStamp.FindStringSubmatch(line)
	if match == nil {
		return time.Time{}, line
	}
	at, err := time.Parse(time.RFC3339, match[1]+"T"+match[2]+orElse(match[3], "Z"))
	if err != nil {
		return time.Time{}, line
	}
	return at, line
}
