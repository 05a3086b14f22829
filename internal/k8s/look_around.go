package k8s

import (
	"context"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"redis-session-bot/internal/evidence"
)

// maxAround bounds the lists of what stands in the store's way.
const maxAround = 100

// noteRivals adds the pods that hold a port of the node beside the workload's,
// whatever the check. They are asked for only where a pod of the store finds that
// its port is taken.
func (l *look) noteRivals(ctx context.Context, n *notes) {
	pods, err := l.readPods(ctx)
	if err != nil || !slices.ContainsFunc(pods.Items, wantsPort) {
		return
	}
	all, err := l.allPods.get(ctx, func(ctx context.Context) (*corev1.PodList, error) { return l.listPods(ctx, labels.Everything()) })
	if err != nil {
		return // the bot may list pods, or there were none to look at
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, pod := range all.Items {
		known := n.bundle.Pods == nil || slices.ContainsFunc(n.bundle.Pods.Items, func(p corev1.Pod) bool { return p.UID == pod.UID })
		if !known && holdsPort(pod) {
			n.bundle.Pods.Items = append(n.bundle.Pods.Items, pod)
		}
	}
}

// wantsPort reports whether a pod waits for a port of its node, or shares the
// node's network.
func wantsPort(pod corev1.Pod) bool {
	return pod.Spec.HostNetwork && readiness(pod) != 1 || pod.Status.Reason == "NodePorts" ||
		slices.ContainsFunc(pod.Status.Conditions, func(c corev1.PodCondition) bool {
			return c.Type == corev1.PodScheduled && c.Status == corev1.ConditionFalse && strings.Contains(c.Message, "free ports")
		})
}

func holdsPort(pod corev1.Pod) bool {
	return pod.Spec.HostNetwork || slices.ContainsFunc(pod.Spec.Containers, func(c corev1.Container) bool {
		return slices.ContainsFunc(c.Ports, func(p corev1.ContainerPort) bool { return p.HostPort != 0 })
	})
}

// noteRanges asks for the LimitRanges only where a pod is missing.
func (l *look) noteRanges(ctx context.Context, n *notes) {
	list := &corev1.LimitRangeList{Items: []corev1.LimitRange{}}
	found, err := l.readWorkload(ctx)
	if err == nil {
		pods, unread := l.readPods(ctx)
		if unread == nil && int64(len(pods.Items)) < l.facts(found).Replicas {
			ctx, cancel := l.limited(ctx)
			defer cancel()
			list, err = l.cluster.Clients.CoreV1().LimitRanges(l.target.Namespace).List(ctx, metav1.ListOptions{Limit: maxAround})
		}
	}
	n.note(evidence.FileRanges, err, func(b *evidence.Bundle) { b.Ranges = list })
}

// notePolicies asks for the NetworkPolicies only where the application does not
// get through.
func (l *look) notePolicies(ctx context.Context, n *notes) {
	list := &networkingv1.NetworkPolicyList{Items: []networkingv1.NetworkPolicy{}}
	var err error
	n.mu.Lock()
	cut := slices.ContainsFunc(n.bundle.Probes.Reach, func(r evidence.Reach) bool { return !r.OK })
	n.mu.Unlock()
	if cut {
		ctx, cancel := l.limited(ctx)
		defer cancel()
		list, err = l.cluster.Clients.NetworkingV1().NetworkPolicies(l.target.Namespace).List(ctx, metav1.ListOptions{Limit: maxAround})
	}
	n.note(evidence.FilePolicies, err, func(b *evidence.Bundle) { b.Policies = list })
}
