package k8s

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"redis-session-bot/internal/evidence"
	"redis-session-bot/internal/incident"
	"redis-session-bot/internal/runbook"
)

// dataPath is where an image of Redis keeps its files.
const dataPath = "/data"

// volumeArgs are those of replace-volume. Claim is filled in when the plan is
// made, and is how it is undone.
type volumeArgs struct {
	EmptyDir     bool   `json:"emptyDir,omitempty"`
	StorageClass string `json:"storageClass,omitempty"` // of a new claim
	Size         string `json:"size,omitempty"`         // of it; the old claim's without one
	Volume       string `json:"volume,omitempty"`       // name in the pod template
	Claim        string `json:"claim,omitempty"`
}

func volumeChange() change {
	return change{
		says:     "puts the store's data on an emptyDir, or on a new claim of another StorageClass; a Deployment's alone",
		validate: validateVolume,
		resolve:  resolveVolume,
		about:    theWorkload,
		edit: func(_ context.Context, _ *Cluster, target evidence.Target, object any, args json.RawMessage) (edited, error) {
			return editVolume(target, object, args)
		},
		needs: func(evidence.Target) []permission {
			return slices.Concat(allow("create get", "persistentvolumeclaims"), clusterWide("get list", "storageclasses.storage.k8s.io"))
		},
		course: newClaim,
		send:   sendClaim,
	}
}

func validateVolume(args json.RawMessage) error {
	var a volumeArgs
	if err := decodeArgs(args, &a); err != nil {
		return err
	}
	if a.EmptyDir == (a.StorageClass != "" || a.Claim != "") {
		return errors.New("give emptyDir: true, or the storageClass of a new claim")
	}
	if a.Size != "" && !placeholder(a.Size) {
		if _, err := resource.ParseQuantity(a.Size); err != nil {
			return fmt.Errorf("size %q is not an amount: write it like 1Gi", a.Size)
		}
	}
	return nil
}

// resolveVolume finds the volume that the data is on.
func resolveVolume(ctx context.Context, c *Cluster, target evidence.Target, args json.RawMessage) (json.RawMessage, error) {
	var a volumeArgs
	if err := decodeArgs(args, &a); err != nil {
		return nil, err
	}
	object, err := c.workloadOf(ctx, target)
	if err != nil {
		return nil, err
	}
	if set, ok := object.(*appsv1.StatefulSet); ok {
		return nil, refuse("The volumes of %s come from its volumeClaimTemplates, and nobody may change those. Correct the class in its manifest, delete it with kubectl delete statefulset %s -n %s --cascade=orphan, delete the claim that is not bound, and apply the manifest again.",
			resourceName(set), set.Name, target.Namespace)
	}
	if a.Volume == "" {
		if a.Volume, err = storeVolume(object, target); err != nil {
			return nil, err
		}
	}
	return json.Marshal(a)
}

// storeVolume is the name of the volume that the store's container has at its data.
func storeVolume(object any, target evidence.Target) (string, error) {
	pod, err := template(object)
	if err != nil {
		return "", err
	}
	for _, container := range pod.Spec.Containers {
		if container.Name != target.Container {
			continue
		}
		for _, mount := range container.VolumeMounts {
			if mount.MountPath == dataPath {
				return mount.Name, nil
			}
		}
	}
	return "", refuse("The container %s of %s mounts nothing at %s.", target.Container, resourceName(object), dataPath)
}

// newClaim makes the claim, where a new one is asked for, and edits the workload.
func newClaim(ctx context.Context, p *planner, args json.RawMessage) ([]incident.Write, error) {
	var a volumeArgs
	if err := decodeArgs(args, &a); err != nil {
		return nil, err
	}
	d, err := p.draft(ctx, theWorkload(p.target, args))
	if err != nil {
		return nil, err
	}
	var writes []incident.Write
	if a.StorageClass != "" {
		claim, err := p.claimOf(ctx, d.base, a)
		if err != nil {
			return nil, err
		}
		a.Claim = claim.Name
		write := incident.Write{Verb: incident.Create, Object: incident.Object{Kind: kindClaim, Name: claim.Name},
			Changes: []runbook.Change{newChange(changeVolume, a)}, Title: fmt.Sprintf("make the claim %s of class %s, %s", claim.Name, a.StorageClass, claim.Spec.Resources.Requests.Storage()),
			Kubectl: fmt.Sprintf("kubectl apply -n %s -f %s.yaml", p.target.Namespace, claim.Name), DryRun: incident.DryRunAccepted, Want: "created",
			NoUndo: "the new claim stays; delete it by hand once nothing uses it"}
		if _, err := p.Clients.CoreV1().PersistentVolumeClaims(p.target.Namespace).Create(ctx, claim, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}, FieldManager: fieldManager}); err != nil {
			write.DryRun = p.redactor.Text(reason(err))
		}
		writes = append(writes, write)
	}
	resolved := newChange(changeVolume, a)
	e, err := editVolume(p.target, d.want, resolved.Args)
	if err != nil {
		return nil, err
	}
	d.changes, d.edits = append(d.changes, resolved), append(d.edits, e)
	return writes, nil
}

