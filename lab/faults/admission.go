package faults

import (
	"context"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"redis-session-bot/lab/workload"
)

// admissionQuota is a quota that a namespace gets while it is over it. Nothing
// is taken away; only the next pod is refused.
func admissionQuota() fault {
	return fault{
		name: "admission/quota",
		what: "give the namespace a quota of the application's pods alone, and lose the store's",
		inject: func(ctx context.Context, c *workload.Copy) error {
			agents, err := c.Pods(ctx, workload.Agent)
			if err != nil {
				return err
			}
			quota := &corev1.ResourceQuota{
				ObjectMeta: metav1.ObjectMeta{Name: "team-quota"},
				Spec:       corev1.ResourceQuotaSpec{Hard: corev1.ResourceList{corev1.ResourcePods: *resource.NewQuantity(int64(len(agents)), resource.DecimalSI)}},
			}
			_, err = c.Clients.CoreV1().ResourceQuotas(c.Namespace).Create(ctx, quota, metav1.CreateOptions{FieldManager: installer})
			if err != nil {
				return fmt.Errorf("create resourcequota %s/%s: %w", c.Namespace, quota.Name, err)
			}
			return c.DeletePods(ctx)
		},
		shows: func(ctx context.Context, c *workload.Copy) (string, error) {
			return refusedPod(ctx, c, "exceeded quota: team-quota")
		},
	}
}

// admissionLimitRange is an upper limit for containers below the store's own.
func admissionLimitRange() fault {
	return fault{
		name: "admission/limitrange",
		what: "allow containers of the namespace 256Mi of memory at most, and lose the pod",
		inject: func(ctx context.Context, c *workload.Copy) error {
			limits := &corev1.LimitRange{
				ObjectMeta: metav1.ObjectMeta{Name: "container-limits"},
				Spec: corev1.LimitRangeSpec{Limits: []corev1.LimitRangeItem{{
					Type: corev1.LimitTypeContainer,
					Max:  corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("256Mi")},
				}}},
			}
			_, err := c.Clients.CoreV1().LimitRanges(c.Namespace).Create(ctx, limits, metav1.CreateOptions{FieldManager: installer})
			if err != nil {
				return fmt.Errorf("create limitrange %s/%s: %w", c.Namespace, limits.Name, err)
			}
			return c.DeletePods(ctx)
		},
		shows: func(ctx context.Context, c *workload.Copy) (string, error) {
			return refusedPod(ctx, c, "maximum memory usage per Container is 256Mi")
		},
	}
}

// admissionPodSecurity enforces a standard that the store's init container,
// which runs as root, does not meet.
func admissionPodSecurity() fault {
	return fault{
		name: "admission/podsecurity",
		what: "enforce the restricted Pod Security Standard, and lose the pod",
		inject: func(ctx context.Context, c *workload.Copy) error {
			patch := []byte(`{"metadata":{"labels":{"pod-security.kubernetes.io/enforce":"restricted"}}}`)
			_, err := c.Clients.CoreV1().Namespaces().Patch(ctx, c.Namespace, types.MergePatchType, patch, metav1.PatchOptions{FieldManager: labeller})
			if err != nil {
				return fmt.Errorf("label namespace %s: %w", c.Namespace, err)
			}
			return c.DeletePods(ctx)
		},
		shows: func(ctx context.Context, c *workload.Copy) (string, error) {
			return refusedPod(ctx, c, `violates PodSecurity "restricted`)
		},
	}
}

// refusedPod says why the store's pod may not be made, where the newest refusal
// of its workload holds the text; empty while there is a pod.
func refusedPod(ctx context.Context, c *workload.Copy, text string) (string, error) {
	pods, err := c.Pods(ctx, workload.Redis)
	if err != nil || len(pods) > 0 {
		return "", err
	}
	makers, err := makers(ctx, c)
	if err != nil {
		return "", err
	}
	said, err := lastEvent(ctx, c, "FailedCreate", func(e corev1.Event) bool { return makers[e.InvolvedObject.UID] })
	if err != nil || !strings.Contains(said, text) {
		return "", err
	}
	return "no pod may be made: " + said, nil
}

// makers are the objects that make the store's pods now: the events of those
// before them stay for an hour.
func makers(ctx context.Context, c *workload.Copy) (map[types.UID]bool, error) {
	found := map[types.UID]bool{}
	options := metav1.ListOptions{LabelSelector: "app=" + workload.Redis}
	replicaSets, err := c.Clients.AppsV1().ReplicaSets(c.Namespace).List(ctx, options)
	if err != nil {
		return nil, fmt.Errorf("list the replicasets of %s: %w", c.Namespace, err)
	}
	for _, r := range replicaSets.Items {
		found[r.UID] = true
	}
	statefulSets, err := c.Clients.AppsV1().StatefulSets(c.Namespace).List(ctx, options)
	if err != nil {
		return nil, fmt.Errorf("list the statefulsets of %s: %w", c.Namespace, err)
	}
	for _, s := range statefulSets.Items {
		found[s.UID] = true
	}
	return found, nil
}
