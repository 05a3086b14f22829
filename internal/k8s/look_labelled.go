package k8s

import (
	"context"
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/selection"

	"redis-session-bot/internal/evidence"
)

// appLabel is the label by which most charts tell a workload and its pods
// from others: app=NAME.
const appLabel = "app"

// maxDeployments bounds a list of Deployments. A namespace of more is asked for
// those that carry the names of the workload and of the application only.
const maxDeployments = 100

// labelled selects what carries the name of the workload or of the
// application. One list brings both, however much else the namespace holds;
// what it does not bring is asked for by itself.
func (l *look) labelled() (labels.Selector, error) {
	names := []string{l.target.Workload}
	if l.target.App != "" {
		names = append(names, l.target.App)
	}
	requirement, err := labels.NewRequirement(appLabel, selection.In, names)
	if err != nil {
		return nil, err
	}
	return labels.NewSelector().Add(*requirement), nil
}

// readDeployments reads those of the namespace: the workload, the application
// and the exporter are among them in one request.
func (l *look) readDeployments(ctx context.Context) (*appsv1.DeploymentList, error) {
	return l.deployments.get(ctx, func(ctx context.Context) (*appsv1.DeploymentList, error) {
		all, err := l.listDeployments(ctx, labels.Everything())
		if err != nil || all.Continue == "" {
			return all, err
		}
		selector, err := l.labelled()
		if err != nil {
			return nil, err
		}
		return l.listDeployments(ctx, selector)
	})
}

func (l *look) listDeployments(ctx context.Context, selector labels.Selector) (*appsv1.DeploymentList, error) {
	ctx, cancel := l.limited(ctx)
	defer cancel()
	return l.cluster.Clients.AppsV1().Deployments(l.target.Namespace).List(ctx,
		metav1.ListOptions{LabelSelector: selector.String(), Limit: maxDeployments})
}

// exporters are the Deployments that watch a Redis and serve it nothing.
func exporters(list *appsv1.DeploymentList) []appsv1.Deployment {
	var found []appsv1.Deployment
	for _, d := range list.Items {
		if evidence.IsExporter(d.Name, d.Spec.Template.Spec) {
			found = append(found, d)
		}
	}
	return found
}

func (l *look) readLabelledPods(ctx context.Context) (*corev1.PodList, error) {
	return l.labelledPods.get(ctx, func(ctx context.Context) (*corev1.PodList, error) {
		selector, err := l.labelled()
		if err != nil {
			return nil, err
		}
		return l.listPods(ctx, selector)
	})
}

func deploymentNamed(list *appsv1.DeploymentList, name string) *appsv1.Deployment {
	i := slices.IndexFunc(list.Items, func(d appsv1.Deployment) bool { return d.Name == name })
	if i < 0 {
		return nil
	}
	return &list.Items[i]
}

// podsOf are the pods of a selector: from the list by the usual label where
// that holds them all.
func (l *look) podsOf(ctx context.Context, name string, selector labels.Selector) (*corev1.PodList, error) {
	if value, exact := selector.RequiresExactMatch(appLabel); !exact || value != name {
		return l.listPods(ctx, selector)
	}
	all, err := l.readLabelledPods(ctx)
	if err != nil {
		return nil, err
	}
	if all.Continue != "" {
		return l.listPods(ctx, selector)
	}
	own := &corev1.PodList{Items: []corev1.Pod{}}
	for _, pod := range all.Items {
		if selector.Matches(labels.Set(pod.Labels)) {
			own.Items = append(own.Items, pod)
		}
	}
	return own, nil
}
