package k8s

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"redis-session-bot/internal/evidence"
)

// maxSlices bounds the EndpointSlices of one Service; each holds a hundred addresses.
const maxSlices = 20

// lookEndpoints reads the Service and the addresses behind it.
func (l *look) lookEndpoints(ctx context.Context, n *notes) {
	if l.target.Service == "" {
		n.missing(evidence.FileServices, "No Service is configured for this target: set its service.")
		n.missing(evidence.FileSlices, "No Service is configured for this target: set its service.")
		return
	}
	parallel(
		func() {
			list, err := l.readService(ctx)
			n.note(evidence.FileServices, err, func(b *evidence.Bundle) { b.Services = list })
		},
		func() {
			list, err := l.readSlices(ctx)
			n.note(evidence.FileSlices, err, func(b *evidence.Bundle) { b.Slices = list })
		},
	)
}

func (l *look) readService(ctx context.Context) (*corev1.ServiceList, error) {
	ctx, cancel := l.limited(ctx)
	defer cancel()
	list := &corev1.ServiceList{Items: []corev1.Service{}}
	service, err := l.cluster.Clients.CoreV1().Services(l.target.Namespace).Get(ctx, l.target.Service, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return list, nil
	}
	if err != nil {
		return nil, err
	}
	list.Items = append(list.Items, *service)
	return list, nil
}

func (l *look) readSlices(ctx context.Context) (*discoveryv1.EndpointSliceList, error) {
	ctx, cancel := l.limited(ctx)
	defer cancel()
	return l.cluster.Clients.DiscoveryV1().EndpointSlices(l.target.Namespace).List(ctx,
		metav1.ListOptions{LabelSelector: discoveryv1.LabelServiceName + "=" + l.target.Service, Limit: maxSlices})
}
