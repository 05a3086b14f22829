package standby

import (
	"cmp"
	"fmt"
	"path"
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// The names within a pod.
const (
	redisContainer    = "redis"
	sentinelContainer = "sentinel"
	filesVolume       = "redis-ha-files" // the ConfigMap
	runVolume         = "redis-ha-run"   // what the server rewrites
	filesDir          = "/etc/redis-ha"
	runDir            = "/run/redis-ha"
)

func (m *maker) meta(name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Name: name, Namespace: m.Target.Namespace, Labels: m.labels}
}

func typeMeta(version, kind string) metav1.TypeMeta {
	return metav1.TypeMeta{APIVersion: version, Kind: kind}
}

// statefulSet runs a Redis and a Sentinel in each of three pods. They start all
// at once: after a failover the master may be any of them, and in order pod 0
// would wait for a master that waits for pod 0.
func (m *maker) statefulSet() *appsv1.StatefulSet {
	replicas := int32(Pods)
	template := corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: m.labels}, Spec: m.podSpec()}
	set := &appsv1.StatefulSet{TypeMeta: typeMeta("apps/v1", "StatefulSet"), ObjectMeta: m.meta(m.name),
		Spec: appsv1.StatefulSetSpec{ServiceName: m.name, Replicas: &replicas, PodManagementPolicy: appsv1.ParallelPodManagement,
			Selector: &metav1.LabelSelector{MatchLabels: m.selector()}, Template: template,
			VolumeClaimTemplates: []corev1.PersistentVolumeClaim{m.claim()}}}
	return set
}

// podSpec is the live store's, with what the copy needs in place of its containers.
func (m *maker) podSpec() corev1.PodSpec {
	live := m.Pod.Spec
	no, grace := false, int64(45) // a handover takes up to 15 s
	dots := "1"                   // the scripts use whole names
	return corev1.PodSpec{
		AutomountServiceAccountToken:  &no,
		EnableServiceLinks:            &no,
		TerminationGracePeriodSeconds: &grace,
		ServiceAccountName:            live.ServiceAccountName,
		ImagePullSecrets:              live.ImagePullSecrets,
		SecurityContext:               live.SecurityContext.DeepCopy(),
		NodeSelector:                  live.NodeSelector,
		Tolerations:                   live.Tolerations,
		PriorityClassName:             live.PriorityClassName,
		RuntimeClassName:              live.RuntimeClassName,
		DNSConfig:                     &corev1.PodDNSConfig{Options: []corev1.PodDNSConfigOption{{Name: "ndots", Value: &dots}}},
		Affinity:                      m.apart(),
		InitContainers:                m.initContainers(),
		Containers:                    []corev1.Container{m.redis(), m.sentinel()},
		Volumes: []corev1.Volume{
			{Name: filesVolume, VolumeSource: corev1.VolumeSource{ConfigMap: &corev1.ConfigMapVolumeSource{LocalObjectReference: corev1.LocalObjectReference{Name: m.configName()}}}},
			{Name: runVolume, VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{Medium: corev1.StorageMediumMemory}}},
		},
	}
}

// apart keeps the pods on nodes of their own, beside what the live store asks of
// nodes: strictly where there are enough, else where it can be.
func (m *maker) apart() *corev1.Affinity {
	affinity := &corev1.Affinity{}
	if live := m.Pod.Spec.Affinity; live != nil && live.NodeAffinity != nil {
		affinity.NodeAffinity = live.NodeAffinity.DeepCopy()
	}
	term := corev1.PodAffinityTerm{LabelSelector: &metav1.LabelSelector{MatchLabels: m.selector()}, TopologyKey: corev1.LabelHostname}
	if m.Nodes >= Pods {
		affinity.PodAntiAffinity = &corev1.PodAntiAffinity{RequiredDuringSchedulingIgnoredDuringExecution: []corev1.PodAffinityTerm{term}}
		return affinity
	}
	affinity.PodAntiAffinity = &corev1.PodAntiAffinity{PreferredDuringSchedulingIgnoredDuringExecution: []corev1.WeightedPodAffinityTerm{{Weight: 100, PodAffinityTerm: term}}}
	if m.Nodes >= 0 {
		m.note("The cluster has %d of the 3 nodes that it takes to lose one and go on: pods share them.", m.Nodes)
	} else {
		m.note("How many nodes there are is not known, so the pods are only asked to be apart; with 3 nodes or more make it required.")
	}
	return affinity
}

