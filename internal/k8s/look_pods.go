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
	maxNodes    = 5
	maxNodeList = 100
)

// lookPods reads what the pods and what carries them say about themselves.
func (l *look) lookPods(ctx context.Context, n *notes) {
	parallel(
		func() { l.noteEvents(ctx, n) },
		func() { l.noteRevisions(ctx, n) },
		func() { l.noteNodes(ctx, n) },
		func() { l.noteConfig(ctx, n) },
	)
}

// noteApp adds the application beside the workload. That it is not known is
// no reason to doubt the workload's own pods.
func (l *look) noteApp(ctx context.Context, n *notes) {
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

// noteNodes reads the nodes that carry the pods, and all of them, bounded,
// when a pod has found none.
func (l *look) noteNodes(ctx context.Context, n *notes) {
	pods, err := l.readPods(ctx)
	if err != nil {
		n.missing(evidence.FileNodes, "The nodes are not known, since the pods are not.")
		return
	}
	var names []string
	homeless := false
	for _, pod := range pods.Items {
		if pod.Spec.NodeName == "" {
			homeless = true
		} else if !slices.Contains(names, pod.Spec.NodeName) && len(names) < maxNodes {
			names = append(names, pod.Spec.NodeName)
		}
	}
	list, err := l.readNodes(ctx, names, homeless)
	n.note(evidence.FileNodes, err, func(b *evidence.Bundle) { b.Nodes = list })
}

func (l *look) readNodes(ctx context.Context, names []string, all bool) (*corev1.NodeList, error) {
	ctx, cancel := l.limited(ctx)
	defer cancel()
	nodes := l.cluster.Clients.CoreV1().Nodes()
	list := &corev1.NodeList{Items: []corev1.Node{}}
	if all {
		found, err := nodes.List(ctx, metav1.ListOptions{Limit: maxNodeList})
		if err != nil {
			return nil, err
		}
		list = found
	} else {
		for _, name := range names {
			node, err := nodes.Get(ctx, name, metav1.GetOptions{})
			if apierrors.IsNotFound(err) {
				continue // a pod can outlive its node
			}
			if err != nil {
				return nil, err
			}
			list.Items = append(list.Items, *node)
		}
	}
	for i := range list.Items {
		list.Items[i].Status.Images = nil // some hundred names that nobody reads
	}
	return list, nil
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