// claimOf is the new claim: like the old one, but for its class and name.
func (p *planner) claimOf(ctx context.Context, workload any, a volumeArgs) (*corev1.PersistentVolumeClaim, error) {
	if _, err := p.Clients.StorageV1().StorageClasses().Get(ctx, a.StorageClass, metav1.GetOptions{}); apierrors.IsNotFound(err) {
		return nil, refuse("There is no StorageClass %s in this cluster.", a.StorageClass)
	} else if err != nil {
		return nil, fmt.Errorf("read storageclass %s: %w", a.StorageClass, err)
	}
	pod, err := template(workload)
	if err != nil {
		return nil, err
	}
	claim := &corev1.PersistentVolumeClaim{ObjectMeta: metav1.ObjectMeta{Name: p.target.Workload + "-" + p.name, Labels: workloadLabels(workload)},
		Spec: corev1.PersistentVolumeClaimSpec{AccessModes: []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce}, StorageClassName: &a.StorageClass}}
	size := resource.MustParse("1Gi")
	for _, volume := range pod.Spec.Volumes {
		if volume.Name != a.Volume || volume.PersistentVolumeClaim == nil {
			continue
		}
		old, err := p.Clients.CoreV1().PersistentVolumeClaims(p.target.Namespace).Get(ctx, volume.PersistentVolumeClaim.ClaimName, metav1.GetOptions{})
		if err != nil && !apierrors.IsNotFound(err) {
			return nil, fmt.Errorf("read claim %s: %w", volume.PersistentVolumeClaim.ClaimName, err)
		}
		if err == nil {
			claim.Spec.AccessModes = old.Spec.AccessModes
			size = *old.Spec.Resources.Requests.Storage()
		}
	}
	if a.Size != "" {
		if size, err = resource.ParseQuantity(a.Size); err != nil {
			return nil, refuse("%q is not an amount.", a.Size)
		}
	}
	claim.Spec.Resources.Requests = corev1.ResourceList{corev1.ResourceStorage: size}
	return claim, nil
}

func workloadLabels(workload any) map[string]string {
	if meta := metaOf(workload); meta != nil {
		return map[string]string{"app": meta.Name}
	}
	return nil
}

// sendClaim makes the claim as the plan showed it.
func sendClaim(ctx context.Context, c *Cluster, target evidence.Target, write incident.Write, args json.RawMessage) error {
	var a volumeArgs
	if err := decodeArgs(args, &a); err != nil {
		return err
	}
	object, err := c.workloadOf(ctx, target)
	if err != nil {
		return c.notSent(c.redactor(ctx, target), err)
	}
	p := &planner{Cluster: c, target: target}
	claim, err := p.claimOf(ctx, object, a)
	if err != nil {
		return c.notSent(c.redactor(ctx, target), err)
	}
	claim.Name = write.Object.Name
	_, err = c.Clients.CoreV1().PersistentVolumeClaims(target.Namespace).Create(ctx, claim, metav1.CreateOptions{FieldManager: fieldManager})
	return err
}

// editVolume swaps the source of the volume. The old source goes in the same
// write: a volume may have one only.
func editVolume(target evidence.Target, object any, args json.RawMessage) (edited, error) {
	var a volumeArgs
	if err := decodeArgs(args, &a); err != nil {
		return edited{}, err
	}
	pod, err := template(object)
	if err != nil {
		return edited{}, err
	}
	at := slices.IndexFunc(pod.Spec.Volumes, func(v corev1.Volume) bool { return v.Name == a.Volume })
	if at < 0 {
		return edited{}, refuse("%s has no volume %s.", resourceName(object), a.Volume)
	}
	volume := &pod.Spec.Volumes[at]
	e := edited{kubectl: fmt.Sprintf("kubectl edit %s -n %s", resourceName(object), target.Namespace)}
	undo := volumeArgs{Volume: a.Volume}
	switch {
	case volume.PersistentVolumeClaim != nil:
		undo.Claim = volume.PersistentVolumeClaim.ClaimName
	case volume.EmptyDir != nil:
		undo.EmptyDir = true
	default:
		return edited{}, refuse("The volume %s of %s is neither a claim nor an emptyDir. Change it by hand.", a.Volume, resourceName(object))
	}
	if a.EmptyDir {
		volume.VolumeSource = corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}
		e.title = fmt.Sprintf("put the data of %s on an emptyDir", resourceName(object))
	} else {
		volume.VolumeSource = corev1.VolumeSource{PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: a.Claim}}
		e.title = fmt.Sprintf("put the data of %s on the claim %s", resourceName(object), a.Claim)
	}
	e.undo = []runbook.Change{newChange(changeVolume, undo)}
	return e, nil
}