// initContainers are those of the live store that need nothing but its data.
func (m *maker) initContainers() (all []corev1.Container) {
	for _, live := range m.Pod.Spec.InitContainers {
		elsewhere := slices.ContainsFunc(live.VolumeMounts, func(mount corev1.VolumeMount) bool { return mount.Name != m.Volume || m.Volume == "" })
		if elsewhere || len(live.Env)+len(live.EnvFrom) > 0 {
			m.note("The init container %s is not carried over.", live.Name)
			continue
		}
		all = append(all, *live.DeepCopy())
	}
	return all
}

func (m *maker) redis() corev1.Container {
	c := m.program(redisContainer, "redis.sh", corev1.ContainerPort{Name: "redis", ContainerPort: m.port, Protocol: corev1.ProtocolTCP})
	c.Resources = *m.container.Resources.DeepCopy()
	c.Lifecycle = &corev1.Lifecycle{PreStop: &corev1.LifecycleHandler{Exec: &corev1.ExecAction{Command: []string{"sh", path.Join(filesDir, "handover.sh")}}}}
	c.VolumeMounts = append(c.VolumeMounts, corev1.VolumeMount{Name: runVolume, MountPath: runDir})
	port := fmt.Sprint(m.port)
	// A server that loads is alive, and not ready.
	alive := fmt.Sprintf(`case "$(%s -p %s ping 2>&1)" in PONG|LOADING*|BUSY*|MASTERDOWN*) ;; *) exit 1 ;; esac`, m.client, port)
	c.StartupProbe = probe(alive, 2, 60)
	c.LivenessProbe = probe(alive, 10, 3)
	c.ReadinessProbe = probe(pongs(m.client, port), 5, 2)
	for _, mount := range m.container.VolumeMounts {
		if mount.Name != m.Volume && !m.isConfig(mount.Name) {
			m.note("The volume %s at %s is not carried over.", mount.Name, mount.MountPath)
		}
	}
	return c
}

// isConfig reports whether a volume of the live store is a ConfigMap: what is in
// it, the copy has in its own.
func (m *maker) isConfig(volume string) bool {
	return slices.ContainsFunc(m.Pod.Spec.Volumes, func(v corev1.Volume) bool { return v.Name == volume && v.ConfigMap != nil })
}

func (m *maker) sentinel() corev1.Container {
	c := m.program(sentinelContainer, "sentinel.sh", corev1.ContainerPort{Name: "sentinel", ContainerPort: SentinelPort, Protocol: corev1.ProtocolTCP})
	c.Resources = corev1.ResourceRequirements{
		Requests: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("20m"), corev1.ResourceMemory: resource.MustParse("32Mi")},
		Limits:   corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("64Mi")},
	}
	c.StartupProbe, c.LivenessProbe = connects(2, 30), connects(10, 3) // it has little to do, and needs no process started for it
	c.ReadinessProbe = probe(pongs(m.client, fmt.Sprint(SentinelPort)), 10, 2)
	return c
}

