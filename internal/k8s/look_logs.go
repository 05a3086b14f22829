package k8s

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"redis-session-bot/internal/evidence"
)

// Bounds of the logs that are read. They are the server's to keep: a log of a
// gigabyte does not leave its node. A crash report of Redis has some 300
// lines with its cause near the top, which the tail holds; a flood has its
// cause at the start of the run, which the head holds.
const (
	tailLines     = 1500
	tailBytes     = 512 << 10
	newestLines   = 150 // of lines so long that tailBytes ends before the newest
	headBytes     = 64 << 10
	maxLoggedPods = 10
	maxLogs       = 40
	logsAtOnce    = 4
)

// lookLogs reads the present and the previous run of every container.
func (l *look) lookLogs(ctx context.Context, n *notes) {
	pods, err := l.readPods(ctx)
	if err != nil {
		n.missing(evidence.SourceLogs, "The logs are not known, since the pods are not.")
		return
	}
	runs := runsOf(pods.Items)
	if len(runs) == 0 {
		n.missing(evidence.SourceLogs, l.target.Workload+" has no pod with a container, so there is no log.")
	}
	logs := l.readLogs(ctx, runs, l.readRun)
	n.mu.Lock()
	defer n.mu.Unlock()
	n.bundle.Logs = append(n.bundle.Logs, logs.raw...)
	if logs.read == 0 && logs.first != nil {
		n.bundle.Missing[evidence.SourceLogs] = l.says(evidence.SourceLogs, n.check, logs.first)
	}
}

// run is one run of one container.
type run struct {
	pod, container string
	previous       bool
	// both: no run goes on, so that the kubelet gives the one before for either.
	both bool
	// over: the run has ended, and the next may have begun since.
	over bool
	// never is why there was no run yet; "" where there was one.
	never string
}

// runsOf lists the runs whose logs are worth a request: of pods that are not
// ready first, a previous run only where there was one, and an init container
// only where it went wrong.
func runsOf(pods []corev1.Pod) []run {
	var runs []run
	for i, pod := range slices.SortedStableFunc(slices.Values(pods), notReadyFirst) {
		if i == maxLoggedPods {
			break
		}
		for _, container := range pod.Spec.Containers {
			runs = append(runs, runsOfContainer(pod, container.Name, pod.Status.ContainerStatuses)...)
		}
		for _, container := range pod.Spec.InitContainers {
			if !succeeded(statusOf(pod.Status.InitContainerStatuses, container.Name)) {
				runs = append(runs, runsOfContainer(pod, container.Name, pod.Status.InitContainerStatuses)...)
			}
		}
	}
	return runs[:min(len(runs), maxLogs)]
}

func runsOfContainer(pod corev1.Pod, container string, statuses []corev1.ContainerStatus) []run {
	status := statusOf(statuses, container)
	present := run{pod: pod.Name, container: container, over: status.State.Terminated != nil}
	if pod.Spec.NodeName == "" {
		present.never = "the pod is on no node"
		return []run{present}
	}
	waiting, ended := status.State.Waiting, status.LastTerminationState.Terminated
	switch {
	case waiting != nil && ended != nil:
		return []run{{pod: pod.Name, container: container, previous: true, both: true}}
	case waiting != nil && status.RestartCount == 0:
		present.never = strings.TrimSuffix(fmt.Sprintf("container %s is waiting to start: %s", container, waiting.Reason), ": ")
	case ended != nil:
		return []run{present, {pod: pod.Name, container: container, previous: true}}
	}
	return []run{present}
}

// statusOf is empty where the kubelet has not reported yet.
func statusOf(statuses []corev1.ContainerStatus, container string) corev1.ContainerStatus {
	i := slices.IndexFunc(statuses, func(s corev1.ContainerStatus) bool { return s.Name == container })
	if i < 0 {
		return corev1.ContainerStatus{}
	}
	return statuses[i]
}

// succeeded reports whether a container ended well at its first try.
func succeeded(status corev1.ContainerStatus) bool {
	ended := status.State.Terminated
	return ended != nil && ended.ExitCode == 0 && status.RestartCount == 0
}

func notReadyFirst(a, b corev1.Pod) int { return cmp.Compare(readiness(a), readiness(b)) }

func readiness(pod corev1.Pod) int {
	for _, condition := range pod.Status.Conditions {
		if condition.Type == corev1.PodReady && condition.Status == corev1.ConditionTrue {
			return 1
		}
	}
	return 0
}

