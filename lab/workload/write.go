package workload

import (
	"context"
	"fmt"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/util/retry"
)

// manager is who the cluster says wrote the healthy objects.
const manager = "redis-session-lab"

// apply writes an object by server-side apply: fields that others added stay.
func (c *Copy) apply(ctx context.Context, object Object) error {
	fields, resource, err := c.dynamicForm(object)
	if err != nil {
		return err
	}
	_, err = resource.Apply(ctx, object.GetName(), fields, metav1.ApplyOptions{FieldManager: manager, Force: true})
	if err != nil {
		return fmt.Errorf("apply %s %s: %w", kind(object), c.ref(object.GetName()), err)
	}
	return nil
}

// replace writes an object whole: what others added is gone after it.
func (c *Copy) replace(ctx context.Context, object Object) error {
	fields, resource, err := c.dynamicForm(object)
	if err != nil {
		return err
	}
	name := object.GetName()
	live, err := resource.Get(ctx, name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		// Applied, so that a later Up owns the same fields under the same name.
		return c.apply(ctx, object)
	}
	if err != nil {
		return fmt.Errorf("get %s %s: %w", kind(object), c.ref(name), err)
	}
	fields.SetResourceVersion(live.GetResourceVersion())
	keepAddress(live, fields)
	if _, err := resource.Update(ctx, fields, metav1.UpdateOptions{FieldManager: manager}); err != nil {
		return fmt.Errorf("replace %s %s: %w", kind(object), c.ref(name), err)
	}
	return nil
}

// keepAddress keeps a Service's cluster address: it cannot be taken away, and
// clients have it in their DNS caches.
func keepAddress(live, fields *unstructured.Unstructured) {
	if live.GetKind() != "Service" {
		return
	}
	for _, field := range []string{"clusterIP", "clusterIPs"} {
		if value, there, _ := unstructured.NestedFieldCopy(live.Object, "spec", field); there {
			_ = unstructured.SetNestedField(fields.Object, value, "spec", field)
		}
	}
}

// dynamicForm is the object without the fields that only the server writes, and
// where it is written.
func (c *Copy) dynamicForm(object Object) (*unstructured.Unstructured, dynamic.ResourceInterface, error) {
	fields, err := runtime.DefaultUnstructuredConverter.ToUnstructured(object)
	if err != nil {
		return nil, nil, fmt.Errorf("convert %s %s: %w", kind(object), c.ref(object.GetName()), err)
	}
	delete(fields, "status")
	resource, _ := meta.UnsafeGuessKindToResource(object.GetObjectKind().GroupVersionKind())
	return &unstructured.Unstructured{Object: fields}, c.dynamic.Resource(resource).Namespace(c.Namespace), nil
}

func kind(object Object) string {
	return strings.ToLower(object.GetObjectKind().GroupVersionKind().Kind)
}

// EditConfig changes redis.conf in its ConfigMap as kubectl edit would. Edit
// returns the new text.
func (c *Copy) EditConfig(ctx context.Context, by string, edit func(string) string) error {
	maps := c.Clients.CoreV1().ConfigMaps(c.Namespace)
	err := retry.RetryOnConflict(retry.DefaultRetry, func() error {
		live, err := maps.Get(ctx, RedisConfig, metav1.GetOptions{})
		if err != nil {
			return err
		}
		live.Data[RedisConfigKey] = edit(live.Data[RedisConfigKey])
		_, err = maps.Update(ctx, live, metav1.UpdateOptions{FieldManager: by})
		return err
	})
	if err != nil {
		return fmt.Errorf("edit configmap %s: %w", c.ref(RedisConfig), err)
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
		err = edited(ctx, c.Clients.AppsV1().Deployments(c.Namespace), by, func(d *appsv1.Deployment) {
			metav1.SetMetaDataAnnotation(&d.ObjectMeta, ChangeCause, cause)
			edit(&d.Spec.Template)
		})
	case StatefulSet:
		err = edited(ctx, c.Clients.AppsV1().StatefulSets(c.Namespace), by, func(s *appsv1.StatefulSet) {
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

// access reads and writes one kind of workload.
type access[T any] interface {
	Get(ctx context.Context, name string, options metav1.GetOptions) (T, error)
	Update(ctx context.Context, object T, options metav1.UpdateOptions) (T, error)
	Create(ctx context.Context, object T, options metav1.CreateOptions) (T, error)
	Delete(ctx context.Context, name string, options metav1.DeleteOptions) error
}

// edited changes the store's workload. Its controller writes its status all the
// time, so a conflict is tried again.
func edited[T any](ctx context.Context, all access[T], by string, edit func(T)) error {
	return retry.RetryOnConflict(retry.DefaultRetry, func() error {
		live, err := all.Get(ctx, Redis, metav1.GetOptions{})
		if err != nil {
			return err
		}
		edit(live)
		_, err = all.Update(ctx, live, metav1.UpdateOptions{FieldManager: by})
		return err
	})
}

// Scale asks for a number of the store's pods, as kubectl scale does.
func (c *Copy) Scale(ctx context.Context, by string, replicas int) error {
	shape, err := c.Shape(ctx)
	if err != nil {
		return err
	}
	patch := fmt.Appendf(nil, `{"spec":{"replicas":%d}}`, replicas)
	options := metav1.PatchOptions{FieldManager: by}
	switch shape {
	case Deployment:
		_, err = c.Clients.AppsV1().Deployments(c.Namespace).Patch(ctx, Redis, types.MergePatchType, patch, options, "scale")
	case StatefulSet:
		_, err = c.Clients.AppsV1().StatefulSets(c.Namespace).Patch(ctx, Redis, types.MergePatchType, patch, options, "scale")
	default:
		return fmt.Errorf("namespace %s: %w", c.Namespace, ErrMissing)
	}
	if err != nil {
		return fmt.Errorf("scale %s: %w", c.ref(Redis), err)
	}
	return nil
}

// DeletePods deletes the store's pods, as the drain of a node does: the
// workload makes new ones of the same revision.
func (c *Copy) DeletePods(ctx context.Context) error {
	err := c.Clients.CoreV1().Pods(c.Namespace).DeleteCollection(ctx, metav1.DeleteOptions{}, metav1.ListOptions{LabelSelector: "app=" + Redis})
	if err != nil {
		return fmt.Errorf("delete the pods of %s: %w", c.ref(Redis), err)
	}
	return nil
}
