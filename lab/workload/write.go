package workload

import (
	"context"
	"fmt"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
)

// manager is who the cluster says wrote the healthy objects: a person, by
// kubectl apply --server-side, and no operator that would put them back.
const manager = "kubectl"

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
