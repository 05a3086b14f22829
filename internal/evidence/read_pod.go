package evidence

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func podOf(pod *corev1.Pod) Pod {
	one := Pod{Name: pod.Name, UID: string(pod.UID), Phase: string(pod.Status.Phase), Reason: pod.Status.Reason,
		Message: pod.Status.Message, Deleting: pod.DeletionTimestamp != nil, Node: pod.Spec.NodeName,
		IP: pod.Status.PodIP, HostNetwork: pod.Spec.HostNetwork, CreatedAt: pod.CreationTimestamp.Time, Labels: pod.Labels}
	if owner := metav1.GetControllerOf(pod); owner != nil {
		one.Owner = owner.Kind + "/" + owner.Name
		one.Workload = scaledBy(one.Owner, pod.Labels["pod-template-hash"])
	}
	one.Claims = claimsOf(&pod.Spec)
	one.Revision = orElse(pod.Labels["pod-template-hash"], pod.Labels["controller-revision-hash"])
	for _, c := range pod.Status.Conditions {
		if c.Type == corev1.PodReady {
			one.Ready = c.Status == corev1.ConditionTrue
		}
		one.Conditions = append(one.Conditions, Condition{string(c.Type), string(c.Status), c.Reason, c.Message})
	}
	one.Containers = containersOf(&pod.Spec, &pod.Status)
	return one
}

// scaledBy is what people scale to have fewer of a controller's pods: a
// ReplicaSet of a Deployment is named by it and the hash of its template.
func scaledBy(owner, hash string) string {
	if name, ok := strings.CutPrefix(owner, "ReplicaSet/"); ok && hash != "" && strings.HasSuffix(name, "-"+hash) {
		return KindDeployment + "/" + strings.TrimSuffix(name, "-"+hash)
	}
	return owner
}

func claimsOf(spec *corev1.PodSpec) []string {
	var names []string
	for _, volume := range spec.Volumes {
		if volume.PersistentVolumeClaim != nil {
			names = append(names, volume.PersistentVolumeClaim.ClaimName)
		}
	}
	return names
}

// containersOf lists init containers first, as they run.
func containersOf(spec *corev1.PodSpec, status *corev1.PodStatus) []Container {
	var all []Container
	for i := range spec.InitContainers {
		one := containerOf(&spec.InitContainers[i], statusNamed(status.InitContainerStatuses, spec.InitContainers[i].Name))
		one.Init = true
		all = append(all, one)
	}
	for i := range spec.Containers {
		all = append(all, containerOf(&spec.Containers[i], statusNamed(status.ContainerStatuses, spec.Containers[i].Name)))
	}
	return all
}

// isExporter tells a container that watches Redis by its name or its image.
var isExporter = regexp.MustCompile(`(?i)exporter`)

func statusNamed(statuses []corev1.ContainerStatus, name string) *corev1.ContainerStatus {
	i := slices.IndexFunc(statuses, func(s corev1.ContainerStatus) bool { return s.Name == name })
	if i < 0 {
		return nil
	}
	return &statuses[i]
}

func containerOf(spec *corev1.Container, status *corev1.ContainerStatus) Container {
	one := Container{Name: spec.Name, Image: spec.Image, Watches: spec.Name == "metrics" || isExporter.MatchString(spec.Name) || isExporter.MatchString(spec.Image),
		Memory: spec.Resources.Limits.Memory().Value(), MemoryAsk: spec.Resources.Requests.Memory().Value(),
		Liveness: probeOf(spec.LivenessProbe), Readiness: probeOf(spec.ReadinessProbe), Startup: probeOf(spec.StartupProbe)}
	for _, port := range spec.Ports {
		one.Ports = append(one.Ports, int64(port.ContainerPort))
		if port.HostPort != 0 {
			one.HostPorts = append(one.HostPorts, int64(port.HostPort))
		}
	}
	if status == nil {
		return one
	}
	one.Ready, one.Restarts = status.Ready, int64(status.RestartCount)
	one.Started = status.Started != nil && *status.Started
	ended := status.LastTerminationState.Terminated
	switch {
	case status.State.Running != nil:
		one.State, one.Since = "running", status.State.Running.StartedAt.Time
	case status.State.Waiting != nil:
		one.State, one.Reason, one.Message = "waiting", status.State.Waiting.Reason, status.State.Waiting.Message
	case status.State.Terminated != nil:
		ended = status.State.Terminated
		one.State, one.Reason, one.Message = "terminated", ended.Reason, ended.Message
	}
	if ended != nil {
		one.LastExit = Exit{Happened: true, Reason: ended.Reason, Message: ended.Message, Code: int64(ended.ExitCode),
			Signal: int64(ended.Signal), StartedAt: ended.StartedAt.Time, FinishedAt: ended.FinishedAt.Time}
	}
	return one
}

func probeOf(probe *corev1.Probe) Probe {
	if probe == nil {
		return Probe{}
	}
	one := Probe{Delay: int64(probe.InitialDelaySeconds), Period: int64(probe.PeriodSeconds),
		Timeout: int64(probe.TimeoutSeconds), Failures: int64(probe.FailureThreshold)}
	switch {
	case probe.Exec != nil:
		one.Kind, one.Detail = "exec", strings.Join(probe.Exec.Command, " ")
	case probe.HTTPGet != nil:
		one.Kind, one.Detail = "http", probe.HTTPGet.Port.String()+probe.HTTPGet.Path
	case probe.TCPSocket != nil:
		one.Kind, one.Detail = "tcp", probe.TCPSocket.Port.String()
	case probe.GRPC != nil:
		one.Kind, one.Detail = "grpc", fmt.Sprint(probe.GRPC.Port)
	}
	return one
}

// managersOf lists who wrote an object, newest last.
func managersOf(meta metav1.ObjectMeta) []Manager {
	var managers []Manager
	for _, entry := range meta.ManagedFields {
		one := Manager{Name: entry.Manager, Verb: string(entry.Operation), Sub: entry.Subresource}
		if entry.Time != nil {
			one.At = entry.Time.Time
		}
		managers = append(managers, one)
	}
	slices.SortStableFunc(managers, func(a, b Manager) int { return a.At.Compare(b.At) })
	return managers
}
