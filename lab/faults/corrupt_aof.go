package faults

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/util/wait"

	"redis-session-bot/lab/workload"
)

// damageScript appends bytes of another file to the newest append-only file
// while Redis writes it, and prints its size after. They begin neither as a
// command nor with NUL, which Redis would take for a file cut short.
const damageScript = `set -e
file=$(ls /data/appendonlydir/*.incr.aof | tail -n 1)
for i in 1 2 3 4 5 6 7 8; do printf '\211\377\001\002 a block of some other file \003\376\r\n' >> "$file"; done
stat -c %s "$file"`

const sizeScript = `stat -c %s "$(ls /data/appendonlydir/*.incr.aof | tail -n 1)"`

// corruptAOF is a bad block in the middle of the append-only file. The running
// server never reads it again; the next one does.
func corruptAOF() fault {
	return fault{
		name: "corrupt-aof",
		what: "put bad bytes in the middle of the append-only file, and lose the pod",
		inject: func(ctx context.Context, c *workload.Copy) error {
			// Enough good commands before the damage that a repair is worth it.
			if err := writeSessions(ctx, c, 1000, 200); err != nil {
				return err
			}
			if err := damage(ctx, c); err != nil {
				return err
			}
			return c.DeletePods(ctx)
		},
		shows: func(ctx context.Context, c *workload.Copy) (string, error) {
			return dies(ctx, c, "Bad file format reading the append only file")
		},
	}
}

// damage writes the bad bytes and waits until the application has written
// behind them.
func damage(ctx context.Context, c *workload.Copy) error {
	damaged, err := size(ctx, c, damageScript)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	err = wait.PollUntilContextCancel(ctx, glance, true, func(ctx context.Context) (bool, error) {
		now, err := size(ctx, c, sizeScript)
		return now > damaged, err
	})
	if err != nil {
		return fmt.Errorf("wait for a write behind the damage: %w", err)
	}
	return nil
}

func size(ctx context.Context, c *workload.Copy, script string) (int64, error) {
	out, err := inStore(ctx, c, "sh", "-c", script)
	if err != nil {
		return 0, err
	}
	return strconv.ParseInt(strings.TrimSpace(out), 10, 64)
}
