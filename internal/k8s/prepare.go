package k8s

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
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

// planner makes one plan.
type planner struct {
	*Cluster
	target   evidence.Target
	name     string // of this plan alone, fit for the name of an object
	progress func(string)
	redactor *objectRedactor
	drafts   []*draft // in the order in which they were named first
	courses  []incident.Write
	scaled   []changed // the workloads that courses stop and start
	parts    int
	warnings []string
	cautions []string
	holds    incident.Holds
	read     []volumeReading
	fromDisk bool   // what is on the volume counts, not what is in memory
	lists    bool   // volumes are listed only: nothing is tried on a copy
	wanted   string // the backup that somebody asks for: it is tried however many are newer
}

// draft is one object while a plan is made: as it is, as it will be, and what
// makes the difference.
type draft struct {
	name    objectName
	base    any
	want    any
	changes []runbook.Change
	edits   []edited
}

// Prepare resolves changes against the cluster: all the edits of one object
// become one write, so that a workload rolls out once. It writes nothing.
func (c *Cluster) Prepare(ctx context.Context, wanted incident.Wanted) (incident.Prepared, error) {
	return c.prepare(ctx, wanted, c.mayWrite)
}

// prepare lays a plan out; may says whether the bot may send its writes.
func (c *Cluster) prepare(ctx context.Context, wanted incident.Wanted, may func(context.Context, evidence.Target, []incident.Write) ([]string, error)) (incident.Prepared, error) {
	if wanted.Progress == nil {
		wanted.Progress = func(string) {}
	}
	p := &planner{Cluster: c, target: wanted.Target, name: wanted.Name, progress: wanted.Progress,
		redactor: c.redactor(ctx, wanted.Target), holds: incident.Untold()}
	for _, one := range wanted.Changes {
		if err := p.add(ctx, one); err != nil {
			return incident.Prepared{}, c.readable(p.redactor, err)
		}
	}
	if err := p.guarded(); err != nil {
		return incident.Prepared{}, c.readable(p.redactor, err)
	}
	writes, err := p.writes(ctx)
	if err != nil {
		return incident.Prepared{}, c.readable(p.redactor, err)
	}
	untold, err := may(ctx, wanted.Target, writes)
	if err != nil {
		return incident.Prepared{}, c.readable(p.redactor, err)
	}
	p.warnings = append(p.warnings, untold...)
	writes = p.foresee(ctx, writes)
	p.warnings = append(p.warnings, p.owned(ctx, writes)...)
	return incident.Prepared{Writes: writes, Warnings: p.warnings, Cautions: p.cautions, Holds: p.holds}, nil
}

// writes puts everything in its order: configuration first, since a new pod
// reads it, then what a course does, then the store, then whoever uses it.
func (p *planner) writes(ctx context.Context) ([]incident.Write, error) {
	var writes []incident.Write
	for _, d := range p.drafts {
		if !d.isWorkload() {
			write, err := p.writeOf(ctx, d)
			if err != nil {
				return nil, err
			}
			writes = append(writes, write)
		}
	}
	writes = append(writes, p.courses...)
	for _, stores := range []bool{true, false} {
		for _, d := range p.drafts {
			if !d.isWorkload() || (d.name.name == p.target.Workload) != stores {
				continue
			}
			rollout, err := p.rolloutOf(ctx, d)
			if err != nil {
				return nil, err
			}
			writes = append(writes, rollout...)
		}
	}
	return writes, nil
}

func (d *draft) isWorkload() bool { return d.name.kind == kindWorkload }

// rolloutOf is the write of a workload, with what its rollout needs beside it,
// and the waiting for its end.
func (p *planner) rolloutOf(ctx context.Context, d *draft) ([]incident.Write, error) {
	write, err := p.writeOf(ctx, d)
	if err != nil {
		return nil, err
	}
	deletes, err := p.stuckPods(ctx, p.target, d)
	if err != nil {
		return nil, err
	}
	p.warnings = append(p.warnings, rolloutWarnings(d.base)...)
	writes := append([]incident.Write{write}, deletes...)
	last := &writes[len(writes)-1]
	if others := d.name.name != p.target.Workload && d.name.name != p.target.App; others && replicasOf(d.want) > 0 {
		return writes, nil // whether somebody else's pods come up is not what is mended here
	}
	last.Await, last.Awaited = awaitOf(d.want), refOf(d.base)
	return writes, nil
}

// awaitOf is what must come of a workload that was written.
func awaitOf(want any) incident.Await {
	if replicasOf(want) == 0 {
		return incident.Gone
	}
	return incident.Rollout
}

// add resolves one change: an edit is made in memory, a course is laid out.
func (p *planner) add(ctx context.Context, one runbook.Change) error {
	change, known := changes()[one.Kind]
	if !known {
		return refuse("There is no change %q.", one.Kind)
	}
	if err := change.validate(one.Args); err != nil {
		return &incident.Refusal{Says: fmt.Sprintf("The change %s cannot be made: %v.", one.Kind, err), Err: err}
	}
	args, err := change.resolve(ctx, p.Cluster, p.target, one.Args)
	if err != nil {
		return err
	}
	resolved := runbook.Change{Kind: one.Kind, Args: args}
	if change.course != nil {
		return p.addCourse(ctx, change, resolved)
	}
	d, err := p.draft(ctx, change.about(p.target, args))
	if err != nil {
		return err
	}
	e, err := change.edit(ctx, p.Cluster, p.target, d.want, args)
	if err != nil {
		return err
	}
	d.changes, d.edits = append(d.changes, resolved), append(d.edits, e)
	return nil
}

