package faults

import (
	"context"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"redis-session-bot/lab/workload"
)

// dataDirReadOnly is a volume that nobody may write to.
func dataDirReadOnly() fault {
	return fault{
		name: "data-dir/readonly",
		what: "install the store with its volume mounted read-only",
		inject: func(ctx context.Context, c *workload.Copy) error {
			return c.Reinstall(ctx, installer, mountReadOnly)
		},
		shows: func(ctx context.Context, c *workload.Copy) (string, error) {
			return dies(ctx, c, "Read-only file system")
		},
	}
}

func mountReadOnly(template *corev1.PodTemplateSpec) {
	editData(template, func(mount *corev1.VolumeMount) { mount.ReadOnly = true })
}

// editData changes how Redis mounts its data.
func editData(template *corev1.PodTemplateSpec, edit func(*corev1.VolumeMount)) {
	for i := range template.Spec.Containers {
		container := &template.Spec.Containers[i]
		if container.Name != workload.RedisContainer {
			continue
		}
		for k := range container.VolumeMounts {
			if container.VolumeMounts[k].MountPath == dataFolder {
				edit(&container.VolumeMounts[k])
			}
		}
	}
}

const (
	dataFolder = "/data"
	// smallDisk holds the sessions of a quiet day, and not the append-only file
	// of a busy one.
	smallDisk = "4Mi"
)

// dataDirFull is a disk that the append-only file fills. Redis goes on, and
// refuses every write.
func dataDirFull() fault {
	return fault{
		name:  "data-dir/full",
		what:  "install the store on a disk of " + smallDisk + ", and keep more sessions than that",
		ready: true,
		inject: func(ctx context.Context, c *workload.Copy) error {
			if err := c.Reinstall(ctx, installer, moveToSmallDisk); err != nil {
				return err
			}
			if err := awaitReady(ctx, c); err != nil {
				return err
			}
			// The disk is full in the middle of it, which is refused.
			if err := writeSessions(ctx, c, 10_000, 1000); err != nil && !strings.Contains(err.Error(), "MISCONF") {
				return err
			}
			return nil
		},
		shows: func(ctx context.Context, c *workload.Copy) (string, error) {
			return answers(ctx, c, "MISCONF Errors writing to the AOF file: No space left on device")
		},
	}
}

// moveToSmallDisk gives Redis a file system in memory of a fixed size. It is
// the pod's: a container that starts anew meets it as it was.
func moveToSmallDisk(template *corev1.PodTemplateSpec) {
	size := resource.MustParse(smallDisk)
	template.Spec.Volumes = append(template.Spec.Volumes, corev1.Volume{Name: "fast", VolumeSource: corev1.VolumeSource{
		EmptyDir: &corev1.EmptyDirVolumeSource{Medium: corev1.StorageMediumMemory, SizeLimit: &size},
	}})
	editData(template, func(mount *corev1.VolumeMount) { mount.Name = "fast" })
}

// answers says what Redis answers to a write when it holds the text; empty when
// it answers otherwise, or not at all. A full server hangs up on the write, and
// answers to the authentication before it.
func answers(ctx context.Context, c *workload.Copy, text string) (string, error) {
	store, found, err := c.Store(ctx)
	if err != nil || !found || store.Container.State.Running == nil {
		return "", err
	}
	said, err := c.Exec(ctx, store.Pod.Name, "sh", "-c", "redis-cli SET session:probe '' EX 1 2>&1 || true")
	if err != nil {
		return "", err
	}
	for line := range strings.Lines(said) {
		if strings.Contains(line, text) {
			return fmt.Sprintf("pod %s runs, and answers: %s", store.Pod.Name, strings.TrimSpace(line)), nil
		}
	}
	return "", nil
}
