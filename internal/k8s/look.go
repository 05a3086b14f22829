package k8s

import (
	"context"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"

	"redis-session-bot/internal/evidence"
	"redis-session-bot/internal/incident"
)

// requestTimeout bounds one request to the API server, so that a source that
// hangs leaves the rest of its check's time to the others.
const requestTimeout = 4 * time.Second

// The checks.
const (
	CheckPods      = "pods"
	CheckLogs      = "logs"
	CheckEndpoints = "endpoints"
	CheckUsage     = "usage"
	CheckReach     = "reach"
	CheckVolumes   = "volumes"
)

// Look begins one round of reading. What several checks of the round need is
// read once.
func (c *Cluster) Look(target evidence.Target) incident.Look { return c.look(target) }

func (c *Cluster) look(target evidence.Target) *look {
	return &look{cluster: c, target: target, patience: requestTimeout}
}

// look is one round. Its sources are read at most once, by whoever asks first.
type look struct {
	cluster  *Cluster
	target   evidence.Target
	patience time.Duration // for one request

	deployments  once[*appsv1.DeploymentList]
	labelledPods once[*corev1.PodList]

	workload    once[workloads]
	app         once[*appsv1.Deployment]
	pods        once[*corev1.PodList]
	appPods     once[*corev1.PodList]
	allPods     once[*corev1.PodList]
	events      once[*corev1.EventList]
	replicaSets once[*appsv1.ReplicaSetList]
	configMap   once[*corev1.ConfigMap]
	secrets     once[secrets]
	redactor    once[*objectRedactor]
}

// Check runs one check. Everything that it returns is redacted.
func (l *look) Check(ctx context.Context, check string) (evidence.Bundle, error) {
	run := l.checks()[check]
	if run == nil {
		return evidence.Bundle{}, fmt.Errorf("there is no check %q", check)
	}
	return l.read(ctx, check, l.noteApp, l.noteSecret, l.noteRivals, run)
}

// read notes the workload, its pods and what the parts read beside each other.
func (l *look) read(ctx context.Context, check string, parts ...func(context.Context, *notes)) (evidence.Bundle, error) {
	if err := l.reachable(ctx); err != nil {
		return evidence.Bundle{}, err
	}
	n := &notes{look: l, check: check, bundle: evidence.Bundle{
		Meta:    evidence.Meta{At: l.cluster.Now(), Namespace: l.target.Namespace, Workload: l.target.Workload},
		Missing: map[string]string{}}}
	l.noteBase(ctx, n)
	var all []func()
	for _, part := range parts {
		all = append(all, func() { part(ctx, n) })
	}
	parallel(all...)
	n.mu.Lock()
	defer n.mu.Unlock()
	if err := l.redact(ctx).bundle(&n.bundle); err != nil {
		return evidence.Bundle{}, err
	}
	return n.bundle, nil
}

func (l *look) checks() map[string]func(context.Context, *notes) {
	return map[string]func(context.Context, *notes){
		CheckPods:      l.lookPods,
		CheckLogs:      l.lookLogs,
		CheckEndpoints: l.lookEndpoints,
		CheckUsage:     l.lookUsage,
		CheckReach:     l.lookReach,
		CheckVolumes:   l.lookVolumes,
	}
}

// noteBase notes the workload and its pods. Every check is judged against
// them, and a list must mean the same whichever check brought it.
func (l *look) noteBase(ctx context.Context, n *notes) {
	found, err := l.readWorkload(ctx)
	n.note(evidence.FileDeployments, found.deploymentErr(err), func(b *evidence.Bundle) { b.Deployments = found.deployments() })
	n.note(evidence.FileStatefulSets, found.statefulSetErr(err), func(b *evidence.Bundle) { b.StatefulSets = found.statefulSets() })
	pods, err := l.readPods(ctx)
	n.note(evidence.FilePods, err, func(b *evidence.Bundle) { b.Pods = &corev1.PodList{Items: slices.Clone(pods.Items)} })
}

// parallel runs the parts of a check side by side. Each notes its own result.
func parallel(parts ...func()) {
	var group errgroup.Group
	for _, part := range parts {
		group.Go(func() error { part(); return nil })
	}
	_ = group.Wait() // the parts return no error
}

// limited is the time that one request may take.
func (l *look) limited(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, l.patience)
}
