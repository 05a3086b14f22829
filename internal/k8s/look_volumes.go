package k8s

import (
	"context"
	"slices"

	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"redis-session-bot/internal/evidence"
)

// Bounds of what the volumes check reads.
const (
	maxClaims  = 10
	maxClasses = 100
)

// lookVolumes reads the claims that the workload mounts, the classes that
// could provision those that wait for a volume, and the events of both.
func (l *look) lookVolumes(ctx context.Context, n *notes) {
	parallel(
		func() { l.noteEvents(ctx, n) },
		func() { l.noteClasses(ctx, n, l.noteClaims(ctx, n)) },
	)
}

// noteClasses asks for the StorageClasses only where a claim may wait for one.
func (l *look) noteClasses(ctx context.Context, n *notes, claims []corev1.PersistentVolumeClaim) {
	bound := func(c corev1.PersistentVolumeClaim) bool { return c.Status.Phase == corev1.ClaimBound }
	if claims != nil && !slices.ContainsFunc(claims, func(c corev1.PersistentVolumeClaim) bool { return !bound(c) }) {
		n.note(evidence.FileClasses, nil, func(b *evidence.Bundle) { b.Classes = &storagev1.StorageClassList{Items: []storagev1.StorageClass{}} })
		return
	}
	ctx, cancel := l.limited(ctx)
	defer cancel()
	list, err := l.cluster.Clients.StorageV1().StorageClasses().List(ctx, metav1.ListOptions{Limit: maxClasses})
	n.note(evidence.FileClasses, err, func(b *evidence.Bundle) { b.Classes = withoutParameters(list) })
}

// withoutParameters drops what a class tells its provisioner: it may name
// credentials, and nobody reads it.
func withoutParameters(list *storagev1.StorageClassList) *storagev1.StorageClassList {
	for i := range list.Items {
		list.Items[i].Parameters = nil
	}
	return list
}

// noteClaims returns the claims that are there; nil when they are not known.
func (l *look) noteClaims(ctx context.Context, n *notes) []corev1.PersistentVolumeClaim {
	names, err := l.claimNames(ctx)
	if err != nil {
		n.missing(evidence.FileClaims, "The claims are not known, since neither the workload nor its pods are.")
		return nil
	}
	// One that is not there is left out; the evidence says that it is missing.
	claims, err := each(names[:min(len(names), maxClaims)], func(name string) (*corev1.PersistentVolumeClaim, error) {
		ctx, cancel := l.limited(ctx)
		defer cancel()
		return l.cluster.Clients.CoreV1().PersistentVolumeClaims(l.target.Namespace).Get(ctx, name, metav1.GetOptions{})
	})
	n.note(evidence.FileClaims, err, func(b *evidence.Bundle) { b.Claims = &corev1.PersistentVolumeClaimList{Items: slices.Clone(claims)} })
	return claims
}

// claimNames are those of the workload's template, and of its pods where the
// workload is not known.
func (l *look) claimNames(ctx context.Context) ([]string, error) {
	w, err := l.readWorkload(ctx)
	if err == nil {
		return l.facts(w).Claims, nil
	}
	pods, err := l.readPods(ctx)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, pod := range pods.Items {
		for _, volume := range pod.Spec.Volumes {
			if claim := volume.PersistentVolumeClaim; claim != nil && !slices.Contains(names, claim.ClaimName) {
				names = append(names, claim.ClaimName)
			}
		}
	}
	return names, nil
}
