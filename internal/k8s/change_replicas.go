package k8s

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	appsv1 "k8s.io/api/apps/v1"

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
		edit: func(_ context.Context, _ *Cluster, target evidence.Target, object any, args json.RawMessage) (edited, error) {
			return editReplicas(target, object, args)
		},
	}
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
