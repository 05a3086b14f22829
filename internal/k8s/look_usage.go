package k8s

import (
	"context"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"redis-session-bot/internal/evidence"
)

// lookUsage reads what the metrics API measured, and the configuration, since
// maxmemory is what the measure is held against.
func (l *look) lookUsage(ctx context.Context, n *notes) {
	parallel(
		func() { l.noteConfig(ctx, n) },
		func() { l.noteUsage(ctx, n) },
	)
}

func (l *look) noteUsage(ctx context.Context, n *notes) {
	if l.cluster.Metrics == nil {
		n.missing(evidence.FileMetrics, "No metrics API is configured.")
		return
	}
	w, _ := l.readWorkload(ctx) // unknown: the selector falls back
	selector, err := l.selector(w)
	if err != nil {
		n.note(evidence.FileMetrics, err, nil)
		return
	}
	ctx, cancel := l.limited(ctx)
	defer cancel()
	list, err := l.cluster.Metrics.MetricsV1beta1().PodMetricses(l.target.Namespace).List(ctx,
		metav1.ListOptions{LabelSelector: selector.String(), Limit: maxPods})
	switch {
	case apierrors.IsNotFound(err):
		n.missing(evidence.FileMetrics, "This cluster has no metrics API. Install metrics-server, or look at your dashboards.")
	case apierrors.IsServiceUnavailable(err):
		n.missing(evidence.FileMetrics, "The metrics API of this cluster does not answer: metrics-server is down or still starting.")
	default:
		n.note(evidence.FileMetrics, err, func(b *evidence.Bundle) { b.Metrics = list })
	}
}
