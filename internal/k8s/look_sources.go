package k8s

import (
	"context"
	"errors"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"redis-session-bot/internal/evidence"
)

// maxPods bounds a list of pods. Nobody runs a session store of more.
const maxPods = 500

// workloads is the target's workload: one of the two, or none when it is not there.
type workloads struct {
	deployment  *appsv1.Deployment
	statefulSet *appsv1.StatefulSet
	noDeploy    error // why Deployments could not be asked
	noStateful  error // why StatefulSets could not be asked
}

// readWorkload looks for the target as a Deployment and as a StatefulSet. It
// returns an error when neither is found and one of them could not be asked.
func (l *look) readWorkload(ctx context.Context) (workloads, error) {
	return l.workload.get(ctx, func(ctx context.Context) (workloads, error) {
		go func() { _, _ = l.readLabelledPods(ctx) }() // they are asked for next, and need not wait
		var found workloads
		list, err := l.readDeployments(ctx)
		if err == nil {
			if found.deployment = deploymentNamed(list, l.target.Workload); found.deployment != nil {
				return found, nil
			}
			// With the usual label it is no Deployment, so it is likely the other.
			if found.statefulSet, found.noStateful = l.statefulSet(ctx, l.target.Workload); found.statefulSet != nil {
				return found, nil
			}
			found.deployment, found.noDeploy = l.deployment(ctx, l.target.Workload)
		} else if !answered(err) {
			found.noDeploy, found.noStateful = err, err // nobody answers: asking once more only takes time
		} else if found.deployment, found.noDeploy = l.deployment(ctx, l.target.Workload); found.deployment == nil {
			found.statefulSet, found.noStateful = l.statefulSet(ctx, l.target.Workload)
		}
		switch {
		case found.deployment != nil || found.statefulSet != nil:
			return found, nil
		case found.noDeploy != nil:
			return found, found.noDeploy
		}
		return found, found.noStateful
	})
}