func (p *planner) addCourse(ctx context.Context, change change, resolved runbook.Change) error {
	writes, err := change.course(ctx, p, resolved.Args)
	if err != nil {
		return err
	}
	p.parts++
	for i := range writes {
		writes[i].Part = p.parts
		if writes[i].Changes == nil {
			writes[i].Changes = []runbook.Change{resolved}
		}
		if err := noSecretIn(p.redactor, writes[i]); err != nil {
			return err
		}
	}
	p.courses = append(p.courses, writes...)
	return nil
}

// draft finds the object that is being edited, or begins with it as it is.
func (p *planner) draft(ctx context.Context, name objectName) (*draft, error) {
	for _, d := range p.drafts {
		if d.name == name {
			return d, nil
		}
	}
	object, err := p.objectOf(ctx, p.target, name)
	if err != nil {
		return nil, err
	}
	d := &draft{name: name, base: object, want: deepCopy(object)}
	p.drafts = append(p.drafts, d)
	return d, nil
}

// objectOf reads one object of the target's namespace.
func (c *Cluster) objectOf(ctx context.Context, target evidence.Target, name objectName) (any, error) {
	var object any
	var err error
	switch name.kind {
	case kindWorkload:
		return c.workloadNamed(ctx, target, name.name)
	case evidence.KindDeployment:
		object, err = c.Clients.AppsV1().Deployments(target.Namespace).Get(ctx, name.name, metav1.GetOptions{})
	case evidence.KindStatefulSet:
		object, err = c.Clients.AppsV1().StatefulSets(target.Namespace).Get(ctx, name.name, metav1.GetOptions{})
	case kindConfigMap:
		object, err = c.Clients.CoreV1().ConfigMaps(target.Namespace).Get(ctx, name.name, metav1.GetOptions{})
	case kindSecret:
		object, err = c.Clients.CoreV1().Secrets(target.Namespace).Get(ctx, name.name, metav1.GetOptions{})
	case kindService:
		object, err = c.Clients.CoreV1().Services(target.Namespace).Get(ctx, name.name, metav1.GetOptions{})
	default:
		return nil, errUnknownObject
	}
	if apierrors.IsNotFound(err) {
		return nil, refuse("There is no %s %s in %s.", name.kind, name.name, target.Namespace)
	}
	if err != nil {
		return nil, fmt.Errorf("read %s %s: %w", strings.ToLower(name.kind), name.name, err)
	}
	return object, nil
}

// workloadOf reads the Deployment, or the StatefulSet, of the target.
func (c *Cluster) workloadOf(ctx context.Context, target evidence.Target) (any, error) {
	return c.workloadNamed(ctx, target, target.Workload)
}

// workloadNamed reads the Deployment, or the StatefulSet, of that name.
func (c *Cluster) workloadNamed(ctx context.Context, target evidence.Target, name string) (any, error) {
	deployment, err := c.Clients.AppsV1().Deployments(target.Namespace).Get(ctx, name, metav1.GetOptions{})
	if err == nil {
		return deployment, nil
	}
	if !apierrors.IsNotFound(err) {
		return nil, fmt.Errorf("read deployment %s: %w", name, err)
	}
	set, err := c.Clients.AppsV1().StatefulSets(target.Namespace).Get(ctx, name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil, noWorkload(target.Namespace, name)
	}
	if err != nil {
		return nil, fmt.Errorf("read statefulset %s: %w", name, err)
	}
	return set, nil
}

// writeOf makes the one write of an object: its diff, its dry run, its undo.
func (p *planner) writeOf(ctx context.Context, d *draft) (incident.Write, error) {
	diff, err := diffOf(p.target, d.base, d.want)
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
	write := incident.Write{Verb: incident.Update, Object: refOf(d.base), Changes: d.changes, Diff: p.redactor.Text(diff), Base: base, Want: want, DryRun: incident.DryRunAccepted}
	var titles, commands []string
	undoable := true
	for _, e := range d.edits {
		titles, commands = append(titles, e.title), append(commands, e.kubectl)
		p.warnings, p.cautions = append(p.warnings, e.warnings...), append(p.cautions, e.cautions...)
		if e.noUndo != "" {
			undoable, write.NoUndo = false, e.noUndo
		}
	}
	write.Title, write.Kubectl = p.redactor.Text(strings.Join(titles, "; ")), p.redactor.Text(strings.Join(commands, " && "))
	if undoable {
		for i := len(d.edits) - 1; i >= 0; i-- { // the last edit is put back first
			write.Undo = append(write.Undo, d.edits[i].undo...)
		}
	}
	if err := noSecretIn(p.redactor, write); err != nil {
		return incident.Write{}, err
	}
	if _, err := p.update(ctx, p.target, d.want, true); err != nil {
		write.DryRun = p.redactor.Text(reason(err))
	}
	return write, nil
}

// noSecretIn makes sure that nothing which is stored holds a secret.
func noSecretIn(redactor *objectRedactor, write incident.Write) error {
	for _, change := range slices.Concat(write.Changes, write.Undo) {
		if len(change.Args) == 0 {
			continue
		}
		var args any
		if err := json.Unmarshal(change.Args, &args); err != nil {
			return fmt.Errorf("the change %s: %w", change.Kind, err)
		}
		if redactor.finds(args) {
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
		writes = append(writes, incident.Write{Verb: incident.Delete, Object: incident.Object{Kind: "Pod", Name: pod.Name, UID: string(pod.UID)},
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
	if says := sentenceOfLacking(err); says != "" {
		return &incident.Refusal{Says: strings.ToUpper(says[:1]) + says[1:] + ".", Err: err}
	}
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
