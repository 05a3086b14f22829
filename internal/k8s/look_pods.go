package k8s

import (
	"context"
	"slices"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"redis-session-bot/internal/evidence"
	"redis-session-bot/internal/redisconf"
)

// Bounds of the nodes that are read: by name, and as a list.
const (
	maxNodes    = 3
	maxNodeList = 100
)

// lookPods reads what the pods and what carries them say about themselves.
func (l *look) lookPods(ctx context.Context, n *notes) {
	parallel(
		func() { l.noteEvents(ctx, n) },
		func() { l.noteRevisions(ctx, n) },
		func() { l.noteNodes(ctx, n) },
		func() { l.noteConfig(ctx, n) },
		func() { l.noteRanges(ctx, n) },
	)
}

// noteApp adds the application beside the workload. That it is not known is
// no reason to doubt the workload's own pods.
func (l *look) noteApp(ctx context.Context, n *notes) {
	l.noteExporters(ctx, n)
	app, err := l.readApp(ctx)
	if err != nil {
		return
	}
	pods, err := l.readAppPods(ctx)
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.bundle.Deployments != nil && app.Name != l.target.Workload {
		n.bundle.Deployments.Items = append(n.bundle.Deployments.Items, *app)
	}
	if err != nil || n.bundle.Pods == nil {
		return
	}
	for _, pod := range pods.Items {
		if !slices.ContainsFunc(n.bundle.Pods.Items, func(p corev1.Pod) bool { return p.UID == pod.UID && p.Name == pod.Name }) {
			n.bundle.Pods.Items = append(n.bundle.Pods.Items, pod)
		}
	}
}

// noteExporters adds what watches the store: when that is gone, the alert says
// that the store is.
func (l *look) noteExporters(ctx context.Context, n *notes) {
	list, err := l.readDeployments(ctx)
	n.mu.Lock()
	defer n.mu.Unlock()
	if err != nil {
		n.bundle.Missing[evidence.MissingExporters] = l.says(evidence.FileDeployments, n.check, err)
		return
	}
	if n.bundle.Deployments != nil {
		n.bundle.Deployments.Items = append(n.bundle.Deployments.Items, exporters(list)...)
	}
}

// noteNodes reads the nodes that carry the pods that are not ready, and all of
// them, bounded, when a pod has found none. The node of a ready pod is not
// asked for: once it is lost, its pods are not ready any more.
func (l *look) noteNodes(ctx context.Context, n *notes) {
	pods, err := l.readPods(ctx)
	if err != nil {
		n.missing(evidence.FileNodes, "The nodes are not known, since the pods are not.")
		return
	}
	var names []string
	homeless := false
	for _, pod := range pods.Items {
		switch name := pod.Spec.NodeName; {
		case readiness(pod) == 1 || slices.Contains(names, name):
		case name == "":
			homeless = true
		case len(names) < maxNodes:
			names = append(names, name)
		}
	}
	var list *corev1.NodeList
	if homeless {
		list, err = l.listNodes(ctx)
	} else {
		list, err = l.getNodes(ctx, names)
	}
	n.note(evidence.FileNodes, err, func(b *evidence.Bundle) { b.Nodes = withoutImages(list) })
}

func (l *look) listNodes(ctx context.Context) (*corev1.NodeList, error) {
	ctx, cancel := l.limited(ctx)
	defer cancel()
	return l.cluster.Clients.CoreV1().Nodes().List(ctx, metav1.ListOptions{Limit: maxNodeList})
}

func (l *look) getNodes(ctx context.Context, names []string) (*corev1.NodeList, error) {
	nodes, err := each(names, func(name string) (*corev1.Node, error) {
		ctx, cancel := l.limited(ctx)
		defer cancel()
		return l.cluster.Clients.CoreV1().Nodes().Get(ctx, name, metav1.GetOptions{}) // a pod can outlive its node
	})
	return &corev1.NodeList{Items: nodes}, err
}

// withoutImages drops some hundred names that nobody reads.
func withoutImages(list *corev1.NodeList) *corev1.NodeList {
	for i := range list.Items {
		list.Items[i].Status.Images = nil
	}
	return list
}

// each gets objects by name side by side. One that is not there is left out.
func each[T any](names []string, get func(name string) (*T, error)) ([]T, error) {
	found, errs := make([]*T, len(names)), make([]error, len(names))
	var parts []func()
	for i, name := range names {
		parts = append(parts, func() { found[i], errs[i] = get(name) })
	}
	parallel(parts...)
	objects := []T{}
	for i, err := range errs {
		switch {
		case apierrors.IsNotFound(err):
		case err != nil:
			return nil, err
		default:
			objects = append(objects, *found[i])
		}
	}
	return objects, nil
}

// noteConfig lets only the configured key leave, its secrets redacted.
func (l *look) noteConfig(ctx context.Context, n *notes) {
	configMap, err := l.readConfigMap(ctx)
	n.note(evidence.FileConfigMaps, err, func(b *evidence.Bundle) {
		b.ConfigMaps = &corev1.ConfigMapList{Items: []corev1.ConfigMap{}}
		if configMap != nil {
			b.ConfigMaps.Items = append(b.ConfigMaps.Items, l.onlyConfig(configMap))
		}
	})
}

// onlyConfig keeps of a ConfigMap its name, who wrote it, and the configured key.
func (l *look) onlyConfig(configMap *corev1.ConfigMap) corev1.ConfigMap {
	key := l.configKey()
	kept := corev1.ConfigMap{Immutable: configMap.Immutable}
	kept.Name, kept.Namespace, kept.UID, kept.ResourceVersion = configMap.Name, configMap.Namespace, configMap.UID, configMap.ResourceVersion
	kept.CreationTimestamp, kept.Labels, kept.ManagedFields = configMap.CreationTimestamp, configMap.Labels, configMap.ManagedFields
	if text, ok := configMap.Data[key]; ok {
		kept.Data = map[string]string{key: redisconf.Redact(text)}
	}
	return kept
}
