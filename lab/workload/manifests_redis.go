package workload

import (
	"cmp"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
)

// ChangeCause is the annotation that kubectl rollout history shows.
const ChangeCause = "kubernetes.io/change-cause"

// redisUser is the user of the official image too.
const redisUser = 999

func redisDeployment(s Spec) *appsv1.Deployment {
	meta := named(s, Redis, Redis)
	meta.Annotations = map[string]string{ChangeCause: "run " + s.RedisImage}
	return &appsv1.Deployment{
		TypeMeta:   metav1.TypeMeta{APIVersion: "apps/v1", Kind: "Deployment"},
		ObjectMeta: meta,
		Spec: appsv1.DeploymentSpec{
			Replicas: ptr.To[int32](1),
			Selector: &metav1.LabelSelector{MatchLabels: labels(Redis)},
			// RollingUpdate would run two servers on one append-only file for a
			// moment, and on two nodes wait for the claim for ever.
			Strategy:                appsv1.DeploymentStrategy{Type: appsv1.RecreateDeploymentStrategyType},
			ProgressDeadlineSeconds: ptr.To[int32](120),
			Template:                redisTemplate(s, &corev1.PersistentVolumeClaimVolumeSource{ClaimName: deploymentClaim}),
		},
	}
}

func redisStatefulSet(s Spec) *appsv1.StatefulSet {
	meta := named(s, Redis, Redis)
	meta.Annotations = map[string]string{ChangeCause: "run " + s.RedisImage}
	return &appsv1.StatefulSet{
		TypeMeta:   metav1.TypeMeta{APIVersion: "apps/v1", Kind: "StatefulSet"},
		ObjectMeta: meta,
		Spec: appsv1.StatefulSetSpec{
			ServiceName: Redis,
			Replicas:    ptr.To[int32](1),
			Selector:    &metav1.LabelSelector{MatchLabels: labels(Redis)},
			Template:    redisTemplate(s, nil),
			VolumeClaimTemplates: []corev1.PersistentVolumeClaim{{
				ObjectMeta: metav1.ObjectMeta{Name: "data", Labels: labels(Redis)},
				Spec:       claimSpec(),
			}},
		},
	}
}

// redisTemplate is the store's pod. A StatefulSet brings the volume data by
// itself; a Deployment names the claim.
func redisTemplate(s Spec, claim *corev1.PersistentVolumeClaimVolumeSource) corev1.PodTemplateSpec {
	volumes := []corev1.Volume{{Name: "config", VolumeSource: corev1.VolumeSource{ConfigMap: &corev1.ConfigMapVolumeSource{
		LocalObjectReference: corev1.LocalObjectReference{Name: RedisConfig},
	}}}}
	if claim != nil {
		volumes = append(volumes, corev1.Volume{Name: "data", VolumeSource: corev1.VolumeSource{PersistentVolumeClaim: claim}})
	}
	return corev1.PodTemplateSpec{
		ObjectMeta: metav1.ObjectMeta{Labels: labels(Redis)},
		Spec: corev1.PodSpec{
			AutomountServiceAccountToken:  ptr.To(false),
			EnableServiceLinks:            ptr.To(false),
			TerminationGracePeriodSeconds: ptr.To[int64](10),
			SecurityContext: &corev1.PodSecurityContext{
				FSGroup:        ptr.To[int64](redisUser),
				SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
			},
			InitContainers: []corev1.Container{openVolume(s)},
			Containers:     []corev1.Container{redisContainer(s)},
			Volumes:        volumes,
		},
	}
}

// openVolume gives the volume's folder to Redis. Volumes that are folders of
// the node come as root's and closed, and fsGroup does not reach them.
func openVolume(s Spec) corev1.Container {
	return corev1.Container{
		Name:            "volume-permissions",
		Image:           s.RedisImage,
		ImagePullPolicy: corev1.PullIfNotPresent,
		Command:         []string{"chown", "999:999", "/data"},
		SecurityContext: &corev1.SecurityContext{
			RunAsUser: ptr.To[int64](0), RunAsGroup: ptr.To[int64](0),
			ReadOnlyRootFilesystem:   ptr.To(true),
			AllowPrivilegeEscalation: ptr.To(false),
			Capabilities:             &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}, Add: []corev1.Capability{"CHOWN"}},
		},
		VolumeMounts: []corev1.VolumeMount{{Name: "data", MountPath: "/data"}},
	}
}

func redisContainer(s Spec) corev1.Container {
	password := &corev1.EnvVarSource{SecretKeyRef: &corev1.SecretKeySelector{
		LocalObjectReference: corev1.LocalObjectReference{Name: Secrets}, Key: PasswordKey,
	}}
	return corev1.Container{
		Name:            RedisContainer,
		Image:           s.RedisImage,
		ImagePullPolicy: corev1.PullIfNotPresent,
		Command:         []string{"redis-server", "/usr/local/etc/redis/redis.conf"},
		Args:            []string{"--requirepass", "$(REDIS_PASSWORD)"},
		Env: []corev1.EnvVar{
			{Name: "REDIS_PASSWORD", ValueFrom: password},
			{Name: "REDISCLI_AUTH", ValueFrom: password}, // redis-cli reads it, so no probe has it on its command line
		},
		Ports: []corev1.ContainerPort{{Name: "redis", ContainerPort: 6379, Protocol: corev1.ProtocolTCP}},
		Resources: corev1.ResourceRequirements{
			Requests: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("25m"), corev1.ResourceMemory: resource.MustParse("64Mi")},
			Limits:   corev1.ResourceList{corev1.ResourceMemory: resource.MustParse(cmp.Or(s.MemoryLimit, DefaultMemoryLimit))},
		},
		StartupProbe:   ping(2, 30),
		ReadinessProbe: ping(5, 2),
		LivenessProbe:  ping(20, 2),
		SecurityContext: &corev1.SecurityContext{
			RunAsNonRoot: ptr.To(true), RunAsUser: ptr.To[int64](redisUser), RunAsGroup: ptr.To[int64](redisUser),
			ReadOnlyRootFilesystem:   ptr.To(true),
			AllowPrivilegeEscalation: ptr.To(false),
			Capabilities:             &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
		},
		VolumeMounts: []corev1.VolumeMount{
			// The folder, not the file by subPath: a running pod sees a changed ConfigMap.
			{Name: "config", MountPath: "/usr/local/etc/redis", ReadOnly: true},
			{Name: "data", MountPath: "/data"},
		},
	}
}

// ping asks the server as most clusters do. redis-cli exits 0 on NOAUTH and
// LOADING too: this probe tells a process that answers, not a store that works.
func ping(period, failures int32) *corev1.Probe {
	return &corev1.Probe{
		ProbeHandler:  corev1.ProbeHandler{Exec: &corev1.ExecAction{Command: []string{"redis-cli", "ping"}}},
		PeriodSeconds: period, FailureThreshold: failures,
		TimeoutSeconds: 5, // two busy cores start a process late
	}
}
