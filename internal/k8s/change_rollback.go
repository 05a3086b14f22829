package k8s

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/kubectl/pkg/polymorphichelpers"

	"redis-session-bot/internal/evidence"
	"redis-session-bot/internal/runbook"
)

// rollBackArgs are those of roll-back. Revision 0 means the newest one before
// the current that differs in its template.
type rollBackArgs struct {
	Revision number `json:"revision,omitempty"`
}

func rollBackChange() change {
	return change{
		says: "brings back the pod template of an earlier revision of the workload",
		validate: func(args json.RawMessage) error {
			var a rollBackArgs
			if err := decodeArgs(args, &a); err != nil {
				return err
			}
			if a.Revision < 0 {
				return errors.New("a revision is 1 or more")
			}
			return nil
		},
		resolve: resolveRollBack,
		about:   theWorkload,
		edit:    editRollBack,
		warn:    warnRollBack,
		needs: func(target evidence.Target) []permission {
			return slices.Concat(asksWhoSizes(target), allow("list", "replicasets.apps"), allow("list", "controllerrevisions.apps"),
				named("get", "configmaps", target.Config), named("get", "secrets", target.Secret))
		},
	}
}

// history gives the pod template of each revision, by kubectl's own reading of it.
func (c *Cluster) history(target evidence.Target, object any) (map[int64]*corev1.PodTemplateSpec, error) {
	kind := schema.GroupKind{Group: "apps", Kind: "Deployment"}
	if _, ok := object.(*appsv1.StatefulSet); ok {
		kind.Kind = "StatefulSet"
	}
	viewer, err := polymorphichelpers.HistoryViewerFor(kind, c.Clients)
	if err != nil {
		return nil, fmt.Errorf("read the rollout history: %w", err)
	}
	found, err := viewer.GetHistory(target.Namespace, target.Workload)
	if err != nil {
		return nil, fmt.Errorf("read the rollout history: %w", err)
	}
	templates := map[int64]*corev1.PodTemplateSpec{}
	for number, revision := range found {
		if set, ok := revision.(*appsv1.ReplicaSet); ok {
			templates[number] = set.Spec.Template.DeepCopy()
			continue
		}
		pod, err := template(revision)
		if err != nil {
			return nil, fmt.Errorf("revision %d: %w", number, err)
		}
		templates[number] = pod.DeepCopy()
	}
	for _, pod := range templates {
		delete(pod.Labels, appsv1.DefaultDeploymentUniqueLabelKey)
	}
	return templates, nil
}

// resolveRollBack chooses the revision, and refuses one that is not there.
func resolveRollBack(ctx context.Context, c *Cluster, target evidence.Target, args json.RawMessage) (json.RawMessage, error) {
	var a rollBackArgs
	if err := decodeArgs(args, &a); err != nil {
		return nil, err
	}
	object, err := c.workloadOf(ctx, target)
	if err != nil {
		return nil, err
	}
	templates, err := c.history(target, object)
	if err != nil {
		return nil, err
	}
	if a.Revision == 0 {
		found, err := earlier(object, templates)
		if err != nil {
			return nil, err
		}
		a.Revision = number(found)
	}
	if templates[int64(a.Revision)] == nil {
		return nil, noRevision(object, int64(a.Revision), templates)
	}
	return json.Marshal(a)
}

// noRevision refuses a revision that is not there, and names those that are.
func noRevision(object any, revision int64, templates map[int64]*corev1.PodTemplateSpec) error {
	var there []string
	for _, number := range slices.Backward(slices.Sorted(maps.Keys(templates))) {
		there = append(there, fmt.Sprint(number))
	}
	return refuse("%s has no revision %d. It has %s.", resourceName(object), revision, andText(there))
}

// earlier is the newest revision that changed something which matters: one
// that differs only in the time of a restart is no other revision.
func earlier(object any, templates map[int64]*corev1.PodTemplateSpec) (int64, error) {
	now, err := template(object)
	if err != nil {
		return 0, err
	}
	best := int64(0)
	for number, pod := range templates {
		if number > best && len(evidence.TemplateChanges(now, pod)) > 0 {
			best = number
		}
	}
	if best == 0 {
		return 0, refuse("%s has no earlier revision to roll back to.", resourceName(object))
	}
	return best, nil
}

// current is the revision whose template the workload has now, 0 for none.
func current(object any, templates map[int64]*corev1.PodTemplateSpec) int64 {
	now, err := template(object)
	if err != nil {
		return 0
	}
	newest := int64(0)
	for number, pod := range templates {
		if number > newest && sameTemplate(now, pod) {
			newest = number
		}
	}
	return newest
}

func sameTemplate(a, b *corev1.PodTemplateSpec) bool {
	left, err := json.Marshal(a)
	if err != nil {
		return false
	}
	right, err := json.Marshal(b)
	return err == nil && slices.Equal(left, right)
}

func editRollBack(_ context.Context, c *Cluster, target evidence.Target, object any, args json.RawMessage) (edited, error) {
	var a rollBackArgs
	if err := decodeArgs(args, &a); err != nil {
		return edited{}, err
	}
	templates, err := c.history(target, object)
	if err != nil {
		return edited{}, err
	}
	chosen := templates[int64(a.Revision)]
	if chosen == nil {
		return edited{}, noRevision(object, int64(a.Revision), templates)
	}
	was := current(object, templates)
	pod, err := template(object)
	if err != nil {
		return edited{}, err
	}
	*pod = *chosen
	e := edited{
		title:   fmt.Sprintf("roll %s back to revision %d", resourceName(object), a.Revision),
		kubectl: fmt.Sprintf("kubectl rollout undo %s -n %s --to-revision=%d", resourceName(object), target.Namespace, a.Revision),
		undo:    []runbook.Change{newChange(changeRollBack, rollBackArgs{number(was)})},
	}
	if was == 0 {
		e.undo, e.noUndo = nil, "the template that it has now is in no revision"
	}
	return e, nil
}
