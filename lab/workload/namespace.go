package workload

import (
	"context"
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/utils/ptr"
)

const (
	// ownerLabel marks a namespace that Up made, so that nothing else is ever cleared.
	ownerLabel = "app.kubernetes.io/managed-by"
	// glance is how often the cluster is asked whether something has come.
	glance = 300 * time.Millisecond
	// forceAfter is how long a pod may take to end.
	forceAfter = 30 * time.Second
)

// ensureNamespace makes the namespace, or strips it of labels and annotations
// that others put on it (Pod Security, node selectors). It refuses one that the
// lab did not make.
func (c *Copy) ensureNamespace(ctx context.Context) error {
	spaces := c.Clients.CoreV1().Namespaces()
	live, err := spaces.Get(ctx, c.Namespace, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err):
		c.say("creating the namespace %s", c.Namespace)
		made := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: c.Namespace, Labels: map[string]string{ownerLabel: manager}}}
		if _, err := spaces.Create(ctx, made, metav1.CreateOptions{FieldManager: manager}); err != nil {
			return fmt.Errorf("create namespace %s: %w", c.Namespace, err)
		}
	case err != nil:
		return fmt.Errorf("get namespace %s: %w", c.Namespace, err)
	case live.Labels[ownerLabel] != manager:
		return c.foreign()
	case live.DeletionTimestamp != nil:
		if err := c.waitNoNamespace(ctx); err != nil {
			return err
		}
		return c.ensureNamespace(ctx)
	default:
		live.Labels = map[string]string{corev1.LabelMetadataName: c.Namespace, ownerLabel: manager}
		live.Annotations = nil
		if _, err := spaces.Update(ctx, live, metav1.UpdateOptions{FieldManager: manager}); err != nil {
			return fmt.Errorf("update namespace %s: %w", c.Namespace, err)
		}
	}
	// Pods are refused until the namespace's account is there, and are then
	// tried again ever more slowly.
	return c.until(ctx, "the service account of "+c.Namespace, func(ctx context.Context) (bool, error) {
		_, err := c.Clients.CoreV1().ServiceAccounts(c.Namespace).Get(ctx, "default", metav1.GetOptions{})
		return err == nil, ignoreNotFound(err)
	})
}

// Mine refuses a namespace that the lab did not make: nothing in it is broken.
func (c *Copy) Mine(ctx context.Context) error {
	live, err := c.Clients.CoreV1().Namespaces().Get(ctx, c.Namespace, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err):
		return fmt.Errorf("namespace %s: %w", c.Namespace, ErrMissing)
	case err != nil:
		return fmt.Errorf("get namespace %s: %w", c.Namespace, err)
	case live.Labels[ownerLabel] != manager:
		return c.foreign()
	}
	return nil
}

func (c *Copy) foreign() error {
	return fmt.Errorf("the namespace %s was not made by the lab, so it is left alone: choose another with --namespace", c.Namespace)
}

// kinds are what is made anew: everything that runs, holds data, or could keep
// a pod from being made, scheduled or reached.
func kinds() []schema.GroupVersionResource {
	return []schema.GroupVersionResource{
		{Group: "autoscaling", Version: "v2", Resource: "horizontalpodautoscalers"},
		{Group: "policy", Version: "v1", Resource: "poddisruptionbudgets"},
		{Group: "networking.k8s.io", Version: "v1", Resource: "networkpolicies"},
		{Version: "v1", Resource: "resourcequotas"},
		{Version: "v1", Resource: "limitranges"},
		{Group: "batch", Version: "v1", Resource: "cronjobs"},
		{Group: "batch", Version: "v1", Resource: "jobs"},
		{Group: "apps", Version: "v1", Resource: "daemonsets"},
		{Group: "apps", Version: "v1", Resource: "deployments"},
		{Group: "apps", Version: "v1", Resource: "statefulsets"},
		{Group: "apps", Version: "v1", Resource: "replicasets"},
		{Version: "v1", Resource: "pods"},
		{Version: "v1", Resource: "persistentvolumeclaims"},
	}
}

