package k8s

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"redis-session-bot/internal/evidence"
)

// What marks a pod of the bot's own. None of it is a label that a Service or
// a workload selects.
const (
	labelManagedBy = "app.kubernetes.io/managed-by"
	labelWork      = "redis-session-bot/work"
	annotationPlan = "redis-session-bot/plan"
)

// The names within a pod of the bot's own.
const (
	workContainer = "work"
	dataVolume    = "data"
	scratchVolume = "scratch"
	scratchDir    = "/scratch"
	backupVolume  = "backup"
	backupDir     = "/backup"
)

// volumeWork is what one pod does on the store's volume.
type volumeWork struct {
	kind     string // "read", "repair", …
	plan     string // that it is done for: inc-7-3
	script   string
	env      map[string]string
	readOnly bool
	limit    time.Duration
}

// name is that of the pod. A second pod of the same plan is refused by it.
func (w volumeWork) name(target evidence.Target) string {
	tail := "-" + w.plan + "-" + w.kind
	return target.Workload[:min(len(target.Workload), max(0, 63-len(tail)))] + tail
}

// pod is a pod like the store's own that runs a script instead: the same
// image, user and limits, so that whatever admits the store admits it.
func (d dataPlace) pod(target evidence.Target, work volumeWork) *corev1.Pod {
	spec := d.template.Spec
	no, grace, limit := false, int64(1), int64(work.limit/time.Second)
	data := d.mount
	data.Name, data.ReadOnly = dataVolume, work.readOnly
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Name: work.name(target), Namespace: target.Namespace,
			Labels:      map[string]string{labelManagedBy: fieldManager, labelWork: work.kind},
			Annotations: map[string]string{annotationPlan: work.plan},
		},
		Spec: corev1.PodSpec{
			RestartPolicy:                 corev1.RestartPolicyNever,
			ActiveDeadlineSeconds:         &limit,
			TerminationGracePeriodSeconds: &grace,
			AutomountServiceAccountToken:  &no,
			EnableServiceLinks:            &no,
			ServiceAccountName:            spec.ServiceAccountName,
			ImagePullSecrets:              spec.ImagePullSecrets,
			SecurityContext:               spec.SecurityContext.DeepCopy(),
			Tolerations:                   spec.Tolerations,
			NodeSelector:                  spec.NodeSelector,
			RuntimeClassName:              spec.RuntimeClassName,
			PriorityClassName:             spec.PriorityClassName,
			Containers: []corev1.Container{{
				Name: workContainer, Image: d.container.Image, ImagePullPolicy: d.container.ImagePullPolicy,
				Command:                  []string{"sh", "-c", literal(commonScript + work.script)},
				WorkingDir:               scratchDir,
				Env:                      d.env(work),
				Resources:                modest(d.container.Resources),
				SecurityContext:          hardened(spec.SecurityContext, d.container.SecurityContext),
				TerminationMessagePolicy: corev1.TerminationMessageFallbackToLogsOnError,
				VolumeMounts:             []corev1.VolumeMount{data, {Name: scratchVolume, MountPath: scratchDir}},
			}},
			Volumes: []corev1.Volume{
				{Name: dataVolume, VolumeSource: corev1.VolumeSource{PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: d.claim}}},
				{Name: scratchVolume, VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}},
			},
		},
	}
	if target.Backup != "" && target.Backup != d.claim {
		pod.Spec.Volumes = append(pod.Spec.Volumes, corev1.Volume{Name: backupVolume, VolumeSource: corev1.VolumeSource{
			PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: target.Backup}}})
		container := &pod.Spec.Containers[0]
		container.VolumeMounts = append(container.VolumeMounts, corev1.VolumeMount{Name: backupVolume, MountPath: backupDir, ReadOnly: true})
	}
	if d.node != "" {
		pod.Spec.Affinity = onNode(d.node)
	}
	return pod
}

// env is what the scripts read, in an order that does not move.
func (d dataPlace) env(work volumeWork) []corev1.EnvVar {
	env := []corev1.EnvVar{{Name: "DIR", Value: strings.TrimSuffix(d.dir, "/")}, {Name: "SCRATCH", Value: scratchDir}, {Name: "AOF_DIR", Value: d.files.aofDir},
		{Name: "AOF_FILE", Value: d.files.aofFile}, {Name: "RDB_FILE", Value: d.files.rdbFile}, {Name: "CONF", Value: literal(d.files.conf)}}
	for _, name := range []string{"BACKUPS", "MOST", "BACKUP", "FROM", "KIND", "APPEND_ONLY", "CUT", "WAS"} {
		if value, ok := work.env[name]; ok {
			env = append(env, corev1.EnvVar{Name: name, Value: literal(value)})
		}
	}
	return env
}

// literal keeps the kubelet from reading $(NAME) in a value.
func literal(value string) string { return strings.ReplaceAll(value, "$", "$$") }

// onNode is the affinity to the node that has the claim attached.
func onNode(node string) *corev1.Affinity {
	return &corev1.Affinity{NodeAffinity: &corev1.NodeAffinity{RequiredDuringSchedulingIgnoredDuringExecution: &corev1.NodeSelector{
		NodeSelectorTerms: []corev1.NodeSelectorTerm{{MatchFields: []corev1.NodeSelectorRequirement{{
			Key: metav1.ObjectNameField, Operator: corev1.NodeSelectorOpIn, Values: []string{node}}}}}}}}
}

// modest are the store's limits with requests that leave room beside it.
func modest(of corev1.ResourceRequirements) corev1.ResourceRequirements {
	most := corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("50m"), corev1.ResourceMemory: resource.MustParse("64Mi")}
	copied := *of.DeepCopy()
	copied.Claims = nil
	for name, limit := range copied.Limits {
		if _, ok := copied.Requests[name]; !ok { // the API server would take the limit
			if copied.Requests == nil {
				copied.Requests = corev1.ResourceList{}
			}
			copied.Requests[name] = limit
		}
	}
	for name, bound := range most {
		if request, ok := copied.Requests[name]; ok && request.Cmp(bound) > 0 {
			copied.Requests[name] = bound
		}
	}
	return copied
}

// hardened is the store's security context with what PodSecurity's strictest
// level asks for, where the user is known not to be root. Root keeps what it
// has: without it root may not write what belongs to another user.
func hardened(pod *corev1.PodSecurityContext, container *corev1.SecurityContext) *corev1.SecurityContext {
	context := container.DeepCopy()
	if context == nil {
		context = &corev1.SecurityContext{}
	}
	if context.AllowPrivilegeEscalation == nil && (context.Privileged == nil || !*context.Privileged) {
		no := false
		context.AllowPrivilegeEscalation = &no
	}
	if context.SeccompProfile == nil && (pod == nil || pod.SeccompProfile == nil) {
		context.SeccompProfile = &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault}
	}
	user := context.RunAsUser
	if pod != nil {
		user = cmp.Or(user, pod.RunAsUser)
	}
	if user != nil && *user != 0 {
		yes := true
		context.RunAsNonRoot = &yes
		context.Capabilities = &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}}
	}
	return context
}

// kubectlOf is the nearest thing a person would type for a pod on the volume.
func (d dataPlace) kubectlOf(target evidence.Target, pod *corev1.Pod) string {
	return fmt.Sprintf("kubectl apply -f - # pod %s in %s with %s, claim %s mounted at %s", pod.Name, target.Namespace, d.container.Image, d.claim, d.mount.MountPath)
}
