package k8s

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"redis-session-bot/internal/evidence"
)

// maxProbed bounds the servers that are asked.
const maxProbed = 5

// What a client of a pod in which nothing runs would hear, and where.
const (
	stageDial   = "dial"
	refusedText = "connection refused"
)

// defaultPort is Redis' own.
const defaultPort = 6379

// lookReach tries the way that the application goes, asks each server
// directly, and reads what the application said.
func (l *look) lookReach(ctx context.Context, n *notes) {
	n.note(evidence.FileProbes, nil, func(b *evidence.Bundle) { b.Probes = &evidence.Probes{} })
	parallel(
		func() { l.reachFromApp(ctx, n); l.notePolicies(ctx, n) },
		func() { l.probeServers(ctx, n) },
		func() { l.noteAppLogs(ctx, n) },
	)
}

func (l *look) port() int {
	return cmp.Or(l.target.Port, defaultPort)
}

func (l *look) reachFromApp(ctx context.Context, n *notes) {
	if l.target.Service == "" {
		n.missing(sourceReach, "Nobody was asked to connect: no Service is configured for this target.")
		return
	}
	pods, err := l.readAppPods(ctx)
	if errors.Is(err, errNoApp) {
		n.missing(sourceReach, "Nobody was asked to connect: "+l.noApp())
		return
	}
	if err != nil {
		n.missing(sourceReach, l.says(evidence.FilePods, n.check, err))
		return
	}
	pod := runningPod(pods.Items)
	if pod == nil {
		n.missing(sourceReach, fmt.Sprintf("Nobody was asked to connect: no pod of %s runs.", l.target.App))
		return
	}
	reach, err := l.connectFrom(ctx, pod)
	if err != nil {
		var sentence noTool
		if errors.As(err, &sentence) {
			n.missing(sourceReach, err.Error())
			return
		}
		n.missing(sourceReach, l.says(sourceReach, n.check, err))
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.bundle.Probes.Reach = append(n.bundle.Probes.Reach, reach)
}

func (l *look) noApp() string {
	if l.target.App == "" {
		return "no application is configured for this target."
	}
	return "there is no Deployment " + l.target.App + "."
}

// runningPod prefers one that is ready.
func runningPod(pods []corev1.Pod) *corev1.Pod {
	var found *corev1.Pod
	for i := range pods {
		pod := &pods[i]
		if !running(pod) {
			continue
		}
		if readiness(*pod) == 1 {
			return pod
		}
		found = cmp.Or(found, pod)
	}
	return found
}

func running(pod *corev1.Pod) bool {
	return pod.DeletionTimestamp == nil && slices.ContainsFunc(pod.Status.ContainerStatuses,
		func(s corev1.ContainerStatus) bool { return s.State.Running != nil })
}

// probeServers asks each server through a port-forward.
func (l *look) probeServers(ctx context.Context, n *notes) {
	pods, err := l.readPods(ctx)
	if err != nil {
		n.missing(sourceRedis, "No server was asked, since the pods are not known.")
		return
	}
	if l.cluster.Prober == nil {
		n.missing(sourceRedis, "No server was asked: no prober is configured.")
		return
	}
	asked := askable(pods.Items)
	if len(asked) == 0 {
		n.missing(sourceRedis, fmt.Sprintf("No server was asked: no pod of %s runs.", l.target.Workload))
		return
	}
	var parts []func()
	for _, pod := range asked {
		parts = append(parts, func() { l.probe(ctx, n, pod) })
	}
	parallel(parts...)
	n.mu.Lock()
	defer n.mu.Unlock()
	slices.SortFunc(n.bundle.Probes.Redis, func(a, b evidence.Redis) int { return strings.Compare(a.Pod, b.Pod) })
}

func (l *look) probe(ctx context.Context, n *notes, pod *corev1.Pod) {
	if !running(pod) {
		// The network of a pod stands while its containers do not run:
		// whoever connects is refused. That is known without asking.
		n.mu.Lock()
		defer n.mu.Unlock()
		n.bundle.Probes.Redis = append(n.bundle.Probes.Redis,
			evidence.Redis{Pod: pod.Name, Stage: stageDial, Error: refusedText, Keys: -1, Info: map[string]string{}})
		return
	}
	go func() { _, _ = l.readSecrets(ctx) }() // needed when the forward stands
	forward, err := l.cluster.forward(ctx, pod.Namespace, pod.Name, l.port())
	if err != nil {
		n.missing(sourceRedis, l.says(sourceRedis, n.check, err))
		return
	}
	defer forward.Close()
	found, _ := l.readSecrets(ctx)
	asked := l.cluster.Prober.Probe(ctx, forward.Dial, found.password)
	asked.Pod = pod.Name
	if found.password == "" && found.why != nil && strings.HasPrefix(asked.Error, "NOAUTH") {
		n.missing(sourceRedis, "Redis asks for a password, and the bot does not know it. "+l.says(sourceSecret, n.check, found.why))
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.bundle.Probes.Redis = append(n.bundle.Probes.Redis, asked)
}

// connectFrom connects from a pod of the application to the Service, with
// whatever its container has.
func (l *look) connectFrom(ctx context.Context, pod *corev1.Pod) (evidence.Reach, error) {
	container := containerOf(pod)
	host, port := l.target.Service, fmt.Sprint(l.port())
	got, err := l.cluster.exec(ctx, pod.Namespace, pod.Name, container, []string{"sh", "-c", connectScript, "sh", host, port})
	if noSuchProgram(got, err) {
		got, err = l.cluster.exec(ctx, pod.Namespace, pod.Name, container, []string{"python3", "-c", connectPython, host, port})
		if noSuchProgram(got, err) {
			return evidence.Reach{}, noTool{pod.Name}
		}
		got.out = "via python3\n" + got.out
	}
	if err != nil {
		return evidence.Reach{}, err
	}
	via, answer, _ := strings.Cut(got.out, "\n")
	via = strings.TrimPrefix(strings.TrimSpace(via), "via ")
	if via == "none" || via == "" {
		return evidence.Reach{}, noTool{pod.Name}
	}
	reach := readAnswer(answer, got.err)
	reach.From, reach.Via, reach.Pod = "app", via, pod.Name
	return reach, nil
}

// noTool is that a container has nothing to connect with.
type noTool struct{ pod string }

// Error is the sentence for people.
func (n noTool) Error() string {
	return fmt.Sprintf("Nobody was asked to connect: %s has neither nc, bash nor python3.", n.pod)
}

// containerOf is the container that kubectl exec would choose.
func containerOf(pod *corev1.Pod) string {
	if name := pod.Annotations["kubectl.kubernetes.io/default-container"]; name != "" {
		return name
	}
	return pod.Spec.Containers[0].Name
}

// noSuchProgram reports whether the container lacks the program itself.
func noSuchProgram(got output, err error) bool {
	if got.code == 126 || got.code == 127 {
		return true
	}
	if err == nil || isForbidden(err) {
		return false
	}
	text := err.Error()
	return strings.Contains(text, "executable file not found") || strings.Contains(text, "no such file or directory")
}
