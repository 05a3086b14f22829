package evidence

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// The kinds of workload that the bot knows.
const (
	KindDeployment  = "Deployment"
	KindStatefulSet = "StatefulSet"
)

func (r *reader) readWorkload() {
	b := r.bundle
	if b.Deployments != nil {
		for i := range b.Deployments.Items {
			if d := &b.Deployments.Items[i]; r.isTarget(d.ObjectMeta) {
				r.evidence.Workload, r.template = deploymentOf(d), &d.Spec.Template
				return
			}
		}
	}
	if b.StatefulSets != nil {
		for i := range b.StatefulSets.Items {
			if s := &b.StatefulSets.Items[i]; r.isTarget(s.ObjectMeta) {
				r.evidence.Workload, r.template = statefulSetOf(s), &s.Spec.Template
				return
			}
		}
	}
	if b.Deployments == nil || b.StatefulSets == nil {
		r.unknown("workload", FileDeployments, FileStatefulSets)
	}
}

func (r *reader) isTarget(meta metav1.ObjectMeta) bool {
	return meta.Name == r.target.Workload && (meta.Namespace == "" || meta.Namespace == r.target.Namespace)
}

func deploymentOf(d *appsv1.Deployment) Workload {
	w := templateOf(&d.Spec.Template)
	w.meta(KindDeployment, d.ObjectMeta, d.Spec.Selector)
	w.Replicas = replicasOf(d.Spec.Replicas)
	w.Ready, w.Updated, w.Current = int64(d.Status.ReadyReplicas), int64(d.Status.UpdatedReplicas), int64(d.Status.Replicas)
	w.Observed, w.Strategy, w.Paused = d.Status.ObservedGeneration, string(d.Spec.Strategy.Type), d.Spec.Paused
	for _, c := range d.Status.Conditions {
		w.Conditions = append(w.Conditions, Condition{string(c.Type), string(c.Status), c.Reason, c.Message})
	}
	return w
}

func statefulSetOf(s *appsv1.StatefulSet) Workload {
	w := templateOf(&s.Spec.Template)
	w.meta(KindStatefulSet, s.ObjectMeta, s.Spec.Selector)
	w.Replicas = replicasOf(s.Spec.Replicas)
	w.Ready, w.Updated, w.Current = int64(s.Status.ReadyReplicas), int64(s.Status.UpdatedReplicas), int64(s.Status.Replicas)
	w.Observed, w.Strategy = s.Status.ObservedGeneration, string(s.Spec.UpdateStrategy.Type)
	for _, claim := range s.Spec.VolumeClaimTemplates {
		for ordinal := range max(w.Replicas, 1) {
			w.Claims = append(w.Claims, fmt.Sprintf("%s-%s-%d", claim.Name, s.Name, ordinal))
		}
	}
	for _, c := range s.Status.Conditions {
		w.Conditions = append(w.Conditions, Condition{string(c.Type), string(c.Status), c.Reason, c.Message})
	}
	return w
}

func replicasOf(replicas *int32) int64 {
	if replicas == nil {
		return 1
	}
	return int64(*replicas)
}

func (w *Workload) meta(kind string, meta metav1.ObjectMeta, selector *metav1.LabelSelector) {
	w.Exists, w.Kind, w.Name, w.UID, w.Generation = true, kind, meta.Name, string(meta.UID), meta.Generation
	w.Labels, w.Annotations, w.Managers = meta.Labels, meta.Annotations, managersOf(meta)
	if selector != nil {
		w.Selector = selector.MatchLabels
	}
}

// templateOf reads what a pod template names.
func templateOf(template *corev1.PodTemplateSpec) Workload {
	w := Workload{PodLabels: template.Labels, NodeSelector: template.Spec.NodeSelector, Containers: containersOf(&template.Spec, &corev1.PodStatus{})}
	for _, volume := range template.Spec.Volumes {
		switch {
		case volume.PersistentVolumeClaim != nil:
			w.Claims = append(w.Claims, volume.PersistentVolumeClaim.ClaimName)
		case volume.ConfigMap != nil:
			w.ConfigMaps = append(w.ConfigMaps, volume.ConfigMap.Name)
		case volume.Secret != nil:
			w.Secrets = append(w.Secrets, volume.Secret.SecretName)
		}
	}
	for _, container := range slices.Concat(template.Spec.InitContainers, template.Spec.Containers) {
		for _, variable := range container.Env {
			if variable.ValueFrom == nil {
				continue
			}
			if ref := variable.ValueFrom.SecretKeyRef; ref != nil && !slices.Contains(w.Secrets, ref.Name) {
				w.Secrets = append(w.Secrets, ref.Name)
			}
			if ref := variable.ValueFrom.ConfigMapKeyRef; ref != nil && !slices.Contains(w.ConfigMaps, ref.Name) {
				w.ConfigMaps = append(w.ConfigMaps, ref.Name)
			}
		}
	}
	return w
}

const (
	revisionAnnotation = "deployment.kubernetes.io/revision"
	causeAnnotation    = "kubernetes.io/change-cause"
)

