package faults

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"redis-session-bot/lab/workload"
)

// serviceMismatch moves the Service to the recommended labels and forgets the
// pods. Connections that are open stay so: it shows when they are made anew.
func serviceMismatch() fault {
	return fault{
		name:  "service-mismatch",
		what:  "select labels that the pods do not have in the Service, and lose the pod",
		ready: true,
		inject: func(ctx context.Context, c *workload.Copy) error {
			err := c.EditService(ctx, editor, func(s *corev1.ServiceSpec) {
				s.Selector = map[string]string{"app.kubernetes.io/name": workload.Redis}
			})
			if err != nil {
				return err
			}
			return c.DeletePods(ctx)
		},
		shows: func(ctx context.Context, c *workload.Copy) (string, error) {
			status, err := c.Look(ctx)
			if err != nil || status.Shape == "" || status.Redis.Why != "" {
				return "", err
			}
			service, err := c.Clients.CoreV1().Services(c.Namespace).Get(ctx, workload.Redis, metav1.GetOptions{})
			if err != nil {
				return "", fmt.Errorf("get service %s/%s: %w", c.Namespace, workload.Redis, err)
			}
			store, found, err := c.Store(ctx)
			if err != nil || !found || labels.SelectorFromSet(service.Spec.Selector).Matches(labels.Set(store.Pod.Labels)) {
				return "", err
			}
			lines, all, err := c.Complaints(ctx)
			if err != nil || !all {
				return "", err
			}
			return fmt.Sprintf("pod %s is ready, the Service does not select it, and the application says %s", store.Pod.Name, lines[0]), nil
		},
	}
}
