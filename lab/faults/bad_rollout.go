package faults

import (
	"context"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"redis-session-bot/lab/workload"
)

// otherServer is a program that the image does not hold.
const otherServer = "valkey-server"

// badRollout is a new revision of the pod template that cannot start: its
// command was changed and its image forgotten. The revision before is good.
func badRollout() fault {
	return fault{
		name: "bad-rollout",
		what: "roll out a revision whose command is not in the image",
		inject: func(ctx context.Context, c *workload.Copy) error {
			return c.EditTemplate(ctx, editor, "move the session store to Valkey", useOtherServer)
		},
		shows: func(ctx context.Context, c *workload.Copy) (string, error) {
			store, found, err := c.Store(ctx)
			if err != nil || !found || store.Container.Ready {
				return "", err
			}
			for _, said := range []string{waits(store), ended(store)} {
				if strings.Contains(said, otherServer) {
					return fmt.Sprintf("pod %s of the new revision cannot start: %s", store.Pod.Name, said), nil
				}
			}
			return "", nil
		},
	}
}

// useOtherServer changes the first word of the command of Redis.
func useOtherServer(template *corev1.PodTemplateSpec) {
	for i := range template.Spec.Containers {
		container := &template.Spec.Containers[i]
		if container.Name == workload.RedisContainer && len(container.Command) > 0 {
			container.Command[0] = otherServer
		}
	}
}

func waits(s workload.Store) string {
	if s.Container.State.Waiting == nil {
		return ""
	}
	return s.Container.State.Waiting.Message
}

func ended(s workload.Store) string {
	if s.Ended() == nil {
		return ""
	}
	return s.Ended().Message
}
