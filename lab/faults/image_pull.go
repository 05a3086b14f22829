package faults

import (
	"context"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"redis-session-bot/lab/workload"
)

// absentTag is a version of Redis that was never released.
const absentTag = "7.0.51"

// imagePull is a slip in an upgrade's version: the registry has no such image.
func imagePull() fault {
	return fault{
		name: "image-pull",
		what: "roll out an image whose tag does not exist",
		inject: func(ctx context.Context, c *workload.Copy) error {
			return c.EditTemplate(ctx, setter, "upgrade Redis to "+absentTag, useAbsentTag)
		},
		shows: func(ctx context.Context, c *workload.Copy) (string, error) {
			store, found, err := c.Store(ctx)
			if err != nil || !found || store.Container.State.Waiting == nil {
				return "", err
			}
			reason := store.Container.State.Waiting.Reason
			if !slices.Contains([]string{"ErrImagePull", "ImagePullBackOff"}, reason) {
				return "", nil
			}
			return fmt.Sprintf("pod %s waits: %s of %s", store.Pod.Name, reason, store.Container.Image), nil
		},
	}
}

// useAbsentTag changes the tag of the image of Redis.
func useAbsentTag(template *corev1.PodTemplateSpec) {
	for i := range template.Spec.Containers {
		container := &template.Spec.Containers[i]
		if container.Name != workload.RedisContainer {
			continue
		}
		name := container.Image
		// A colon before the last slash is the registry's port.
		if at := strings.LastIndexByte(name, ':'); at > strings.LastIndexByte(name, '/') {
			name = name[:at]
		}
		container.Image = name + ":" + absentTag
	}
}
