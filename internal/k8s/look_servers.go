package k8s

import (
	"context"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"redis-session-bot/internal/evidence"
)

// servers lets each running server say what it says of itself, with these
// settings. Nothing is written to them. The error is why none was asked.
func (l *look) servers(ctx context.Context, settings ...string) ([]evidence.Server, error) {
	pods, err := l.readPods(ctx)
	if err != nil {
		return nil, err
	}
	asked := askable(pods.Items)
	switch {
	case l.cluster.Prober == nil:
		return nil, refuse("No server was asked: there is no way to it from here.")
	case len(asked) == 0:
		return nil, refuse("No server was asked: no pod of %s runs.", l.target.Workload)
	}
	found, errs := make([]evidence.Server, len(asked)), make([]error, len(asked))
	var parts []func()
	for i, pod := range asked {
		parts = append(parts, func() { found[i], errs[i] = l.server(ctx, pod, settings) })
	}
	parallel(parts...)
	for _, err := range errs {
		if err != nil {
			return nil, err
		}
	}
	return found, nil
}

// server asks one. Its error is that the bot has no way to it.
func (l *look) server(ctx context.Context, pod *corev1.Pod, settings []string) (evidence.Server, error) {
	if !running(pod) {
		return evidence.Server{Pod: pod.Name, Node: pod.Spec.NodeName, Error: refusedText, Sentinels: -1}, nil
	}
	forward, err := l.cluster.forward(ctx, pod.Namespace, pod.Name, l.port())
	if err != nil {
		return evidence.Server{}, err
	}
	defer forward.Close()
	secrets, _ := l.readSecrets(ctx) // without a password the server itself says what it wants
	found := l.cluster.Prober.Inspect(ctx, forward.Dial, secrets.password, settings...)
	if secrets.password == "" && secrets.why != nil && strings.HasPrefix(found.Error, "NOAUTH") {
		return found, fmt.Errorf("the server asks for a password: %w", secrets.why)
	}
	found.Pod, found.Node, found.Error = pod.Name, pod.Spec.NodeName, l.redact(ctx).Text(found.Error)
	return found, nil
}

// askable are the pods whose servers are asked.
func askable(pods []corev1.Pod) (asked []*corev1.Pod) {
	for i := range pods {
		pod := &pods[i]
		if pod.DeletionTimestamp == nil && pod.Status.Phase == corev1.PodRunning && len(asked) < maxProbed {
			asked = append(asked, pod)
		}
	}
	return asked
}
