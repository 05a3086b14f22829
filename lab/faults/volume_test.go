package faults_test

import (
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"redis-session-bot/lab/workload"
)

func seePendingVolume(p *patient) {
	claim := p.claim()
	if claim.Status.Phase != corev1.ClaimPending {
		p.Errorf("the claim is %s", claim.Status.Phase)
	}
	class, err := p.copy.Clients.StorageV1().StorageClasses().Get(p.Context(), *claim.Spec.StorageClassName, metav1.GetOptions{})
	if err != nil {
		p.Fatal(err)
	}
	if class.Provisioner != "ebs.csi.aws.com" || class.Labels[workload.CopyLabel] != p.copy.Namespace {
		p.Errorf("the class is of %s, with the labels %v", class.Provisioner, class.Labels)
	}
	p.hasNoNode("unbound immediate PersistentVolumeClaims")
}

func seeMissingClass(p *patient) {
	claim := p.claim()
	if claim.Status.Phase != corev1.ClaimPending {
		p.Errorf("the claim is %s", claim.Status.Phase)
	}
	_, err := p.copy.Clients.StorageV1().StorageClasses().Get(p.Context(), *claim.Spec.StorageClassName, metav1.GetOptions{})
	if !apierrors.IsNotFound(err) {
		p.Errorf("the class %s: %v", *claim.Spec.StorageClassName, err)
	}
	p.hasNoNode("unbound immediate PersistentVolumeClaims")
}

func seeLostVolume(p *patient) {
	claim := p.claim()
	if claim.Status.Phase != corev1.ClaimLost {
		p.Errorf("the claim is %s", claim.Status.Phase)
	}
	_, err := p.copy.Clients.CoreV1().PersistentVolumes().Get(p.Context(), claim.Spec.VolumeName, metav1.GetOptions{})
	if !apierrors.IsNotFound(err) {
		p.Errorf("the volume %s: %v", claim.Spec.VolumeName, err)
	}
	p.hasNoNode(`bound to non-existent persistentvolume "` + claim.Spec.VolumeName + `"`)
}

func (p *patient) claim() *corev1.PersistentVolumeClaim {
	p.Helper()
	claim, err := p.copy.Claim(p.Context())
	if err != nil {
		p.Fatal(err)
	}
	return claim
}

// hasNoNode: the scheduler says why the store's pod is not placed.
func (p *patient) hasNoNode(because string) {
	p.Helper()
	p.until("a pod without a node, because "+because, func() bool {
		for _, pod := range p.pods() {
			for _, condition := range pod.Status.Conditions {
				if condition.Type == corev1.PodScheduled && condition.Status == corev1.ConditionFalse && strings.Contains(condition.Message, because) {
					return true
				}
			}
		}
		return false
	})
}
