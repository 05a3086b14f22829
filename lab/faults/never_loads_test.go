package faults_test

import (
	"strings"

	corev1 "k8s.io/api/core/v1"
)

func seePortConflict(p *patient) {
	s := p.crashed()
	if code := s.Ended().ExitCode; code != 1 {
		p.Errorf("the container ends with %d", code)
	}
	p.logHolds(s, "bind: Address already in use", "Failed listening on port 6379 (TCP), aborting.")
	for _, status := range s.Pod.Status.ContainerStatuses {
		if status.Name == "cache" && (!status.Ready || status.RestartCount > 0) {
			p.Errorf("the cache is ready: %t, with %d restarts", status.Ready, status.RestartCount)
		}
	}
}

func seeSlowStart(p *patient) {
	s := p.crashed()
	if ended := s.Ended(); ended.Reason == "OOMKilled" || ended.ExitCode != 0 && ended.ExitCode != 137 {
		p.Errorf("the container ends with %s %d", ended.Reason, ended.ExitCode)
	}
	p.logHolds(s, "Received shutdown signal during loading")
	p.until("a second kill by the liveness probe", func() bool {
		s := p.crashed()
		return s.Container.RestartCount >= 2
	})
	p.eventSays("Unhealthy", "Liveness probe failed")
}

func seeReadOnly(p *patient) {
	s := p.crashed()
	if code := s.Ended().ExitCode; code != 1 {
		p.Errorf("the container ends with %d", code)
	}
	p.logHolds(s, "Read-only file system")
}

func seeCorruptRDB(p *patient) {
	s := p.crashed()
	if code := s.Ended().ExitCode; code != 1 {
		p.Errorf("the container ends with %d", code)
	}
	p.logHolds(s, "Wrong RDB checksum expected")
	if conf := p.config(); !strings.Contains(conf, "\nappendonly no\n") || !strings.Contains(conf, "save 300 100\n") {
		p.Errorf("redis.conf is not one of snapshots alone:\n%s", conf)
	}
}

// mendSetUp edits the manifest, as a person who has read it would.
func mendSetUp(edit func(template *corev1.PodTemplateSpec)) func(p *patient) {
	return func(p *patient) { p.editTemplate("as it should be", edit) }
}

// withoutCache takes the second Redis out of the pod.
func withoutCache(template *corev1.PodTemplateSpec) {
	for i, container := range template.Spec.Containers {
		if container.Name == "cache" {
			template.Spec.Containers = append(template.Spec.Containers[:i], template.Spec.Containers[i+1:]...)
			return
		}
	}
}

// withPatience lets the store load for as long as it takes.
func withPatience(template *corev1.PodTemplateSpec) {
	redis := &template.Spec.Containers[0]
	redis.StartupProbe = redis.LivenessProbe.DeepCopy()
	redis.StartupProbe.FailureThreshold = 60
	delete(redis.Resources.Limits, corev1.ResourceCPU)
}

// withWrites mounts the volume for writing.
func withWrites(template *corev1.PodTemplateSpec) {
	mounts := template.Spec.Containers[0].VolumeMounts
	for i := range mounts {
		if mounts[i].MountPath == "/data" {
			mounts[i].ReadOnly = false
		}
	}
}
