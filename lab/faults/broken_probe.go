package faults

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"redis-session-bot/lab/workload"
)

// brokenProbeCommand is a readiness probe copied from a chart whose image has
// scripts that this one has not.
func brokenProbeCommand() fault {
	return brokenProbe("broken-probe/command", "install the store again with a readiness probe whose command is not in the image",
		corev1.ProbeHandler{Exec: &corev1.ExecAction{Command: []string{"/health/ping_readiness_local.sh", "1"}}})
}

// brokenProbePort is a readiness probe that asks the port of a TLS listener
// that is not configured.
func brokenProbePort() fault {
	return brokenProbe("broken-probe/port", "install the store again with a readiness probe that asks a port where nothing listens",
		corev1.ProbeHandler{TCPSocket: &corev1.TCPSocketAction{Port: intstr.FromInt32(6380)}})
}

// brokenProbe is a server that works and is never ready.
func brokenProbe(name, what string, handler corev1.ProbeHandler) fault {
	return fault{
		name: name,
		what: what,
		inject: func(ctx context.Context, c *workload.Copy) error {
			return c.Reinstall(ctx, installer, func(template *corev1.PodTemplateSpec) { setReadiness(template, handler) })
		},
		shows: func(ctx context.Context, c *workload.Copy) (string, error) {
			store, found, err := c.Store(ctx)
			if err != nil || !found || store.Container.Ready || store.Container.State.Running == nil || !asks(store.Pod, handler) {
				return "", err
			}
			said, err := lastEvent(ctx, c, "Unhealthy", func(e corev1.Event) bool { return e.InvolvedObject.UID == store.Pod.UID })
			if err != nil || said == "" {
				return "", err
			}
			answer, err := c.Exec(ctx, store.Pod.Name, "redis-cli", "ping")
			if err != nil || answer != "PONG\n" {
				return "", err
			}
			return fmt.Sprintf("pod %s answers and is not ready: %s", store.Pod.Name, said), nil
		},
	}
}

// setReadiness keeps the readiness probe's times and changes what it does.
func setReadiness(template *corev1.PodTemplateSpec, handler corev1.ProbeHandler) {
	for i := range template.Spec.Containers {
		container := &template.Spec.Containers[i]
		if container.Name == workload.RedisContainer && container.ReadinessProbe != nil {
			container.ReadinessProbe.ProbeHandler = handler
		}
	}
}

// asks says whether the pod's readiness probe is of the handler's kind and its target.
func asks(pod corev1.Pod, handler corev1.ProbeHandler) bool {
	for _, container := range pod.Spec.Containers {
		if container.Name == workload.RedisContainer && container.ReadinessProbe != nil {
			return container.ReadinessProbe.ProbeHandler.String() == handler.String()
		}
	}
	return false
}
