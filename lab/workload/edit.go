package workload

import (
	"context"
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/util/retry"
)

// EditConfig changes redis.conf in its ConfigMap as kubectl edit would. Edit
// returns the new text.
func (c *Copy) EditConfig(ctx context.Context, by string, edit func(string) string) error {
	err := edited(ctx, c.Clients.CoreV1().ConfigMaps(c.Namespace), RedisConfig, by, func(m *corev1.ConfigMap) {
		m.Data[RedisConfigKey] = edit(m.Data[RedisConfigKey])
	})
	if err != nil {
		return fmt.Errorf("edit configmap %s: %w", c.ref(RedisConfig), err)
	}
	return nil
}

// EditSecret changes the entries of the Secret that both sides read the
// password from. Neither side sees it before it starts anew.
func (c *Copy) EditSecret(ctx context.Context, by string, edit func(data map[string][]byte)) error {
	err := edited(ctx, c.Clients.CoreV1().Secrets(c.Namespace), Secrets, by, func(s *corev1.Secret) {
		if s.Data == nil {
			s.Data = map[string][]byte{}
		}
		edit(s.Data)
	})
	if err != nil {
		return fmt.Errorf("edit secret %s: %w", c.ref(Secrets), err)
	}
	return nil
}

// EditService changes the store's Service.
func (c *Copy) EditService(ctx context.Context, by string, edit func(*corev1.ServiceSpec)) error {
	err := edited(ctx, c.Clients.CoreV1().Services(c.Namespace), Redis, by, func(s *corev1.Service) { edit(&s.Spec) })
	if err != nil {
		return fmt.Errorf("edit service %s: %w", c.ref(Redis), err)
	}
	return nil
}

// EditApplication changes the application's pod template, and so restarts it.
func (c *Copy) EditApplication(ctx context.Context, by string, edit func(*corev1.PodTemplateSpec)) error {
	err := edited(ctx, c.Clients.AppsV1().Deployments(c.Namespace), Agent, by, func(d *appsv1.Deployment) { edit(&d.Spec.Template) })
	if err != nil {
		return fmt.Errorf("edit deployment %s: %w", c.ref(Agent), err)
	}
	return nil
}

// EditTemplate changes the store's pod template, and so makes a new revision
// with the given change-cause.
func (c *Copy) EditTemplate(ctx context.Context, by, cause string, edit func(*corev1.PodTemplateSpec)) error {
	shape, err := c.Shape(ctx)
	if err != nil {
		return err
	}
	switch shape {
	case Deployment:
		err = edited(ctx, c.Clients.AppsV1().Deployments(c.Namespace), Redis, by, func(d *appsv1.Deployment) {
			metav1.SetMetaDataAnnotation(&d.ObjectMeta, ChangeCause, cause)
			edit(&d.Spec.Template)
		})
	case StatefulSet:
		err = edited(ctx, c.Clients.AppsV1().StatefulSets(c.Namespace), Redis, by, func(s *appsv1.StatefulSet) {
			metav1.SetMetaDataAnnotation(&s.ObjectMeta, ChangeCause, cause)
			edit(&s.Spec.Template)
		})
	default:
		return fmt.Errorf("namespace %s: %w", c.Namespace, ErrMissing)
	}
	if err != nil {
		return fmt.Errorf("edit %s %s: %w", shape, c.ref(Redis), err)
	}
	return nil
}

// access reads and writes one kind of object.
type access[T any] interface {
	Get(ctx context.Context, name string, options metav1.GetOptions) (T, error)
	Update(ctx context.Context, object T, options metav1.UpdateOptions) (T, error)
}

// edited changes one object. Controllers write the status of workloads all the
// time, so a conflict is tried again.
func edited[T any](ctx context.Context, all access[T], name, by string, edit func(T)) error {
	return retry.RetryOnConflict(retry.DefaultRetry, func() error {
		live, err := all.Get(ctx, name, metav1.GetOptions{})
		if err != nil {
			return err
		}
		edit(live)
		_, err = all.Update(ctx, live, metav1.UpdateOptions{FieldManager: by})
		return err
	})
}
