package k8s

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"

	"redis-session-bot/internal/evidence"
	"redis-session-bot/internal/runbook"
)

const changeContainer = "drop-container"

// containerArgs are those of drop-container.
type containerArgs struct {
	Container string `json:"container"`
}

func containerChange() change {
	return change{
		says: "takes a container out of the workload's pod, such as a second server on the store's port; never the store's own, and none that has the store's files",
		validate: func(args json.RawMessage) error {
			var a containerArgs
			if err := decodeArgs(args, &a); err != nil {
				return err
			}
			if a.Container == "" {
				return errors.New("name the container")
			}
			return nil
		},
		resolve: asIs,
		about:   theWorkload,
		needs:   readsHistory, // the way back is a revision
		edit:    dropContainer,
	}
}

// dropContainer edits the template. The way back is the revision that has the
// container: what it is made of may hold a secret, and stays in the cluster.
func dropContainer(ctx context.Context, c *Cluster, target evidence.Target, object any, args json.RawMessage) (edited, error) {
	var a containerArgs
	if err := decodeArgs(args, &a); err != nil {
		return edited{}, err
	}
	pod, err := template(object)
	if err != nil {
		return edited{}, err
	}
	at := slices.IndexFunc(pod.Spec.Containers, func(one corev1.Container) bool { return one.Name == a.Container })
	switch {
	case at < 0:
		return edited{}, refuse("%s has no container %s.", resourceName(object), a.Container)
	case a.Container == target.Container || len(pod.Spec.Containers) == 1:
		return edited{}, refuse("The container %s is the store itself. It is not taken out by a button.", a.Container)
	}
	if volume := sharedVolume(pod.Spec.Containers[at], containerNamed(&pod.Spec, target.Container), object); volume != "" {
		return edited{}, refuse("The container %s mounts %s, which holds the store's files. It is not taken out by a button.", a.Container, volume)
	}
	revisions, err := c.history(ctx, target, object)
	if err != nil {
		return edited{}, err
	}
	was := current(object, revisions)
	pod.Spec.Containers = slices.Delete(pod.Spec.Containers, at, at+1)
	e := edited{
		title:    fmt.Sprintf("take the container %s out of %s", a.Container, resourceName(object)),
		kubectl:  fmt.Sprintf(`kubectl patch %s -n %s -p '{"spec":{"template":{"spec":{"containers":[{"name":%q,"$patch":"delete"}]}}}}'`, resourceName(object), target.Namespace, a.Container),
		warnings: []string{fmt.Sprintf("what %s holds in memory is gone with it, and whoever uses it finds nobody", a.Container)},
		undo:     []runbook.Change{newChange(changeRollBack, rollBackArgs{number(was)})},
	}
	if was == 0 {
		e.undo, e.noUndo = nil, "the template that it has now is in no revision"
	}
	return e, nil
}

// sharedVolume names a volume that two containers of a workload mount and that
// outlives the pod; "" for none.
func sharedVolume(one corev1.Container, store *corev1.Container, object any) string {
	pod, err := template(object)
	if err != nil {
		return ""
	}
	kept := map[string]bool{}
	if set, ok := object.(*appsv1.StatefulSet); ok {
		for _, claim := range set.Spec.VolumeClaimTemplates {
			kept[claim.Name] = true
		}
	}
	for _, volume := range pod.Spec.Volumes {
		kept[volume.Name] = kept[volume.Name] || volume.PersistentVolumeClaim != nil
	}
	for _, mount := range one.VolumeMounts {
		if kept[mount.Name] && slices.ContainsFunc(store.VolumeMounts, func(m corev1.VolumeMount) bool { return m.Name == mount.Name }) {
			return mount.Name
		}
	}
	return ""
}
