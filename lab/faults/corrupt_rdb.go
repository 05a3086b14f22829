package faults

import (
	"context"
	"strings"

	"redis-session-bot/lab/workload"
)

// damageSnapshot saves a snapshot, writes a block of zeros into its middle, and
// ends Redis as a power cut does: on SIGTERM it would save a good one. One long
// session makes up most of the file, so that the block is in a value and not
// between two, where Redis would complain of any of ten things.
const damageSnapshot = `set -e
head -c 4000000 /dev/urandom | redis-cli -e -x SET session:upload >/dev/null
redis-cli -e SAVE >/dev/null
size=$(stat -c %s /data/dump.rdb)
dd if=/dev/zero of=/data/dump.rdb bs=1 seek=$((size / 2)) count=512 conv=notrunc 2>/dev/null
redis-cli SHUTDOWN NOSAVE`

// corruptRDB is a bad block in the snapshot of a store that keeps no
// append-only file.
func corruptRDB() fault {
	return fault{
		name: "corrupt-rdb",
		what: "keep sessions in snapshots alone, put a bad block into the snapshot, and lose the pod",
		inject: func(ctx context.Context, c *workload.Copy) error {
			err := c.EditConfig(ctx, editor, func(conf string) string { return strings.Replace(conf, "appendonly yes\n", "appendonly no\n", 1) })
			if err != nil {
				return err
			}
			if err := lose(ctx, c); err != nil {
				return err
			}
			if err := writeSessions(ctx, c, 1000, 200); err != nil {
				return err
			}
			// The exec ends with the container, so how it ends says nothing:
			// what shows decides.
			_, _ = inStore(ctx, c, "sh", "-c", damageSnapshot)
			return c.DeletePods(ctx)
		},
		shows: func(ctx context.Context, c *workload.Copy) (string, error) {
			return dies(ctx, c, "Wrong RDB checksum")
		},
	}
}