// program is a container of the live store's image that runs one of the scripts.
func (m *maker) program(name, script string, port corev1.ContainerPort) corev1.Container {
	password := &corev1.EnvVarSource{SecretKeyRef: &corev1.SecretKeySelector{
		LocalObjectReference: corev1.LocalObjectReference{Name: m.Target.Secret}, Key: m.Target.SecretKey}}
	pod := &corev1.EnvVarSource{FieldRef: &corev1.ObjectFieldSelector{FieldPath: "metadata.name"}}
	return corev1.Container{
		Name: name, Image: m.container.Image, ImagePullPolicy: m.container.ImagePullPolicy,
		Command: []string{"sh", path.Join(filesDir, script)},
		Env: []corev1.EnvVar{
			{Name: "REDIS_PASSWORD", ValueFrom: password},
			{Name: "REDISCLI_AUTH", ValueFrom: password}, // the client reads it, so that it is on no command line
			{Name: "POD", ValueFrom: pod},
			{Name: "SET", Value: m.name},
			{Name: "NAMESPACE", Value: m.Target.Namespace},
			{Name: "MASTER", Value: m.Target.Workload},
			{Name: "PORT", Value: fmt.Sprint(m.port)},
			{Name: "STATE", Value: path.Join(m.dir(), "sentinel", "sentinel.conf")},
		},
		Ports:           []corev1.ContainerPort{port},
		SecurityContext: m.container.SecurityContext.DeepCopy(),
		VolumeMounts: []corev1.VolumeMount{
			{Name: filesVolume, MountPath: filesDir, ReadOnly: true},
			{Name: m.volume(), MountPath: m.dir()},
		},
	}
}

// pongs fails on a wrong password, too: the client exits with 0 on NOAUTH.
func pongs(client, port string) string {
	return fmt.Sprintf(`[ "$(%s -p %s ping)" = PONG ]`, client, port)
}

func probe(script string, period, failures int32) *corev1.Probe {
	return &corev1.Probe{ProbeHandler: corev1.ProbeHandler{Exec: &corev1.ExecAction{Command: []string{"sh", "-c", script}}},
		PeriodSeconds: period, TimeoutSeconds: 5, FailureThreshold: failures}
}

// connects asks for the Sentinel's port only.
func connects(period, failures int32) *corev1.Probe {
	return &corev1.Probe{ProbeHandler: corev1.ProbeHandler{TCPSocket: &corev1.TCPSocketAction{Port: intstr.FromString("sentinel")}},
		PeriodSeconds: period, TimeoutSeconds: 5, FailureThreshold: failures}
}

// volume is the name of the claim: the live store's, which its init containers know.
func (m *maker) volume() string { return cmp.Or(m.Volume, "data") }

// claim is as the live store's.
func (m *maker) claim() corev1.PersistentVolumeClaim {
	spec := corev1.PersistentVolumeClaimSpec{AccessModes: []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce}}
	size := resource.MustParse("1Gi")
	if m.Claim == nil {
		m.note("The store's data is on no claim that could be read, so the copy asks for 1Gi of the default storage class: set what you need.")
	} else {
		spec.StorageClassName = m.Claim.StorageClassName
		if asked, ok := m.Claim.Resources.Requests[corev1.ResourceStorage]; ok {
			size = asked
		}
	}
	spec.Resources.Requests = corev1.ResourceList{corev1.ResourceStorage: size}
	return corev1.PersistentVolumeClaim{ObjectMeta: metav1.ObjectMeta{Name: m.volume(), Labels: m.labels}, Spec: spec}
}

// firstPod is the first pod as the StatefulSet's controller makes it. A dry run
// of it tells what a quota or a policy says, which the StatefulSet's does not.
func firstPod(set *appsv1.StatefulSet) *corev1.Pod {
	pod := &corev1.Pod{TypeMeta: typeMeta("v1", "Pod"),
		ObjectMeta: metav1.ObjectMeta{Name: set.Name + "-0", Namespace: set.Namespace, Labels: set.Spec.Template.Labels}, Spec: *set.Spec.Template.Spec.DeepCopy()}
	for _, claim := range set.Spec.VolumeClaimTemplates {
		pod.Spec.Volumes = append(pod.Spec.Volumes, corev1.Volume{Name: claim.Name, VolumeSource: corev1.VolumeSource{
			PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: claim.Name + "-" + pod.Name}}})
	}
	return pod
}
