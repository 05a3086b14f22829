package k8s

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
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
		needs: func(target evidence.Target) []permission { // an earlier revision may have other limits
			return slices.Concat(readsHistory(target), asksWhoSizes(target))
		},
		edit: editRollBack,
	}
}

// readsHistory is what it takes to know a workload's revisions.
func readsHistory(evidence.Target) []permission {
	return slices.Concat(allow("list", "replicasets.apps"), allow("list", "controllerrevisions.apps"))
}

// revision is one of a workload's rollout history.
type revision struct {
	pod  *corev1.PodTemplateSpec
	made time.Time
}

// history gives each revision, by kubectl's own reading of it.
func (c *Cluster) history(ctx context.Context, target evidence.Target, object any) (map[int64]revision, error) {
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
	made, err := c.madeAt(ctx, target.Namespace, object)
	if err != nil {
		return nil, err
	}
	revisions := map[int64]revision{}
	for number, one := range found {
		if set, ok := one.(*appsv1.ReplicaSet); ok {
			revisions[number] = revision{set.Spec.Template.DeepCopy(), set.CreationTimestamp.Time}
			continue
		}
		pod, err := template(one)
		if err != nil {
			return nil, fmt.Errorf("revision %d: %w", number, err)
		}
		revisions[number] = revision{pod.DeepCopy(), made[number]}
	}
	for _, one := range revisions {
		delete(one.pod.Labels, appsv1.DefaultDeploymentUniqueLabelKey)
	}
	return revisions, nil
}

// madeAt is when each revision of a StatefulSet was made: the history that
// kubectl reads does not tell. That of a Deployment does.
func (c *Cluster) madeAt(ctx context.Context, namespace string, object any) (map[int64]time.Time, error) {
	set, ok := object.(*appsv1.StatefulSet)
	if !ok {
		return nil, nil
	}
	list, err := c.Clients.AppsV1().ControllerRevisions(namespace).List(ctx, metav1.ListOptions{LabelSelector: metav1.FormatLabelSelector(set.Spec.Selector)})
	if err != nil {
		return nil, fmt.Errorf("read the rollout history: %w", err)
	}
	made := map[int64]time.Time{}
	for i := range list.Items {
		if one := &list.Items[i]; metav1.IsControlledBy(one, set) {
			made[one.Revision] = one.CreationTimestamp.Time
		}
	}
	return made, nil
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
	revisions, err := c.history(ctx, target, object)
	if err != nil {
		return nil, err
	}
	if a.Revision == 0 {
		found, err := earlier(object, revisions)
		if err != nil {
			return nil, err
		}
		a.Revision = number(found)
	}
	if _, there := revisions[int64(a.Revision)]; !there {
		return nil, refuse("%s has no revision %d any more.", resourceName(object), a.Revision)
	}
	return json.Marshal(a)
}

// earlier is the newest revision that changed something which matters: one
// that differs only in the time of a restart is no other revision.
func earlier(object any, revisions map[int64]revision) (int64, error) {
	now, err := template(object)
	if err != nil {
		return 0, err
	}
	best := int64(0)
	for number, one := range revisions {
		if number > best && len(evidence.TemplateChanges(now, one.pod)) > 0 {
			best = number
		}
	}
	if best == 0 {
		return 0, refuse("%s has no earlier revision to roll back to.", resourceName(object))
	}
	return best, nil
}

// current is the revision whose template the workload has now, 0 for none.
func current(object any, revisions map[int64]revision) int64 {
	now, err := template(object)
	if err != nil {
		return 0
	}
	newest := int64(0)
	for number, one := range revisions {
		if number > newest && sameTemplate(now, one.pod) {
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

func editRollBack(ctx context.Context, c *Cluster, target evidence.Target, object any, args json.RawMessage) (edited, error) {
	var a rollBackArgs
	if err := decodeArgs(args, &a); err != nil {
		return edited{}, err
	}
	revisions, err := c.history(ctx, target, object)
	if err != nil {
		return edited{}, err
	}
	chosen, there := revisions[int64(a.Revision)]
	if !there {
		return edited{}, refuse("%s has no revision %d any more.", resourceName(object), a.Revision)
	}
	was := current(object, revisions)
	pod, err := template(object)
	if err != nil {
		return edited{}, err
	}
	*pod = *chosen.pod
	e := edited{
		title:    fmt.Sprintf("roll %s back to revision %d", resourceName(object), a.Revision),
		kubectl:  fmt.Sprintf("kubectl rollout undo %s -n %s --to-revision=%d", resourceName(object), target.Namespace, a.Revision),
		undo:     []runbook.Change{newChange(changeRollBack, rollBackArgs{number(was)})},
		warnings: c.changedSince(ctx, target.Namespace, chosen.pod, a.Revision, chosen.made),
	}
	if was == 0 {
		e.undo, e.noUndo = nil, "the template that it has now is in no revision"
	}
	return e, nil
}
