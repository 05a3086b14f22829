package k8s

import (
	"context"
	"errors"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"

	"redis-session-bot/internal/evidence"
)

// Bounds of what is read of the application's logs.
const (
	maxAppPods   = 2
	appLogLines  = 200
	appLogBytes  = 256 << 10
	appLogWindow = 600 // seconds
)

// noteAppLogs reads what the application said in the last minutes, with the
// time of each line.
func (l *look) noteAppLogs(ctx context.Context, n *notes) {
	pods, err := l.readAppPods(ctx)
	if errors.Is(err, errNoApp) {
		n.missing(sourceAppLog, "The application's log is not known: "+l.noApp())
		return
	}
	if err != nil {
		n.missing(sourceAppLog, l.says(evidence.FilePods, n.check, err))
		return
	}
	witnesses := witnessesOf(pods.Items)
	if len(witnesses) == 0 {
		n.missing(sourceAppLog, fmt.Sprintf("The application's log is not known: no pod of %s runs.", l.target.App))
		return
	}
	found := l.hear(ctx, witnesses)
	if found.read == 0 && found.first != nil {
		n.missing(sourceAppLog, l.says(sourceAppLog, n.check, found.first))
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.bundle.Logs = append(n.bundle.Logs, found.raw...)
}

// witnessesOf are the pods that run, with one that is not ready and one that
// is before the others: they may have different things to tell.
func witnessesOf(pods []corev1.Pod) []corev1.Pod {
	var all []corev1.Pod
	for _, pod := range slices.SortedStableFunc(slices.Values(pods), notReadyFirst) {
		if running(&pod) {
			all = append(all, pod)
		}
	}
	if other := slices.IndexFunc(all, func(p corev1.Pod) bool { return readiness(p) != readiness(all[0]) }); other > 1 {
		all[1], all[other] = all[other], all[1]
	}
	return all[:min(len(all), maxAppPods)]
}

// hear reads one pod's log, and the next one's at once where that pod is not
// as well as the first, or after it where the first said nothing about the
// store: what all of them say is told by one.
func (l *look) hear(ctx context.Context, witnesses []corev1.Pod) logs {
	var runs []run
	for _, pod := range witnesses {
		runs = append(runs, run{pod: pod.Name, container: pod.Spec.Containers[0].Name})
	}
	if len(runs) == 1 || readiness(witnesses[0]) != readiness(witnesses[1]) {
		return l.readLogs(ctx, runs, l.readAppRun)
	}
	found := l.readLogs(ctx, runs[:1], l.readAppRun)
	said := evidence.Read(evidence.Bundle{Logs: found.raw}, l.target).App.Said
	if len(said) == 0 {
		next := l.readLogs(ctx, runs[1:], l.readAppRun)
		found.raw, found.read = append(found.raw, next.raw...), found.read+next.read
	}
	return found
}

func (l *look) readAppRun(ctx context.Context, one run) (string, bool, error) {
	return l.readLog(ctx, one, &corev1.PodLogOptions{Timestamps: true, TailLines: new(int64(appLogLines)),
		SinceSeconds: new(int64(appLogWindow)), LimitBytes: new(int64(appLogBytes))})
}