// clear removes the workloads, their pods and their volumes, and the classes
// that were made for them, and waits until the last is gone.
func (c *Copy) clear(ctx context.Context) error {
	c.say("removing what runs in %s, and its volume", c.Namespace)
	quick := metav1.DeleteOptions{PropagationPolicy: ptr.To(metav1.DeletePropagationBackground), GracePeriodSeconds: ptr.To[int64](1)}
	for _, kind := range kinds() {
		if err := c.dynamic.Resource(kind).Namespace(c.Namespace).DeleteCollection(ctx, quick, metav1.ListOptions{}); err != nil {
			return fmt.Errorf("delete the %s of %s: %w", kind.Resource, c.Namespace, err)
		}
	}
	classes := c.Clients.StorageV1().StorageClasses()
	if err := classes.DeleteCollection(ctx, metav1.DeleteOptions{}, metav1.ListOptions{LabelSelector: CopyLabel + "=" + c.Namespace}); err != nil {
		return fmt.Errorf("delete the storageclasses of %s: %w", c.Namespace, err)
	}
	forceAt := time.Now().Add(forceAfter)
	return c.until(ctx, "the old pods and volumes to go", func(ctx context.Context) (bool, error) {
		if time.Now().After(forceAt) {
			forceAt = time.Now().Add(forceAfter)
			if err := c.forcePods(ctx); err != nil {
				return false, err
			}
		}
		for _, kind := range kinds() {
			list, err := c.dynamic.Resource(kind).Namespace(c.Namespace).List(ctx, metav1.ListOptions{Limit: 1})
			if err != nil || len(list.Items) > 0 {
				return false, err
			}
		}
		return true, nil
	})
}

// forcePods forgets pods that no kubelet ends, such as those of a lost node.
func (c *Copy) forcePods(ctx context.Context) error {
	now := metav1.DeleteOptions{GracePeriodSeconds: ptr.To[int64](0)}
	if err := c.Clients.CoreV1().Pods(c.Namespace).DeleteCollection(ctx, now, metav1.ListOptions{}); err != nil {
		return fmt.Errorf("delete the pods of %s by force: %w", c.Namespace, err)
	}
	return nil
}

// removeNamespace deletes the namespace with all that is in it.
func (c *Copy) removeNamespace(ctx context.Context) error {
	live, err := c.Clients.CoreV1().Namespaces().Get(ctx, c.Namespace, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		c.say("there is no namespace %s", c.Namespace)
		return nil
	}
	if err != nil {
		return fmt.Errorf("get namespace %s: %w", c.Namespace, err)
	}
	if live.Labels[ownerLabel] != manager {
		return c.foreign()
	}
	if err := c.clear(ctx); err != nil {
		return err
	}
	c.say("removing the namespace %s", c.Namespace)
	if err := c.Clients.CoreV1().Namespaces().Delete(ctx, c.Namespace, metav1.DeleteOptions{}); ignoreNotFound(err) != nil {
		return fmt.Errorf("delete namespace %s: %w", c.Namespace, err)
	}
	return c.waitNoNamespace(ctx)
}

func (c *Copy) waitNoNamespace(ctx context.Context) error {
	return c.until(ctx, "the namespace "+c.Namespace+" to go", func(ctx context.Context) (bool, error) {
		_, err := c.Clients.CoreV1().Namespaces().Get(ctx, c.Namespace, metav1.GetOptions{})
		return apierrors.IsNotFound(err), ignoreNotFound(err)
	})
}

// until asks again and again whether something has come; what names it in the
// error when ctx ends first.
func (c *Copy) until(ctx context.Context, what string, done wait.ConditionWithContextFunc) error {
	if err := wait.PollUntilContextCancel(ctx, glance, true, done); err != nil {
		return fmt.Errorf("wait for %s: %w", what, err)
	}
	return nil
}

func ignoreNotFound(err error) error {
	if apierrors.IsNotFound(err) {
		return nil
	}
	return err
}

// Password is the one in the Secret; empty when there is none.
func (c *Copy) Password(ctx context.Context) (string, error) {
	live, err := c.Clients.CoreV1().Secrets(c.Namespace).Get(ctx, Secrets, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("get secret %s: %w", c.ref(Secrets), err)
	}
	// A newline at its end is a fault of its own, and not worth keeping.
	return strings.TrimSpace(string(live.Data[PasswordKey])), nil
}