// logs are the runs that were asked for; first is the first reason why one
// could not be read.
type logs struct {
	raw   []evidence.RawLog
	read  int
	first error
}

// readLogs reads the runs, a few at once, in the order given.
func (l *look) readLogs(ctx context.Context, runs []run, read func(context.Context, run) (string, bool, error)) logs {
	found := logs{raw: make([]evidence.RawLog, len(runs))}
	errs := make([]error, len(runs))
	turn := make(chan struct{}, logsAtOnce)
	var parts []func()
	for i, one := range runs {
		parts = append(parts, func() {
			turn <- struct{}{}
			defer func() { <-turn }()
			text, truncated, err := "", false, one.neverErr()
			if err == nil {
				text, truncated, err = read(ctx, one)
			}
			found.raw[i] = evidence.RawLog{Pod: one.pod, Container: one.container, Previous: one.previous, Text: text, Truncated: truncated}
			if err != nil {
				found.raw[i].Err, errs[i] = short(err), err
			}
		})
	}
	parallel(parts...)
	for _, err := range errs {
		if err == nil {
			found.read++
		} else if found.first == nil || isForbidden(err) {
			found.first = err
		}
	}
	for i, one := range runs {
		if one.both {
			present := found.raw[i]
			present.Previous = false
			found.raw = append(found.raw, present)
		}
	}
	return found
}

func (r run) neverErr() error {
	if r.never == "" {
		return nil
	}
	return errors.New(r.never)
}

// readRun reads the end of a run, and its start where the end does not reach it.
func (l *look) readRun(ctx context.Context, one run) (string, bool, error) {
	tail, cut, err := l.readLog(ctx, one, &corev1.PodLogOptions{TailLines: new(int64(tailLines)), LimitBytes: new(int64(tailBytes))})
	if err != nil {
		return "", false, err
	}
	if tail == "" && one.over {
		// It is of the next run, which has written nothing yet.
		one.over, one.previous = false, true
		if text, truncated, err := l.readRun(ctx, one); err == nil {
			return text, truncated, nil
		}
	}
	if !cut && strings.Count(tail, "\n") < tailLines {
		return tail, false, nil
	}
	if cut {
		// The server stopped before the newest lines.
		newest, _, err := l.readLog(ctx, one, &corev1.PodLogOptions{TailLines: new(int64(newestLines)), LimitBytes: new(int64(tailBytes))})
		if err == nil {
			tail = newest
		}
	}
	head, _, err := l.readLog(ctx, one, &corev1.PodLogOptions{LimitBytes: new(int64(headBytes))})
	if err != nil {
		return tail, true, nil // the end alone is worth more than nothing
	}
	text, truncated := join(head, tail)
	return text, truncated, nil
}

// join puts the head of a log before its tail, without repeating what both
// have. It reports whether lines between them are left out.
func join(head, tail string) (string, bool) {
	if end := strings.LastIndexByte(head, '\n'); end >= 0 {
		head = head[:end+1] // the last line is cut somewhere
	}
	start := tail
	for range 3 {
		if end := strings.IndexByte(start, '\n'); end >= 0 {
			start = start[end+1:]
		}
	}
	if begin := tail[:len(tail)-len(start)]; begin != "" {
		if at := strings.Index(head, begin); at >= 0 && strings.HasPrefix(tail, head[at:]) {
			return head[:at] + tail, false
		}
	}
	return head + "… lines left out …\n" + tail, true
}

// readLog sends one request. It reports whether the log was cut at the
// request's limit of bytes.
func (l *look) readLog(ctx context.Context, one run, options *corev1.PodLogOptions) (string, bool, error) {
	ctx, cancel := l.limited(ctx)
	defer cancel()
	options.Container, options.Previous = one.container, one.previous
	stream, err := l.cluster.Clients.CoreV1().Pods(l.target.Namespace).GetLogs(one.pod, options).Stream(ctx)
	if err != nil {
		return "", false, err
	}
	defer stream.Close()
	limit := *options.LimitBytes
	data, err := io.ReadAll(io.LimitReader(stream, limit))
	if err != nil && len(data) == 0 {
		return "", false, fmt.Errorf("read the log of %s: %w", one.pod, err)
	}
	return strings.ToValidUTF8(string(data), "�"), int64(len(data)) >= limit, nil
}
