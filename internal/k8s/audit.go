package k8s

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/intstr"

	"redis-session-bot/internal/audit"
	"redis-session-bot/internal/evidence"
	"redis-session-bot/internal/incident"
)

const (
	// checkAudit names an audit where a check is named. A runbook has no such step.
	checkAudit = "audit"
	// backupWithin bounds the pod that lists a backup claim.
	backupWithin = 12 * time.Second
	// maxListed bounds lists of objects that a namespace has few of.
	maxListed = 200
)

// audited are the settings that an audit asks the servers for.
func audited() []string { return []string{"save", "appendfsync", "dir"} }

// Audit reads what the points of prevention are judged by. It changes nothing;
// where the target has a backup claim, a pod of the bot's own mounts it and the
// store's for reading, and is gone when this returns. What could not be read is
// in Unknown; an error means that there is nothing to judge.
func (c *Cluster) Audit(ctx context.Context, target evidence.Target) (audit.Facts, error) {
	l := c.look(target)
	bundle, err := l.read(ctx, checkAudit)
	if err != nil {
		return audit.Facts{}, err
	}
	w, err := l.readWorkload(ctx)
	if err == nil && w.kind() == "" {
		return audit.Facts{}, noWorkload(target.Namespace, target.Workload)
	}
	r := &auditing{look: l, w: w, facts: audit.Facts{Seen: evidence.Read(bundle, target), Unknown: map[string]string{}}}
	parallel(
		func() { r.noteServers(ctx) },
		func() { r.noteBudgets(ctx) },
		func() { r.noteJobs(ctx) },
		func() { r.noteBackup(ctx) },
	)
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.facts, nil
}

// auditing collects the facts of one audit. Safe for concurrent use.
type auditing struct {
	*look
	w workloads

	mu    sync.Mutex
	facts audit.Facts
}

