package faults

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"redis-session-bot/lab/workload"
)

const (
	// smallCPU lets the sessions load for some 20 seconds.
	smallCPU   = "50m"
	manyKeys   = 750_000 // sessions
	manyMemory = 40      // bytes each
)

// slowStart is a store that has grown until it loads for longer than its
// liveness probe waits: every load is cut short and begins anew.
func slowStart() fault {
	return fault{
		name: "slow-start",
		what: "keep 750000 sessions, with a CPU limit of " + smallCPU + " and a liveness probe that waits for no load",
		inject: func(ctx context.Context, c *workload.Copy) error {
			if err := writeSessions(ctx, c, manyKeys, manyMemory); err != nil {
				return err
			}
			return c.Reinstall(ctx, installer, makeImpatient)
		},
		shows: func(ctx context.Context, c *workload.Copy) (string, error) {
			return dies(ctx, c, "Received shutdown signal during loading")
		},
	}
}

// makeImpatient replaces the probes by ones that want PONG, as many charts do:
// LOADING is a failure to them, and one is enough.
func makeImpatient(template *corev1.PodTemplateSpec) {
	for i := range template.Spec.Containers {
		container := &template.Spec.Containers[i]
		if container.Name != workload.RedisContainer {
			continue
		}
		if container.Resources.Limits == nil {
			container.Resources.Limits = corev1.ResourceList{}
		}
		container.Resources.Limits[corev1.ResourceCPU] = resource.MustParse(smallCPU)
		container.Resources.Requests[corev1.ResourceCPU] = resource.MustParse(smallCPU)
		pong := corev1.Probe{
			ProbeHandler:        corev1.ProbeHandler{Exec: &corev1.ExecAction{Command: []string{"sh", "-c", "redis-cli ping | grep PONG"}}},
			InitialDelaySeconds: 5, PeriodSeconds: 5, TimeoutSeconds: 5, FailureThreshold: 1,
		}
		container.StartupProbe = nil
		container.LivenessProbe = pong.DeepCopy()
		container.ReadinessProbe = pong.DeepCopy()
	}
}
