package faults

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"

	"redis-session-bot/lab/workload"
)

// silentScript is a start script that gives up without a word.
const silentScript = `[ -n "$REDIS_ROLE" ] || exit 1
exec redis-server /usr/local/etc/redis/redis.conf --requirepass "$REDIS_PASSWORD"`

// crashLoop is a store that ends as soon as it starts and says nothing. It is
// installed so from the start: there is no revision before it to blame.
func crashLoop() fault {
	return fault{
		name: "crash-loop",
		what: "install the store again with a start script that exits with 1 and prints nothing",
		inject: func(ctx context.Context, c *workload.Copy) error {
			return c.Reinstall(ctx, installer, startSilently)
		},
		shows: func(ctx context.Context, c *workload.Copy) (string, error) {
			store, found, err := c.Store(ctx)
			if err != nil || !found || store.Container.Ready || store.Ended() == nil || store.Ended().ExitCode != 1 {
				return "", err
			}
			if store.Container.RestartCount < 2 {
				return "", nil // one restart is no loop
			}
			log, err := c.Log(ctx, store.Pod.Name, store.Container.State.Running != nil)
			if err != nil || log != "" {
				return "", err
			}
			return fmt.Sprintf("pod %s ends with 1 again and again and prints nothing", store.Pod.Name), nil
		},
	}
}

// startSilently starts Redis by the script.
func startSilently(template *corev1.PodTemplateSpec) {
	for i := range template.Spec.Containers {
		container := &template.Spec.Containers[i]
		if container.Name == workload.RedisContainer {
			container.Command, container.Args = []string{"sh", "-c", silentScript}, nil
		}
	}
}
