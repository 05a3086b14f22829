package k8s

import (
	"context"
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"redis-session-bot/internal/evidence"
)

// maxRevisions bounds the rollout history that is read.
const maxRevisions = 100

func (l *look) noteRevisions(ctx context.Context, n *notes) {
	w, err := l.readWorkload(ctx)
	switch {
	case err != nil:
		n.missing(evidence.FileReplicaSets, "The rollout history is not known, since the workload is not.")
	case w.kind() == evidence.KindStatefulSet:
		list, err := l.readControllerRevisions(ctx, w)
		n.note(evidence.FileRevisions, err, func(b *evidence.Bundle) { b.Revisions = list })
	default:
		list, err := l.readReplicaSets(ctx, w)
		n.note(evidence.FileReplicaSets, err, func(b *evidence.Bundle) { b.ReplicaSets = list })
	}
}

func (l *look) readReplicaSets(ctx context.Context, w workloads) (*appsv1.ReplicaSetList, error) {
	return l.replicaSets.get(ctx, func(ctx context.Context) (*appsv1.ReplicaSetList, error) {
		if w.deployment == nil {
			return &appsv1.ReplicaSetList{}, nil
		}
		selector, err := l.selector(w)
		if err != nil {
			return nil, err
		}
		ctx, cancel := l.limited(ctx)
		defer cancel()
		list, err := l.cluster.Clients.AppsV1().ReplicaSets(l.target.Namespace).List(ctx, metav1.ListOptions{LabelSelector: selector.String(), Limit: maxRevisions})
		if err != nil {
			return nil, err
		}
		list.Items = slices.DeleteFunc(list.Items, func(s appsv1.ReplicaSet) bool { return !metav1.IsControlledBy(&s, w.deployment) })
		return list, nil
	})
}

func (l *look) readControllerRevisions(ctx context.Context, w workloads) (*appsv1.ControllerRevisionList, error) {
	selector, err := l.selector(w)
	if err != nil {
		return nil, err
	}
	ctx, cancel := l.limited(ctx)
	defer cancel()
	list, err := l.cluster.Clients.AppsV1().ControllerRevisions(l.target.Namespace).List(ctx, metav1.ListOptions{LabelSelector: selector.String(), Limit: maxRevisions})
	if err != nil {
		return nil, err
	}
	list.Items = slices.DeleteFunc(list.Items, func(r appsv1.ControllerRevision) bool { return !metav1.IsControlledBy(&r, w.statefulSet) })
	return list, nil
}
