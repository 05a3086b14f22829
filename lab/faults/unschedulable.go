package faults

import (
	"context"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"redis-session-bot/lab/workload"
)

// hugeMemory is a slip of whoever meant 512Mi: no node has as much.
const hugeMemory = "512Gi"

// unschedulableNodeSelector asks for nodes of a pool that this cluster has not.
func unschedulableNodeSelector() fault {
	return fault{
		name: "unschedulable/node-selector",
		what: "install the store again for a pool of nodes that the cluster does not have",
		inject: func(ctx context.Context, c *workload.Copy) error {
			return c.Reinstall(ctx, installer, func(template *corev1.PodTemplateSpec) {
				template.Spec.NodeSelector = map[string]string{"pool": "memory-optimized"}
			})
		},
		shows: func(ctx context.Context, c *workload.Copy) (string, error) {
			return unplaced(ctx, c, "node affinity/selector")
		},
	}
}

// unschedulableMemory asks for more memory than any node has.
func unschedulableMemory() fault {
	return fault{
		name: "unschedulable/memory",
		what: "install the store again with a memory request that no node can give",
		inject: func(ctx context.Context, c *workload.Copy) error {
			return c.Reinstall(ctx, installer, setHugeMemory)
		},
		shows: func(ctx context.Context, c *workload.Copy) (string, error) {
			return unplaced(ctx, c, "Insufficient memory")
		},
	}
}

// setHugeMemory raises the limit with the request, which may not lie above it.
func setHugeMemory(template *corev1.PodTemplateSpec) {
	for i := range template.Spec.Containers {
		container := &template.Spec.Containers[i]
		if container.Name == workload.RedisContainer {
			memory := corev1.ResourceList{corev1.ResourceMemory: resource.MustParse(hugeMemory)}
			container.Resources.Requests = merged(container.Resources.Requests, memory)
			container.Resources.Limits = merged(container.Resources.Limits, memory)
		}
	}
}

func merged(old, changes corev1.ResourceList) corev1.ResourceList {
	all := corev1.ResourceList{}
	for _, list := range []corev1.ResourceList{old, changes} {
		for name, quantity := range list {
			all[name] = quantity
		}
	}
	return all
}

// unplaced says why the scheduler finds no node for the store's pod, where its
// message holds the text.
func unplaced(ctx context.Context, c *workload.Copy, text string) (string, error) {
	store, found, err := c.Store(ctx)
	if err != nil || !found {
		return "", err
	}
	for _, condition := range store.Pod.Status.Conditions {
		if condition.Type == corev1.PodScheduled && condition.Status == corev1.ConditionFalse && strings.Contains(condition.Message, text) {
			return fmt.Sprintf("pod %s has no node: %s", store.Pod.Name, condition.Message), nil
		}
	}
	return "", nil
}
