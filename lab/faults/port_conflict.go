package faults

import (
	"context"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/utils/ptr"

	"redis-session-bot/lab/workload"
)

// portConflict is a second Redis in the pod, on the port of the first: the
// containers of a pod share one network.
func portConflict() fault {
	return fault{
		name: "port-conflict",
		what: "install the store with a cache beside it in the pod that listens on port 6379, too",
		inject: func(ctx context.Context, c *workload.Copy) error {
			return c.Reinstall(ctx, installer, addCache)
		},
		shows: func(ctx context.Context, c *workload.Copy) (string, error) {
			return dies(ctx, c, "bind: Address already in use")
		},
	}
}

// addCache puts the second Redis before the first. The kubelet starts a
// container once the hook of the one before it is over, so the cache has the
// port first.
func addCache(template *corev1.PodTemplateSpec) {
	spec := &template.Spec
	cache := corev1.Container{
		Name:            "cache",
		ImagePullPolicy: corev1.PullIfNotPresent,
		Command:         []string{"redis-server", "--save", "", "--maxmemory", "16mb", "--maxmemory-policy", "allkeys-lru"},
		Lifecycle: &corev1.Lifecycle{PostStart: &corev1.LifecycleHandler{Exec: &corev1.ExecAction{
			Command: []string{"sh", "-c", "until redis-cli -e ping; do :; done"},
		}}},
		Resources: corev1.ResourceRequirements{
			Requests: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("5m"), corev1.ResourceMemory: resource.MustParse("16Mi")},
			Limits:   corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("64Mi")},
		},
		SecurityContext: &corev1.SecurityContext{
			RunAsNonRoot:             ptr.To(true),
			ReadOnlyRootFilesystem:   ptr.To(true),
			AllowPrivilegeEscalation: ptr.To(false),
			Capabilities:             &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
		},
	}
	for _, container := range spec.Containers {
		if container.Name == workload.RedisContainer {
			cache.Image = container.Image
		}
	}
	spec.Containers = slices.Insert(spec.Containers, 0, cache)
}