// statefulSet returns nil without an error for one that is not there.
func (l *look) statefulSet(ctx context.Context, name string) (*appsv1.StatefulSet, error) {
	ctx, cancel := l.limited(ctx)
	defer cancel()
	set, err := l.cluster.Clients.AppsV1().StatefulSets(l.target.Namespace).Get(ctx, name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return set, nil
}

// deployment returns nil without an error for one that is not there.
func (l *look) deployment(ctx context.Context, name string) (*appsv1.Deployment, error) {
	ctx, cancel := l.limited(ctx)
	defer cancel()
	deployment, err := l.cluster.Clients.AppsV1().Deployments(l.target.Namespace).Get(ctx, name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return deployment, nil
}

// deploymentErr is why Deployments are not known; err is of the whole read.
func (w workloads) deploymentErr(err error) error {
	if w.deployment != nil || w.statefulSet != nil {
		return nil
	}
	if w.noDeploy != nil || w.noStateful != nil {
		return w.noDeploy
	}
	return err
}

func (w workloads) statefulSetErr(err error) error {
	if w.deployment != nil || w.statefulSet != nil {
		return nil
	}
	if w.noDeploy != nil || w.noStateful != nil {
		return w.noStateful
	}
	return err
}

func (w workloads) deployments() *appsv1.DeploymentList {
	list := &appsv1.DeploymentList{Items: []appsv1.Deployment{}}
	if w.deployment != nil {
		list.Items = append(list.Items, *w.deployment.DeepCopy())
	}
	return list
}

func (w workloads) statefulSets() *appsv1.StatefulSetList {
	list := &appsv1.StatefulSetList{Items: []appsv1.StatefulSet{}}
	if w.statefulSet != nil {
		list.Items = append(list.Items, *w.statefulSet.DeepCopy())
	}
	return list
}

// kind is "" when the workload is not there.
func (w workloads) kind() string {
	switch {
	case w.deployment != nil:
		return evidence.KindDeployment
	case w.statefulSet != nil:
		return evidence.KindStatefulSet
	}
	return ""
}

// noWorkload refuses what nothing can be done without.
func noWorkload(namespace, name string) error {
	return refuse("There is no Deployment and no StatefulSet %s in %s.", name, namespace)
}

// object is nil when the workload is not there.
func (w workloads) object() any {
	switch {
	case w.deployment != nil:
		return w.deployment
	case w.statefulSet != nil:
		return w.statefulSet
	}
	return nil
}

// template is nil when the workload is not there.
func (w workloads) template() *corev1.PodTemplateSpec {
	switch {
	case w.deployment != nil:
		return &w.deployment.Spec.Template
	case w.statefulSet != nil:
		return &w.statefulSet.Spec.Template
	}
	return nil
}

// selector is the workload's own; app=NAME, as most charts label it, where
// the workload is not known.
func (l *look) selector(w workloads) (labels.Selector, error) {
	switch {
	case w.deployment != nil:
		return metav1.LabelSelectorAsSelector(w.deployment.Spec.Selector)
	case w.statefulSet != nil:
		return metav1.LabelSelectorAsSelector(w.statefulSet.Spec.Selector)
	}
	return labels.SelectorFromSet(labels.Set{"app": l.target.Workload}), nil
}

// facts is what the evidence says about the workload.
func (l *look) facts(w workloads) evidence.Workload {
	return evidence.Read(evidence.Bundle{Deployments: w.deployments(), StatefulSets: w.statefulSets()}, l.target).Workload
}

func (l *look) readPods(ctx context.Context) (*corev1.PodList, error) {
	return l.pods.get(ctx, func(ctx context.Context) (*corev1.PodList, error) {
		found, _ := l.readWorkload(ctx) // unknown: the selector falls back
		selector, err := l.selector(found)
		if err != nil {
			return nil, err
		}
		return l.podsOf(ctx, l.target.Workload, selector)
	})
}

func (l *look) listPods(ctx context.Context, selector labels.Selector) (*corev1.PodList, error) {
	ctx, cancel := l.limited(ctx)
	defer cancel()
	return l.cluster.Clients.CoreV1().Pods(l.target.Namespace).List(ctx, metav1.ListOptions{LabelSelector: selector.String(), Limit: maxPods})
}

// errNoApp is that the target names no application, or one that is not there.
var errNoApp = errors.New("no application")

func (l *look) readApp(ctx context.Context) (*appsv1.Deployment, error) {
	return l.app.get(ctx, func(ctx context.Context) (*appsv1.Deployment, error) {
		if l.target.App == "" {
			return nil, errNoApp
		}
		list, err := l.readDeployments(ctx)
		if err == nil {
			if found := deploymentNamed(list, l.target.App); found != nil {
				return found, nil
			}
		} else if !answered(err) {
			return nil, err
		}
		deployment, err := l.deployment(ctx, l.target.App)
		if err == nil && deployment == nil {
			return nil, errNoApp
		}
		return deployment, err
	})
}

func (l *look) readAppPods(ctx context.Context) (*corev1.PodList, error) {
	return l.appPods.get(ctx, func(ctx context.Context) (*corev1.PodList, error) {
		app, err := l.readApp(ctx)
		if err != nil {
			return nil, err
		}
		selector, err := metav1.LabelSelectorAsSelector(app.Spec.Selector)
		if err != nil {
			return nil, err
		}
		return l.podsOf(ctx, l.target.App, selector)
	})
}

// readConfigMap returns nil without an error when it is not there.
func (l *look) readConfigMap(ctx context.Context) (*corev1.ConfigMap, error) {
	return l.configMap.get(ctx, func(ctx context.Context) (*corev1.ConfigMap, error) {
		if l.target.Config == "" {
			return nil, errors.New("no ConfigMap is configured for this target: set its config")
		}
		ctx, cancel := l.limited(ctx)
		defer cancel()
		configMap, err := l.cluster.Clients.CoreV1().ConfigMaps(l.target.Namespace).Get(ctx, l.target.Config, metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		return configMap, nil
	})
}

// configKey is the key of the configuration in its ConfigMap.
func (l *look) configKey() string {
	if l.target.ConfigKey == "" {
		return "redis.conf"
	}
	return l.target.ConfigKey
}
