package faults

import (
	"context"
	"fmt"
	"hash/fnv"
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"redis-session-bot/lab/workload"
)

// portConflictContainer is a second Redis in the pod, on the port of the first:
// the containers of a pod share one network.
func portConflictContainer() fault {
	return fault{
		name: "port-conflict/container",
		what: "install the store with a cache beside it in the pod that listens on port 6379, too",
		inject: func(ctx context.Context, c *workload.Copy) error {
			return c.Reinstall(ctx, installer, addCache)
		},
		shows: func(ctx context.Context, c *workload.Copy) (string, error) {
			return dies(ctx, c, "bind: Address already in use")
		},
	}
}

// duplicate is a second store that somebody runs to try something.
const duplicate = "redis-session-copy"

// portConflictOwner is a copy of the store on the port of the node that the
// store is to have.
func portConflictOwner() fault {
	return onNodePort(fault{
		name: "port-conflict/owner",
		what: "run a copy of the store on a port of the node, and install the store on the same port",
	}, func(ctx context.Context, c *workload.Copy, template corev1.PodTemplateSpec) error {
		_, err := c.Clients.AppsV1().Deployments(c.Namespace).Create(ctx, &appsv1.Deployment{
			ObjectMeta: metav1.ObjectMeta{Name: duplicate, Labels: template.Labels},
			Spec: appsv1.DeploymentSpec{
				Replicas: ptr.To[int32](1),
				Selector: &metav1.LabelSelector{MatchLabels: template.Labels},
				Template: template,
			},
		}, metav1.CreateOptions{FieldManager: installer})
		return err
	})
}

// portConflictPod is the same by kubectl run: nobody owns the copy.
func portConflictPod() fault {
	return onNodePort(fault{
		name: "port-conflict/pod",
		what: "run a pod of the store's image by hand on a port of the node, and install the store on the same port",
	}, func(ctx context.Context, c *workload.Copy, template corev1.PodTemplateSpec) error {
		pod := &corev1.Pod{ObjectMeta: template.ObjectMeta, Spec: template.Spec}
		pod.Name = duplicate
		_, err := c.Clients.CoreV1().Pods(c.Namespace).Create(ctx, pod, metav1.CreateOptions{FieldManager: installer})
		return err
	})
}

// onNodePort installs the store on a port of the node that a copy of it has.
func onNodePort(f fault, run func(context.Context, *workload.Copy, corev1.PodTemplateSpec) error) fault {
	f.inject = func(ctx context.Context, c *workload.Copy) error {
		store, _, err := c.Store(ctx)
		if err != nil {
			return err
		}
		port := nodePort(c.Namespace)
		template := otherClient(store, duplicate, "redis-server", "--save", "")
		template.Spec.Containers[0].Ports = []corev1.ContainerPort{{ContainerPort: 6379, HostPort: port}}
		if err := run(ctx, c, template); err != nil {
			return fmt.Errorf("run %s: %w", duplicate, err)
		}
		return c.Reinstall(ctx, installer, func(template *corev1.PodTemplateSpec) { listenOn(template, port) })
	}
	f.shows = func(ctx context.Context, c *workload.Copy) (string, error) {
		return unplaced(ctx, c, "free ports")
	}
	return f
}

// nodePort is a port for the namespace alone: copies beside each other share the
// node.
func nodePort(namespace string) int32 {
	hash := fnv.New32a()
	hash.Write([]byte(namespace))
	return 20000 + int32(hash.Sum32()%10000)
}

func listenOn(template *corev1.PodTemplateSpec, port int32) {
	for i := range template.Spec.Containers {
		if container := &template.Spec.Containers[i]; container.Name == workload.RedisContainer {
			container.Ports[0].HostPort = port
		}
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
