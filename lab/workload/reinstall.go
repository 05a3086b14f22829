package workload

import (
	"context"
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
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
	switch shape {
	case Deployment:
		err = reinstalled(ctx, c, c.Clients.AppsV1().Deployments(c.Namespace), by, func(d *appsv1.Deployment) {
			d.ObjectMeta = fresh(d.ObjectMeta)
			edit(&d.Spec.Template)
		})
	case StatefulSet:
		err = reinstalled(ctx, c, c.Clients.AppsV1().StatefulSets(c.Namespace), by, func(s *appsv1.StatefulSet) {
			s.ObjectMeta = fresh(s.ObjectMeta)
			edit(&s.Spec.Template)
		})
	default:
		return fmt.Errorf("namespace %s: %w", c.Namespace, ErrMissing)
	}
	if err != nil {
		return fmt.Errorf("install %s %s again: %w", shape, c.ref(Redis), err)
	}
	return nil
}

// ReinstallWithClaim removes the store's workload and its volume, and makes both
// again with a changed claim.
func (c *Copy) ReinstallWithClaim(ctx context.Context, by string, edit func(*corev1.PersistentVolumeClaimSpec)) error {
	shape, err := c.Shape(ctx)
	if err != nil {
		return err
	}
	if shape == "" {
		return fmt.Errorf("namespace %s: %w", c.Namespace, ErrMissing)
	}
	old, err := c.Claim(ctx)
	if err != nil {
		return err
	}
	claims := c.Clients.CoreV1().PersistentVolumeClaims(c.Namespace)
	// A claim that is used lives until its pod is gone.
	if err := claims.Delete(ctx, old.Name, metav1.DeleteOptions{}); err != nil {
		return fmt.Errorf("delete claim %s: %w", c.ref(old.Name), err)
	}
	if shape == StatefulSet {
		err = reinstalled(ctx, c, c.Clients.AppsV1().StatefulSets(c.Namespace), by, func(s *appsv1.StatefulSet) {
			s.ObjectMeta = fresh(s.ObjectMeta)
			for i := range s.Spec.VolumeClaimTemplates {
				edit(&s.Spec.VolumeClaimTemplates[i].Spec)
			}
		})
	} else {
		err = reinstalled(ctx, c, c.Clients.AppsV1().Deployments(c.Namespace), by, func(d *appsv1.Deployment) {
			d.ObjectMeta = fresh(d.ObjectMeta)
		})
	}
	if err != nil {
		return fmt.Errorf("install %s %s again: %w", shape, c.ref(Redis), err)
	}
	if shape == StatefulSet {
		return nil
	}
	return c.makeClaim(ctx, by, old, edit)
}

// makeClaim makes a Deployment's claim again once the old one is gone.
func (c *Copy) makeClaim(ctx context.Context, by string, old *corev1.PersistentVolumeClaim, edit func(*corev1.PersistentVolumeClaimSpec)) error {
	made := &corev1.PersistentVolumeClaim{
		ObjectMeta: metav1.ObjectMeta{Name: old.Name, Namespace: old.Namespace, Labels: old.Labels},
		Spec:       claimSpec(),
	}
	edit(&made.Spec)
	return c.until(ctx, "the old claim "+c.ref(old.Name)+" to go", func(ctx context.Context) (bool, error) {
		_, err := c.Clients.CoreV1().PersistentVolumeClaims(c.Namespace).Create(ctx, made, metav1.CreateOptions{FieldManager: by})
		if apierrors.IsAlreadyExists(err) {
			return false, nil
		}
		return err == nil, err
	})
}

// making makes and removes one kind of workload, too.
type making[T any] interface {
	access[T]
	Create(ctx context.Context, object T, options metav1.CreateOptions) (T, error)
	Delete(ctx context.Context, name string, options metav1.DeleteOptions) error
}

func reinstalled[T any](ctx context.Context, c *Copy, all making[T], by string, edit func(T)) error {
	live, err := all.Get(ctx, Redis, metav1.GetOptions{})
	if err != nil {
		return err
	}
	edit(live)
	err = all.Delete(ctx, Redis, metav1.DeleteOptions{PropagationPolicy: ptr.To(metav1.DeletePropagationForeground)})
	if err != nil {
		return err
	}
	if err := c.waitNoStore(ctx); err != nil {
		return err
	}
	_, err = all.Create(ctx, live, metav1.CreateOptions{FieldManager: by})
	return err
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