// readRevisions reads the rollout history, newest first.
func (r *reader) readRevisions() {
	var templates []*corev1.PodTemplateSpec
	switch {
	case r.evidence.Workload.Kind == KindStatefulSet && r.bundle.Revisions != nil:
		for i := range r.bundle.Revisions.Items {
			revision := &r.bundle.Revisions.Items[i]
			template, ok := templateOfRevision(revision)
			if !ok || !controlledBy(revision.ObjectMeta, KindStatefulSet, r.target.Workload) {
				continue
			}
			r.addRevision(Revision{Number: revision.Revision, Name: revision.Name, Hash: revision.Labels["controller.kubernetes.io/hash"],
				Cause: revision.Annotations[causeAnnotation], At: revision.CreationTimestamp.Time}, template)
			templates = append(templates, template)
		}
	case r.evidence.Workload.Kind != KindStatefulSet && r.bundle.ReplicaSets != nil:
		for i := range r.bundle.ReplicaSets.Items {
			set := &r.bundle.ReplicaSets.Items[i]
			number, err := strconv.ParseInt(set.Annotations[revisionAnnotation], 10, 64)
			if err != nil || !controlledBy(set.ObjectMeta, KindDeployment, r.target.Workload) {
				continue
			}
			r.addRevision(Revision{Number: number, Name: set.Name, Hash: set.Labels["pod-template-hash"],
				Cause: set.Annotations[causeAnnotation], At: set.CreationTimestamp.Time}, &set.Spec.Template)
			templates = append(templates, &set.Spec.Template)
		}
	default:
		r.unknown("revisions", FileReplicaSets, FileRevisions)
		return
	}
	r.orderRevisions(templates)
}

func controlledBy(meta metav1.ObjectMeta, kind, name string) bool {
	owner := metav1.GetControllerOf(&meta)
	return owner != nil && owner.Kind == kind && owner.Name == name
}

// templateOfRevision decodes the patch that a ControllerRevision holds.
func templateOfRevision(revision *appsv1.ControllerRevision) (*corev1.PodTemplateSpec, bool) {
	var data struct {
		Spec struct {
			Template corev1.PodTemplateSpec `json:"template"`
		} `json:"spec"`
	}
	if json.Unmarshal(revision.Data.Raw, &data) != nil {
		return nil, false
	}
	return &data.Spec.Template, true
}

func (r *reader) addRevision(one Revision, template *corev1.PodTemplateSpec) {
	for _, container := range template.Spec.Containers {
		one.Images = append(one.Images, container.Image)
	}
	for _, pod := range r.evidence.Pods {
		if pod.Revision != one.Hash && pod.Revision != one.Name {
			continue
		}
		one.Pods++
		if pod.Ready {
			one.Ready++
		}
	}
	one.Unstable = one.Pods > 0 && one.Ready == 0
	r.evidence.Revisions = append(r.evidence.Revisions, one)
}

// orderRevisions sorts newest first and says what each changed.
func (r *reader) orderRevisions(templates []*corev1.PodTemplateSpec) {
	order := make([]int, len(templates))
	for i := range order {
		order[i] = i
	}
	unsorted := r.evidence.Revisions
	slices.SortFunc(order, func(a, b int) int { return int(unsorted[b].Number - unsorted[a].Number) })
	sorted := make([]Revision, len(order))
	for to, from := range order {
		sorted[to] = unsorted[from]
		sorted[to].Current = to == 0
		if to+1 < len(order) {
			sorted[to].Changes = TemplateChanges(templates[order[to+1]], templates[from])
		}
	}
	r.evidence.Revisions = sorted
}

// TemplateChanges says in short lines what one pod template has otherwise than another.
func TemplateChanges(before, after *corev1.PodTemplateSpec) []string {
	var changes []string
	differs := func(what string, a, b any) {
		old, _ := json.Marshal(a)
		now, _ := json.Marshal(b)
		if string(old) != string(now) {
			changes = append(changes, fmt.Sprintf("%s %s → %s", what, short(old), short(now)))
		}
	}
	for _, is := range slices.Concat(after.Spec.InitContainers, after.Spec.Containers) {
		all := slices.Concat(before.Spec.InitContainers, before.Spec.Containers)
		i := slices.IndexFunc(all, func(c corev1.Container) bool { return c.Name == is.Name })
		if i < 0 {
			changes = append(changes, "new container "+is.Name)
			continue
		}
		was := all[i]
		differs("image", was.Image, is.Image)
		differs("command of "+is.Name, was.Command, is.Command)
		differs("args of "+is.Name, was.Args, is.Args)
		differs("resources of "+is.Name, was.Resources, is.Resources)
		differs("env of "+is.Name, envNames(was.Env), envNames(is.Env))
		differs("liveness probe of "+is.Name, was.LivenessProbe, is.LivenessProbe)
		differs("readiness probe of "+is.Name, was.ReadinessProbe, is.ReadinessProbe)
		differs("startup probe of "+is.Name, was.StartupProbe, is.StartupProbe)
		differs("security context of "+is.Name, was.SecurityContext, is.SecurityContext)
		differs("mounts of "+is.Name, was.VolumeMounts, is.VolumeMounts)
	}
	for _, was := range slices.Concat(before.Spec.InitContainers, before.Spec.Containers) {
		all := slices.Concat(after.Spec.InitContainers, after.Spec.Containers)
		if !slices.ContainsFunc(all, func(c corev1.Container) bool { return c.Name == was.Name }) {
			changes = append(changes, "no container "+was.Name+" any more")
		}
	}
	differs("volumes", before.Spec.Volumes, after.Spec.Volumes)
	differs("node selector", before.Spec.NodeSelector, after.Spec.NodeSelector)
	differs("service account", before.Spec.ServiceAccountName, after.Spec.ServiceAccountName)
	differs("pod security context", before.Spec.SecurityContext, after.Spec.SecurityContext)
	return changes
}

func envNames(env []corev1.EnvVar) []string {
	var names []string
	for _, variable := range env {
		names = append(names, variable.Name)
	}
	return names
}

func short(data []byte) string {
	text := strings.Trim(string(data), `"`)
	if runes := []rune(text); len(runes) > 80 {
		return string(runes[:79]) + "…"
	}
	return text
}
