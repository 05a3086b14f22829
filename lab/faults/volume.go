package faults

import (
	"context"
	"errors"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/utils/ptr"

	"redis-session-bot/lab/workload"
)

const (
	// absentClass is a StorageClass of another cluster.
	absentClass = "premium-rwo"
	// silentProvisioner is a driver that runs nowhere in the lab.
	silentProvisioner = "ebs.csi.aws.com"
)

// volumePending is a claim whose class names a driver that is not installed:
// the class is there, and nobody makes the volume.
func volumePending() fault {
	return fault{
		name: "volume/pending",
		what: "install the store with a claim of a class whose provisioner never answers",
		inject: func(ctx context.Context, c *workload.Copy) error {
			class := c.Namespace + "-ssd"
			if err := makeClass(ctx, c, class); err != nil {
				return err
			}
			return c.ReinstallWithClaim(ctx, installer, func(claim *corev1.PersistentVolumeClaimSpec) { claim.StorageClassName = &class })
		},
		shows: func(ctx context.Context, c *workload.Copy) (string, error) {
			return unbound(ctx, c, "ExternalProvisioning", silentProvisioner)
		},
	}
}

// volumeMissingClass is a claim that was written for another cluster.
func volumeMissingClass() fault {
	return fault{
		name: "volume/missing-class",
		what: "install the store with a claim of a StorageClass that does not exist",
		inject: func(ctx context.Context, c *workload.Copy) error {
			return c.ReinstallWithClaim(ctx, installer, func(claim *corev1.PersistentVolumeClaimSpec) { claim.StorageClassName = ptr.To(absentClass) })
		},
		shows: func(ctx context.Context, c *workload.Copy) (string, error) {
			return unbound(ctx, c, "ProvisioningFailed", absentClass)
		},
	}
}

// volumeLost is a volume that somebody deleted in a clean-up, and its finalizer
// too when the deletion hung. What was on it stays on the node, unknown to
// Kubernetes, until the node goes.
func volumeLost() fault {
	return fault{
		name: "volume/lost",
		what: "delete the PersistentVolume behind the claim, and lose the pod",
		inject: func(ctx context.Context, c *workload.Copy) error {
			claim, err := c.Claim(ctx)
			if err != nil {
				return err
			}
			if err := forgetVolume(ctx, c, claim.Spec.VolumeName); err != nil {
				return err
			}
			// The new pod must meet a claim that is lost already.
			if err := awaitLost(ctx, c); err != nil {
				return err
			}
			return c.DeletePods(ctx)
		},
		shows: func(ctx context.Context, c *workload.Copy) (string, error) {
			claim, err := c.Claim(ctx)
			if err != nil || claim.Status.Phase != corev1.ClaimLost {
				return "", err
			}
			store, found, err := c.Store(ctx)
			if err != nil || !found || store.Container.Ready {
				return "", err
			}
			return fmt.Sprintf("claim %s has lost its volume %s, and pod %s waits for it", claim.Name, claim.Spec.VolumeName, store.Pod.Name), nil
		},
	}
}

// unbound says that the store's claim waits for a volume, once an event of the
// given reason has told why with the given word; empty when it does not.
func unbound(ctx context.Context, c *workload.Copy, reason, word string) (string, error) {
	claim, err := c.Claim(ctx)
	if err != nil || claim.Status.Phase != corev1.ClaimPending {
		return "", err
	}
	store, found, err := c.Store(ctx)
	if err != nil || !found || store.Container.Ready {
		return "", err
	}
	events, err := c.Clients.CoreV1().Events(c.Namespace).List(ctx, metav1.ListOptions{
		FieldSelector: "involvedObject.uid=" + string(claim.UID) + ",reason=" + reason,
	})
	if err != nil {
		return "", fmt.Errorf("list the events of claim %s: %w", claim.Name, err)
	}
	for _, event := range events.Items {
		if strings.Contains(event.Message, word) {
			return fmt.Sprintf("claim %s is Pending: %s", claim.Name, event.Message), nil
		}
	}
	return "", nil
}

// makeClass makes a class of a driver that is not there. It carries the copy's
// label, by which heal finds it.
func makeClass(ctx context.Context, c *workload.Copy, name string) error {
	class := &storagev1.StorageClass{
		ObjectMeta:  metav1.ObjectMeta{Name: name, Labels: map[string]string{workload.CopyLabel: c.Namespace}},
		Provisioner: silentProvisioner,
	}
	_, err := c.Clients.StorageV1().StorageClasses().Create(ctx, class, metav1.CreateOptions{FieldManager: installer})
	if err != nil && !apierrors.IsAlreadyExists(err) {
		return fmt.Errorf("create storageclass %s: %w", name, err)
	}
	return nil
}

// forgetVolume deletes a volume that is in use, with the finalizer that would
// keep it until its claim is gone.
func forgetVolume(ctx context.Context, c *workload.Copy, name string) error {
	if name == "" {
		return errors.New("the claim has no volume")
	}
	volumes := c.Clients.CoreV1().PersistentVolumes()
	if err := volumes.Delete(ctx, name, metav1.DeleteOptions{}); err != nil {
		return fmt.Errorf("delete persistentvolume %s: %w", name, err)
	}
	_, err := volumes.Patch(ctx, name, types.MergePatchType, []byte(`{"metadata":{"finalizers":null}}`), metav1.PatchOptions{FieldManager: "kubectl-patch"})
	if err != nil && !apierrors.IsNotFound(err) {
		return fmt.Errorf("patch persistentvolume %s: %w", name, err)
	}
	return nil
}

func awaitLost(ctx context.Context, c *workload.Copy) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	err := wait.PollUntilContextCancel(ctx, glance, true, func(ctx context.Context) (bool, error) {
		claim, err := c.Claim(ctx)
		return err == nil && claim.Status.Phase == corev1.ClaimLost, err
	})
	if err != nil {
		return fmt.Errorf("wait for the claim to be Lost: %w", err)
	}
	return nil
}
