package faults

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"redis-session-bot/lab/workload"
)

// smallLimit is below maxmemory and far below what the sessions need: about
// 100 MB, which is below maxmemory.
const (
	smallLimit  = "64Mi"
	bulk        = 10_000 // sessions
	bulkSession = 10_000 // bytes each
)

// outOfMemory is a store whose sessions outgrew its container's limit: the
// kernel kills it at every load.
//
// The workload is installed anew with the small limit instead of being changed,
// so that it has one revision: with two, the newer one would rightly be blamed
// as a bad rollout.
func outOfMemory() fault {
	return fault{
		name: "out-of-memory",
		what: "keep about 100 MB of sessions, with a container limit of " + smallLimit,
		inject: func(ctx context.Context, c *workload.Copy) error {
			if err := writeSessions(ctx, c, bulk, bulkSession); err != nil {
				return err
			}
			return c.Reinstall(ctx, installer, setSmallLimit)
		},
		shows: func(ctx context.Context, c *workload.Copy) (string, error) {
			store, found, err := c.Store(ctx)
			if err != nil || !found || store.Container.Ready {
				return "", err
			}
			ended := store.Ended()
			if ended == nil || ended.Reason != "OOMKilled" {
				return "", nil
			}
			return fmt.Sprintf("pod %s is OOMKilled (%d) at its limit of %s while it loads", store.Pod.Name, ended.ExitCode, smallLimit), nil
		},
	}
}

// setSmallLimit lowers the limit of Redis, and the request with it where that
// is above.
func setSmallLimit(template *corev1.PodTemplateSpec) {
	limit := resource.MustParse(smallLimit)
	for i := range template.Spec.Containers {
		container := &template.Spec.Containers[i]
		if container.Name != workload.RedisContainer {
			continue
		}
		container.Resources.Limits = with(container.Resources.Limits, limit)
		if asked := container.Resources.Requests[corev1.ResourceMemory]; asked.Cmp(limit) > 0 {
			container.Resources.Requests = with(container.Resources.Requests, limit)
		}
	}
}

func with(list corev1.ResourceList, memory resource.Quantity) corev1.ResourceList {
	changed := list.DeepCopy()
	if changed == nil {
		changed = corev1.ResourceList{}
	}
	changed[corev1.ResourceMemory] = memory
	return changed
}
