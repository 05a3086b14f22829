package faults

import (
	"context"
	"fmt"
	"strings"

	"redis-session-bot/lab/workload"
)

// goneMaster is the Service of a store that was moved away.
const goneMaster = "redis-session-old"

// replication is a store that somebody made the replica of another, for a move,
// and forgot to promote before the other was taken away.
func replication() fault {
	return fault{
		name:  "replication",
		what:  "make the store the replica of a master that is gone",
		ready: true,
		inject: func(ctx context.Context, c *workload.Copy) error {
			_, err := inStore(ctx, c, "redis-cli", "-e", "REPLICAOF", goneMaster, "6379")
			return err
		},
		shows: func(ctx context.Context, c *workload.Copy) (string, error) {
			refused, err := answers(ctx, c, "READONLY")
			if err != nil || refused == "" {
				return "", err
			}
			info, err := inStore(ctx, c, "redis-cli", "INFO", "replication")
			if err != nil || !strings.Contains(info, "master_link_status:down") {
				return "", err
			}
			return fmt.Sprintf("%s (its master is %s, and the link is down)", refused, goneMaster), nil
		},
	}
}
