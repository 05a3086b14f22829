package k8s

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"

	"redis-session-bot/internal/evidence"
	"redis-session-bot/internal/runbook"
)

// replicasArgs are those of set-replicas.
type replicasArgs struct {
	Workload string `json:"workload,omitempty"`
	Replicas *int32 `json:"replicas"`
}

func replicasChange() change {
	return change{
		says: "sets how many pods the workload runs",
		validate: func(args json.RawMessage) error {
			var a replicasArgs
			if err := decodeArgs(args, &a); err != nil {
				return err
			}
			if a.Replicas == nil || *a.Replicas < 0 {
				return errors.New("give replicas, 0 or more")
			}
			return nil
		},
		resolve: asIs,
		needs:   asksWhoScales,
		about:   workloadIn,
		edit: func(ctx context.Context, c *Cluster, target evidence.Target, object any, args json.RawMessage) (edited, error) {
			if err := c.mayStop(ctx, target, object, args); err != nil {
				return edited{}, err
			}
			return editReplicas(target, object, args)
		},
	}
}

// mayStop refuses to stop, for the store's sake, the application or whoever
// else has the store's files.
func (c *Cluster) mayStop(ctx context.Context, target evidence.Target, object any, args json.RawMessage) error {
	var a replicasArgs
	if err := decodeArgs(args, &a); err != nil {
		return err
	}
	name := metaOf(object).Name
	if *a.Replicas > 0 || name == target.Workload {
		return nil
	}
	if name == target.App {
		return refuse("%s is the application itself. It is not stopped by a button.", resourceName(object))
	}
	pod, err := template(object)
	if err != nil {
		return err
	}
	return c.holdsNoData(ctx, target, resourceName(object), pod.Spec)
}

// holdsNoData refuses a pod that mounts a claim of the store's.
func (c *Cluster) holdsNoData(ctx context.Context, target evidence.Target, name string, pod corev1.PodSpec) error {
	store, err := c.workloadOf(ctx, target)
	if isRefusal(err) {
		return nil // there is no store that has files
	}
	if err != nil {
		return err
	}
	for _, volume := range pod.Volumes {
		if claim := volume.PersistentVolumeClaim; claim != nil && mountsClaim(store, claim.ClaimName) {
			return refuse("%s mounts the claim %s, which holds the sessions. It is not stopped by a button: find out first which of the two serves them.", name, claim.ClaimName)
		}
	}
	return nil
}

// mountsClaim reports whether a workload's pods mount a claim of that name.
func mountsClaim(object any, name string) bool {
	if set, ok := object.(*appsv1.StatefulSet); ok {
		for _, claim := range set.Spec.VolumeClaimTemplates {
			if strings.HasPrefix(name, claim.Name+"-"+set.Name+"-") {
				return true
			}
		}
	}
	pod, err := template(object)
	return err == nil && slices.ContainsFunc(pod.Spec.Volumes, func(v corev1.Volume) bool {
		return v.PersistentVolumeClaim != nil && v.PersistentVolumeClaim.ClaimName == name
	})
}

func editReplicas(target evidence.Target, object any, args json.RawMessage) (edited, error) {
	var a replicasArgs
	if err := decodeArgs(args, &a); err != nil {
		return edited{}, err
	}
	var replicas **int32
	switch o := object.(type) {
	case *appsv1.Deployment:
		replicas = &o.Spec.Replicas
	case *appsv1.StatefulSet:
		replicas = &o.Spec.Replicas
	default:
		return edited{}, errors.New("set-replicas is about a workload")
	}
	was := int32(1)
	if *replicas != nil {
		was = **replicas
	}
	*replicas = a.Replicas
	return edited{
		title:   fmt.Sprintf("scale %s %d → %d", resourceName(object), was, *a.Replicas),
		kubectl: fmt.Sprintf("kubectl scale %s -n %s --replicas=%d", resourceName(object), target.Namespace, *a.Replicas),
		undo:    []runbook.Change{newChange(changeReplicas, replicasArgs{a.Workload, &was})},
	}, nil
}

// replicasOf is how many pods a workload wants; the API server fills in 1
// where nobody says.
func replicasOf(object any) int32 {
	var replicas *int32
	switch o := object.(type) {
	case *appsv1.Deployment:
		replicas = o.Spec.Replicas
	case *appsv1.StatefulSet:
		replicas = o.Spec.Replicas
	}
	if replicas == nil {
		return 1
	}
	return *replicas
}
