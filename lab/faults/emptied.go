package faults

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"redis-session-bot/lab/workload"
)

// countScript prints how many keys there are, and how many the last snapshot
// holds; 0 when there is none.
const countScript = `redis-cli DBSIZE
[ ! -e /data/dump.rdb ] || redis-check-rdb /data/dump.rdb | sed -n 's/^\[info\] \([0-9]*\) keys read$/\1/p'`

// emptied is a store that lost the list of its append-only files, as in a
// restore that took *.rdb and *.aof alone: it begins new ones, over the old.
func emptied() fault {
	return fault{
		name:  "emptied",
		what:  "lose the manifest of the append-only files, and the pod",
		ready: true,
		inject: func(ctx context.Context, c *workload.Copy) error {
			if err := writeSessions(ctx, c, 5000, 200); err != nil {
				return err
			}
			if _, err := inStore(ctx, c, "rm", "/data/appendonlydir/appendonly.aof.manifest"); err != nil {
				return err
			}
			return lose(ctx, c)
		},
		shows: func(ctx context.Context, c *workload.Copy) (string, error) {
			store, found, err := c.Store(ctx)
			if err != nil || !found || !store.Container.Ready {
				return "", err
			}
			out, err := c.Exec(ctx, store.Pod.Name, "sh", "-c", countScript)
			if err != nil {
				return "", err
			}
			counts := strings.Fields(out)
			if len(counts) < 2 {
				return "", nil
			}
			now, err := strconv.Atoi(counts[0])
			if err != nil {
				return "", fmt.Errorf("count the sessions: %w", err)
			}
			saved, err := strconv.Atoi(counts[1])
			if err != nil {
				return "", fmt.Errorf("count the sessions of the snapshot: %w", err)
			}
			// A healthy store holds about what its last snapshot does.
			if saved < 1000 || now > saved/10 {
				return "", nil
			}
			return fmt.Sprintf("pod %s is ready with %d sessions; it had %d when it ended last", store.Pod.Name, now, saved), nil
		},
	}
}
