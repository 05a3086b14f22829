package k8s

import (
	"context"
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"redis-session-bot/internal/evidence"
	"redis-session-bot/internal/standby"
)

// DryRun lets the API server look at objects of the target's namespace as if
// they were created. Nothing is created.
func (c *Cluster) DryRun(ctx context.Context, target evidence.Target, objects []runtime.Object) standby.Tried {
	var tried standby.Tried
	var missing []permission
	redactor := c.redactor(ctx, target)
	for _, object := range objects {
		name := object.GetObjectKind().GroupVersionKind().Kind
		if named, err := meta.Accessor(object); err == nil {
			name += "/" + named.GetName()
		}
		err := c.dryCreate(ctx, target.Namespace, object)
		one, lacks := lacking(err)
		switch {
		case err == nil:
			tried.Accepted = append(tried.Accepted, name)
		case apierrors.IsAlreadyExists(err):
			tried.There = append(tried.There, name)
		case lacks:
			missing = append(missing, one)
		default:
			tried.Refused = append(tried.Refused, redactor.Text(fmt.Sprintf("%s: %s", name, short(err))))
		}
	}
	if len(missing) > 0 {
		tried.Missing = lackingSentence(target, missing)
	}
	return tried
}

func (c *Cluster) dryCreate(ctx context.Context, namespace string, object runtime.Object) error {
	options := metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}, FieldManager: fieldManager}
	var err error
	switch o := object.(type) {
	case *corev1.ConfigMap:
		_, err = c.Clients.CoreV1().ConfigMaps(namespace).Create(ctx, o, options)
	case *corev1.Service:
		_, err = c.Clients.CoreV1().Services(namespace).Create(ctx, o, options)
	case *corev1.Pod:
		_, err = c.Clients.CoreV1().Pods(namespace).Create(ctx, o, options)
	case *policyv1.PodDisruptionBudget:
		_, err = c.Clients.PolicyV1().PodDisruptionBudgets(namespace).Create(ctx, o, options)
	case *networkingv1.NetworkPolicy:
		_, err = c.Clients.NetworkingV1().NetworkPolicies(namespace).Create(ctx, o, options)
	case *appsv1.StatefulSet:
		_, err = c.Clients.AppsV1().StatefulSets(namespace).Create(ctx, o, options)
	default:
		err = fmt.Errorf("a %T is not tried here", object)
	}
	return err
}
