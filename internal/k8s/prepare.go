package k8s

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"redis-session-bot/internal/evidence"
	"redis-session-bot/internal/incident"
	"redis-session-bot/internal/runbook"
)

// fieldManager is the name under which the bot writes.
const fieldManager = "redis-session-bot"

// The verbs of a write.
const (
	verbUpdate = "update"
	verbDelete = "delete"
)

// draft is one object while a plan is made: as it is, as it will be, and what
// makes the difference.
type draft struct {
	kind    objectKind
	base    any
	want    any
	changes []runbook.Change
	edits   []edited
}

// Prepare resolves changes against the cluster: all the changes of one object
// become one write, so that a workload rolls out once. It writes nothing.
func (c *Cluster) Prepare(ctx context.Context, target evidence.Target, wanted []runbook.Change) (incident.Prepared, error) {
	redactor := c.redactor(ctx, target)
	drafts := map[objectKind]*draft{}
	for _, one := range wanted {
		if err := c.addChange(ctx, target, drafts, one); err != nil {
			return incident.Prepared{}, c.readable(redactor, err)
		}
	}
	var prepared incident.Prepared
	// The configuration goes first: the new pod reads the new file.
	for _, kind := range []objectKind{theConfig, theWorkload} {
		if d := drafts[kind]; d != nil {
			write, err := c.writeOf(ctx, target, redactor, d)
			if err != nil {
				return incident.Prepared{}, c.readable(redactor, err)
			}
			prepared.Writes = append(prepared.Writes, write)
			for _, e := range d.edits {
				prepared.Warnings = append(prepared.Warnings, e.warnings...)
			}
			prepared.Warnings = append(prepared.Warnings, owners(d.base)...)
		}
	}
	if d := drafts[theWorkload]; d != nil {
		deletes, err := c.stuckPods(ctx, target, d)
		if err != nil {
			return incident.Prepared{}, c.readable(redactor, err)
		}
		prepared.Writes = append(prepared.Writes, deletes...)
		prepared.Warnings = append(prepared.Warnings, rolloutWarnings(d.base)...)
	}
	return prepared, nil
}

// addChange resolves one change and applies it to its object in memory.
func (c *Cluster) addChange(ctx context.Context, target evidence.Target, drafts map[objectKind]*draft, one runbook.Change) error {
	change, known := changes()[one.Kind]
	if !known {
		return refuse("There is no change %q.", one.Kind)
	}
	if err := change.validate(one.Args); err != nil {
		return &incident.Refusal{Says: fmt.Sprintf("The change %s cannot be made: %v.", one.Kind, err), Err: err}
	}
	kind := change.object(target)
	d := drafts[kind]
	if d == nil {
		object, err := c.objectOf(ctx, target, kind)
		if err != nil {
			return err
		}
		d = &draft{kind: kind, base: object, want: deepCopy(object)}
		drafts[kind] = d
	}
	args, err := change.resolve(ctx, c, target, one.Args)
	if err != nil {
		return err
	}
	e, err := change.edit(ctx, c, target, d.want, args)
	if err != nil {
		return err
	}
	d.changes = append(d.changes, runbook.Change{Kind: one.Kind, Args: args})
	d.edits = append(d.edits, e)
	return nil
}

// objectOf reads one of the target's objects.
func (c *Cluster) objectOf(ctx context.Context, target evidence.Target, kind objectKind) (any, error) {
	if kind == theWorkload {
		return c.workloadOf(ctx, target)
	}
	configMap, err := c.Clients.CoreV1().ConfigMaps(target.Namespace).Get(ctx, target.Config, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil, refuse("There is no ConfigMap %s in %s.", target.Config, target.Namespace)
	}
	if err != nil {
		return nil, fmt.Errorf("read configmap %s: %w", target.Config, err)
	}
	return configMap, nil
}

// workloadOf reads the Deployment, or the StatefulSet, of the target.
func (c *Cluster) workloadOf(ctx context.Context, target evidence.Target) (any, error) {
	deployment, err := c.Clients.AppsV1().Deployments(target.Namespace).Get(ctx, target.Workload, metav1.GetOptions{})
	if err == nil {
		return deployment, nil
	}
	if !apierrors.IsNotFound(err) {
		return nil, fmt.Errorf("read deployment %s: %w", target.Workload, err)
	}
	set, err := c.Clients.AppsV1().StatefulSets(target.Namespace).Get(ctx, target.Workload, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil, refuse("There is no Deployment and no StatefulSet %s in %s.", target.Workload, target.Namespace)
	}
	if err != nil {
		return nil, fmt.Errorf("read statefulset %s: %w", target.Workload, err)
	}
	return set, nil
}

