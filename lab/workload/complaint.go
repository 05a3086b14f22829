package workload

import (
	"context"
	"fmt"
	"io"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/ptr"
)

// Complaints are the last lines of the application's pods that are complaints
// about the store, as the client library words them. All says whether every pod
// complains; a pod that has not said anything yet does not.
func (c *Copy) Complaints(ctx context.Context) (lines []string, all bool, err error) {
	pods, err := c.Pods(ctx, Agent)
	if err != nil {
		return nil, false, err
	}
	all = len(pods) > 0
	for _, pod := range pods {
		if pod.DeletionTimestamp != nil {
			continue // it says nothing new
		}
		line, err := c.lastLine(ctx, pod.Name)
		if err != nil {
			all = false // it ends or has not started: the next look has another
			continue
		}
		if strings.HasPrefix(line, "redis: ") {
			lines = append(lines, line)
		} else {
			all = false
		}
	}
	return lines, all && len(lines) > 0, nil
}

// lastLine is the newest line of a pod of the application.
func (c *Copy) lastLine(ctx context.Context, pod string) (string, error) {
	stream, err := c.Clients.CoreV1().Pods(c.Namespace).GetLogs(pod, &corev1.PodLogOptions{
		TailLines: ptr.To[int64](1), LimitBytes: ptr.To[int64](4 << 10),
	}).Stream(ctx)
	if err != nil {
		return "", fmt.Errorf("read the log of %s: %w", c.ref(pod), err)
	}
	defer stream.Close()
	text, err := io.ReadAll(stream)
	if err != nil {
		return "", fmt.Errorf("read the log of %s: %w", c.ref(pod), err)
	}
	return strings.TrimSpace(string(text)), nil
}
