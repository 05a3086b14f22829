package workload

import (
	"context"
	"fmt"
	"io"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Store is the newest pod of Redis and its container as kubectl get pod shows them.
type Store struct {
	Pod       corev1.Pod
	Container corev1.ContainerStatus // zero while the kubelet has said nothing
}

// Store finds the newest pod of Redis that is not ending; false when there is none.
func (c *Copy) Store(ctx context.Context) (Store, bool, error) {
	pods, err := c.Pods(ctx, Redis)
	if err != nil {
		return Store{}, false, err
	}
	var found Store
	for _, pod := range pods {
		if pod.DeletionTimestamp != nil || pod.CreationTimestamp.Before(&found.Pod.CreationTimestamp) {
			continue
		}
		found = Store{Pod: pod}
		for _, status := range pod.Status.ContainerStatuses {
			if status.Name == RedisContainer {
				found.Container = status
			}
		}
	}
	return found, found.Pod.Name != "", nil
}

// Ended is how the container ended last; nil when it never did.
func (s Store) Ended() *corev1.ContainerStateTerminated {
	if s.Container.State.Terminated != nil {
		return s.Container.State.Terminated
	}
	return s.Container.LastTerminationState.Terminated
}

// Log reads up to 64 KiB of what the store's container printed in its current
// run, or in the one before.
func (c *Copy) Log(ctx context.Context, pod string, previous bool) (string, error) {
	limit := int64(64 << 10)
	stream, err := c.Clients.CoreV1().Pods(c.Namespace).GetLogs(pod, &corev1.PodLogOptions{
		Container: RedisContainer, Previous: previous, LimitBytes: &limit,
	}).Stream(ctx)
	if err != nil {
		return "", fmt.Errorf("read the log of %s: %w", c.ref(pod), err)
	}
	defer stream.Close()
	text, err := io.ReadAll(stream)
	if err != nil {
		return "", fmt.Errorf("read the log of %s: %w", c.ref(pod), err)
	}
	return string(text), nil
}

// Claim is the claim on the store's volume.
func (c *Copy) Claim(ctx context.Context) (*corev1.PersistentVolumeClaim, error) {
	shape, err := c.Shape(ctx)
	if err != nil {
		return nil, err
	}
	name := deploymentClaim
	if shape == StatefulSet {
		name = statefulSetClaim
	}
	claim, err := c.Clients.CoreV1().PersistentVolumeClaims(c.Namespace).Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return nil, fmt.Errorf("get claim %s: %w", c.ref(name), err)
	}
	return claim, nil
}