// writeOf makes the one write of an object: its diff, its dry run, its undo.
func (c *Cluster) writeOf(ctx context.Context, target evidence.Target, redactor *objectRedactor, d *draft) (incident.Write, error) {
	diff, err := diffOf(target, d.base, d.want)
	if err != nil {
		return incident.Write{}, err
	}
	want, err := contentHash(d.want)
	if err != nil {
		return incident.Write{}, err
	}
	base, err := fingerprint(d.base)
	if err != nil {
		return incident.Write{}, err
	}
	write := incident.Write{Verb: verbUpdate, Object: refOf(d.base), Changes: d.changes, Diff: redactor.Text(diff), Base: base, Want: want, DryRun: incident.DryRunAccepted}
	var titles, commands []string
	undoable := true
	for _, e := range d.edits {
		titles, commands = append(titles, e.title), append(commands, e.kubectl)
		if e.noUndo != "" {
			undoable, write.NoUndo = false, e.noUndo
		}
	}
	write.Title, write.Kubectl = redactor.Text(strings.Join(titles, "; ")), redactor.Text(strings.Join(commands, " && "))
	if undoable {
		for i := len(d.edits) - 1; i >= 0; i-- { // the last edit is put back first
			write.Undo = append(write.Undo, d.edits[i].undo...)
		}
	}
	if err := noSecretIn(redactor, write); err != nil {
		return incident.Write{}, err
	}
	if _, err := c.update(ctx, target, d.want, true); err != nil {
		write.DryRun = redactor.Text(reason(err))
	}
	return write, nil
}

// noSecretIn makes sure that nothing which is stored holds a secret.
func noSecretIn(redactor *objectRedactor, write incident.Write) error {
	for _, changes := range [][]runbook.Change{write.Changes, write.Undo} {
		raw, err := json.Marshal(changes)
		if err != nil {
			return err
		}
		if redactor.Text(string(raw)) != string(raw) {
			return refuse("This change would have to carry a secret. Nothing was prepared; do it by hand.")
		}
	}
	return nil
}

// stuckPods adds the pods that a StatefulSet would never replace: one that is
// not ready blocks its ordered rollout.
func (c *Cluster) stuckPods(ctx context.Context, target evidence.Target, d *draft) ([]incident.Write, error) {
	set, ok := d.base.(*appsv1.StatefulSet)
	if !ok {
		return nil, nil
	}
	wanted, err := template(d.want)
	if err != nil || sameTemplate(&set.Spec.Template, wanted) || set.Spec.Selector == nil {
		return nil, err
	}
	pods, err := c.Clients.CoreV1().Pods(target.Namespace).List(ctx, metav1.ListOptions{LabelSelector: metav1.FormatLabelSelector(set.Spec.Selector), Limit: maxPods})
	if err != nil {
		return nil, fmt.Errorf("list the pods of %s: %w", set.Name, err)
	}
	var writes []incident.Write
	for i := range pods.Items {
		pod := &pods.Items[i]
		if podReady(pod) || !metav1.IsControlledBy(pod, set) {
			continue
		}
		writes = append(writes, incident.Write{Verb: verbDelete, Object: incident.Object{Kind: "Pod", Name: pod.Name, UID: string(pod.UID)},
			Title:   fmt.Sprintf("delete pod %s, which is not ready: a StatefulSet does not replace a broken pod by itself. It comes back, and keeps its claim", pod.Name),
			Kubectl: fmt.Sprintf("kubectl delete pod %s -n %s", pod.Name, target.Namespace),
			DryRun:  c.dryDelete(ctx, target, pod), Base: string(pod.UID), Want: "deleted", NoUndo: "the StatefulSet makes the pod anew by itself"})
	}
	return writes, nil
}

func (c *Cluster) dryDelete(ctx context.Context, target evidence.Target, pod *corev1.Pod) string {
	options := metav1.DeleteOptions{DryRun: []string{metav1.DryRunAll}, Preconditions: metav1.NewUIDPreconditions(string(pod.UID))}
	if err := c.Clients.CoreV1().Pods(target.Namespace).Delete(ctx, pod.Name, options); err != nil {
		return reason(err)
	}
	return incident.DryRunAccepted
}

func podReady(pod *corev1.Pod) bool {
	for _, condition := range pod.Status.Conditions {
		if condition.Type == corev1.PodReady {
			return condition.Status == corev1.ConditionTrue
		}
	}
	return false
}

// readable takes secrets out of an error and keeps what kind it is.
func (c *Cluster) readable(redactor *objectRedactor, err error) error {
	if says := redactor.Text(err.Error()); says != err.Error() {
		return refuse("%s", says)
	}
	return err
}

// reason is what the API server said, without the chain around it.
func reason(err error) string {
	if status, ok := err.(apierrors.APIStatus); ok {
		return status.Status().Message
	}
	return err.Error()
}
