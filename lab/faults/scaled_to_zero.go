package faults

import (
	"context"
	"fmt"

	"redis-session-bot/lab/workload"
)

// scaledToZero is somebody who saves money at night and forgets the morning.
func scaledToZero() fault {
	return fault{
		name: "scaled-to-zero",
		what: "scale the store to 0",
		inject: func(ctx context.Context, c *workload.Copy) error {
			return c.Scale(ctx, scaler, 0)
		},
		shows: func(ctx context.Context, c *workload.Copy) (string, error) {
			status, err := c.Look(ctx)
			if err != nil || status.Shape == "" || status.Redis.Wanted > 0 {
				return "", err
			}
			pods, err := c.Pods(ctx, workload.Redis)
			if err != nil || len(pods) > 0 {
				return "", err
			}
			return fmt.Sprintf("%s %s is scaled to 0 and has no pod", status.Shape, workload.Redis), nil
		},
	}
}
