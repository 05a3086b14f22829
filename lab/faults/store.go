package faults

import (
	"context"
	"errors"
	"fmt"

	"k8s.io/apimachinery/pkg/util/wait"

	"redis-session-bot/lab/workload"
)

// inStore runs a command in the store's container and returns what it printed.
func inStore(ctx context.Context, c *workload.Copy, command ...string) (string, error) {
	store, found, err := c.Store(ctx)
	if err != nil {
		return "", err
	}
	if !found {
		return "", errors.New("there is no pod of Redis")
	}
	return c.Exec(ctx, store.Pod.Name, command...)
}

// lose deletes the store's pods and waits until the next one is ready.
func lose(ctx context.Context, c *workload.Copy) error {
	store, _, err := c.Store(ctx)
	if err != nil {
		return err
	}
	if err := c.DeletePods(ctx); err != nil {
		return err
	}
	return awaitPod(ctx, c, func(next workload.Store) bool { return next.Pod.UID != store.Pod.UID && next.Container.Ready })
}

// awaitReady waits until the store's pod is ready.
func awaitReady(ctx context.Context, c *workload.Copy) error {
	return awaitPod(ctx, c, func(store workload.Store) bool { return store.Container.Ready })
}

func awaitPod(ctx context.Context, c *workload.Copy, good func(workload.Store) bool) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	err := wait.PollUntilContextCancel(ctx, glance, true, func(ctx context.Context) (bool, error) {
		store, found, err := c.Store(ctx)
		return found && good(store), err
	})
	if err != nil {
		return fmt.Errorf("wait for a pod that is ready: %w", err)
	}
	return nil
}
