package workload

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
)

// Reinstall removes the store's workload and makes it again with a changed pod
// template, as an uninstall and an install do: the volume stays, and the new
// workload has one revision and no history.
func (c *Copy) Reinstall(ctx context.Context, by string, edit func(*corev1.PodTemplateSpec)) error {
	shape, err := c.Shape(ctx)
	if err != nil {
		return err
	}
	remove := metav1.DeleteOptions{PropagationPolicy: ptr.To(metav1.DeletePropagationForeground)}
	create := metav1.CreateOptions{FieldManager: by}
	switch shape {
	case Deployment:
		all := c.Clients.AppsV1().Deployments(c.Namespace)
		live, err := all.Get(ctx, Redis, metav1.GetOptions{})
		if err != nil {
			return fmt.Errorf("get deployment %s: %w", c.ref(Redis), err)
		}
		live.ObjectMeta = fresh(live.ObjectMeta)
		edit(&live.Spec.Template)
		if err := all.Delete(ctx, Redis, remove); err != nil {
			return fmt.Errorf("delete deployment %s: %w", c.ref(Redis), err)
		}
		if err := c.waitNoStore(ctx); err != nil {
			return err
		}
		if _, err := all.Create(ctx, live, create); err != nil {
			return fmt.Errorf("create deployment %s: %w", c.ref(Redis), err)
		}
	case StatefulSet:
		all := c.Clients.AppsV1().StatefulSets(c.Namespace)
		live, err := all.Get(ctx, Redis, metav1.GetOptions{})
		if err != nil {
			return fmt.Errorf("get statefulset %s: %w", c.ref(Redis), err)
		}
		live.ObjectMeta = fresh(live.ObjectMeta)
		edit(&live.Spec.Template)
		if err := all.Delete(ctx, Redis, remove); err != nil {
			return fmt.Errorf("delete statefulset %s: %w", c.ref(Redis), err)
		}
		if err := c.waitNoStore(ctx); err != nil {
			return err
		}
		if _, err := all.Create(ctx, live, create); err != nil {
			return fmt.Errorf("create statefulset %s: %w", c.ref(Redis), err)
		}
	default:
		return fmt.Errorf("namespace %s: %w", c.Namespace, ErrMissing)
	}
	return nil
}

// fresh keeps what a person would write of an object's metadata.
func fresh(m metav1.ObjectMeta) metav1.ObjectMeta {
	kept := metav1.ObjectMeta{Name: m.Name, Namespace: m.Namespace, Labels: m.Labels}
	if cause, there := m.Annotations[ChangeCause]; there {
		kept.Annotations = map[string]string{ChangeCause: cause}
	}
	return kept
}

// waitNoStore waits until the store's workload and its pods are gone.
func (c *Copy) waitNoStore(ctx context.Context) error {
	return c.until(ctx, "the old pods of "+c.ref(Redis)+" to go", func(ctx context.Context) (bool, error) {
		shape, err := c.Shape(ctx)
		if err != nil || shape != "" {
			return false, err
		}
		pods, err := c.Pods(ctx, Redis)
		return len(pods) == 0, err
	})
}