// note takes over a source that was read, or notes why it was not.
func (r *auditing) note(ctx context.Context, source string, err error, take func(*audit.Facts)) {
	why := ""
	if err != nil {
		why = r.redact(ctx).Text(r.because(source, err))
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if err != nil {
		r.facts.Unknown[source] = why
		return
	}
	take(&r.facts)
}

// because says why a source is not known, and what to add where the bot may
// not read it.
func (l *look) because(source string, err error) string {
	if isRefusal(err) {
		return err.Error()
	}
	return l.says(source, checkAudit, err)
}

func (r *auditing) noteServers(ctx context.Context) {
	servers, err := r.servers(ctx, audited()...)
	r.note(ctx, audit.SourceServers, err, func(f *audit.Facts) { f.Servers = servers })
	folder, err := r.folder(ctx, servers)
	r.note(ctx, audit.SourceFolder, err, func(f *audit.Facts) { f.Folder = folder })
}

// folder tells where the store keeps its files: where a running server says,
// or where the configuration does.
func (r *auditing) folder(ctx context.Context, servers []evidence.Server) (audit.Folder, error) {
	pod := r.w.template()
	if pod == nil {
		return audit.Folder{}, refuse("Where the files are is not known, since the workload is not.")
	}
	dir := ""
	for _, one := range servers {
		if dir == "" {
			dir = one.Settings["dir"]
		}
	}
	if dir == "" {
		start, err := startOf(&pod.Spec, r.target.Container, (&planner{Cluster: r.cluster, target: r.target}).proposedFile(ctx))
		if err != nil {
			return audit.Folder{}, err
		}
		if dir = start.dir; dir == "" {
			return audit.Folder{}, refuse("Where the files are is not known: neither the server nor its configuration says.")
		}
	}
	source, kept := volumeAt(dir, r.target.Container, r.w.object())
	where := whereIs(source)
	if r.w.statefulSet != nil && kept {
		where += " of each pod"
	}
	return audit.Folder{Path: dir, Where: where, Kept: kept}, nil
}

// whereIs names the volume that a folder is on.
func whereIs(source corev1.VolumeSource) string {
	switch {
	case source.PersistentVolumeClaim != nil:
		return "the claim " + source.PersistentVolumeClaim.ClaimName
	case source.EmptyDir != nil:
		return "an emptyDir"
	case source.Ephemeral != nil:
		return "a volume that goes with the pod"
	case source.HostPath != nil:
		return "the node's folder " + source.HostPath.Path
	case source == corev1.VolumeSource{}:
		return "the container's own file system"
	}
	return "a volume of another kind"
}

func (r *auditing) noteBudgets(ctx context.Context) {
	ctx, cancel := r.limited(ctx)
	defer cancel()
	list, err := r.cluster.Clients.PolicyV1().PodDisruptionBudgets(r.target.Namespace).List(ctx, metav1.ListOptions{Limit: maxListed})
	r.note(ctx, audit.SourceBudgets, err, func(f *audit.Facts) {
		if pod := r.w.template(); pod != nil {
			f.Budgets = budgetsOf(list.Items, pod.Labels, f.Seen.Workload.Replicas)
		}
	})
}

// budgetsOf are the budgets that select pods with these labels.
func budgetsOf(all []policyv1.PodDisruptionBudget, of labels.Set, pods int64) []audit.Budget {
	var found []audit.Budget
	for _, one := range all {
		selector, err := metav1.LabelSelectorAsSelector(one.Spec.Selector)
		if err != nil || !selector.Matches(of) {
			continue // the API server takes no selector that is none
		}
		budget := audit.Budget{Name: one.Name, Rule: "no rule", Allows: pods}
		if least := one.Spec.MinAvailable; least != nil {
			budget.Rule, budget.Allows = "minAvailable "+least.String(), max(0, pods-scaled(least, pods))
		}
		if most := one.Spec.MaxUnavailable; most != nil {
			budget.Rule, budget.Allows = "maxUnavailable "+most.String(), min(pods, scaled(most, pods))
		}
		found = append(found, budget)
	}
	return found
}

// scaled is a number or a share of pods, rounded up as the disruption controller does.
func scaled(value *intstr.IntOrString, pods int64) int64 {
	n, err := intstr.GetScaledValueFromIntOrPercent(value, int(pods), true)
	if err != nil {
		return 0 // the API server takes nothing else
	}
	return int64(n)
}

func (r *auditing) noteJobs(ctx context.Context) {
	claims := r.facts.Seen.Workload.Claims
	if r.target.Backup != "" {
		claims = append(slices.Clone(claims), r.target.Backup)
	}
	ctx, cancel := r.limited(ctx)
	defer cancel()
	list, err := r.cluster.Clients.BatchV1().CronJobs(r.target.Namespace).List(ctx, metav1.ListOptions{Limit: maxListed})
	r.note(ctx, audit.SourceJobs, err, func(f *audit.Facts) { f.Jobs = jobsOf(list.Items, claims) })
}

// jobsOf are the CronJobs that mount one of these claims.
func jobsOf(all []batchv1.CronJob, claims []string) []audit.Job {
	var found []audit.Job
	for _, one := range all {
		job := audit.Job{Name: one.Name, Schedule: one.Spec.Schedule, Suspended: one.Spec.Suspend != nil && *one.Spec.Suspend}
		if at := one.Status.LastSuccessfulTime; at != nil {
			job.Succeeded = at.Time
		}
		for _, volume := range one.Spec.JobTemplate.Spec.Template.Spec.Volumes {
			if claim := volume.PersistentVolumeClaim; claim != nil && slices.Contains(claims, claim.ClaimName) {
				job.Claims = append(job.Claims, claim.ClaimName)
			}
		}
		if len(job.Claims) > 0 {
			found = append(found, job)
		}
	}
	return found
}

func (r *auditing) noteBackup(ctx context.Context) {
	if r.target.Backup == "" {
		return
	}
	backup, err := r.backup(ctx)
	r.note(ctx, audit.SourceBackup, err, func(f *audit.Facts) { f.Backup = backup })
}

// backup looks at the target's backup claim, and at what is on it.
func (r *auditing) backup(ctx context.Context) (audit.Backup, error) {
	found := audit.Backup{Claim: r.target.Backup}
	claim, err := r.claim(ctx, found.Claim)
	if err != nil || claim == nil {
		return found, err
	}
	found.There, found.Phase = true, string(claim.Status.Phase)
	if claim.Status.Phase != corev1.ClaimBound {
		return found, nil
	}
	ctx, cancel := context.WithTimeout(ctx, backupWithin)
	defer cancel()
	reading := &planner{Cluster: r.cluster, target: r.target, name: checkAudit, redactor: r.redact(ctx), holds: incident.Untold(), lists: true}
	state, err := reading.readVolume(ctx, nil, false)
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return found, refuse("What is on the claim %s is not known: the pod that lists it has not ended within %.0f s.", found.Claim, backupWithin.Seconds())
	case err != nil:
		return found, err
	case state.why != "":
		return found, refuse("What is on the claim %s is not known: %s.", found.Claim, state.why)
	}
	for _, one := range state.backups {
		if one.claim {
			found.Files = append(found.Files, audit.BackupFile{Name: one.name, Bytes: one.kb << 10, Age: state.now.Sub(one.at)})
		}
	}
	return found, nil
}

// claim returns nil without an error for one that is not there.
func (l *look) claim(ctx context.Context, name string) (*corev1.PersistentVolumeClaim, error) {
	ctx, cancel := l.limited(ctx)
	defer cancel()
	claim, err := l.cluster.Clients.CoreV1().PersistentVolumeClaims(l.target.Namespace).Get(ctx, name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read claim %s: %w", name, err)
	}
	return claim, nil
}
