package faults

import (
	"context"
	"fmt"
	"strconv"

	"redis-session-bot/lab/workload"
)

// writeScript keeps sessions in batches: each becomes one transaction in the
// append-only file, and must not be a spike in memory of its own. $0 is the
// number of batches, $1 the sessions in each, $2 the bytes of a session.
const writeScript = `set -e
for batch in $(seq "$0"); do
  redis-cli -e EVAL '
    local history = string.rep("x", tonumber(ARGV[3]))
    for i = 1, tonumber(ARGV[2]) do
      redis.call("SET", "session:bulk-" .. ARGV[1] .. "-" .. i, history, "EX", 28800)
    end
    return ARGV[1]' 0 "$batch" "$1" "$2" >/dev/null
done`

const batchBytes = 5_000_000 // about what 500 sessions of the largest kind have

// writeSessions keeps more sessions of so many bytes each, as a busy morning
// does, for eight hours. There are up to one batch more than asked for.
func writeSessions(ctx context.Context, c *workload.Copy, count, bytes int) error {
	batch := min(count, max(1, batchBytes/bytes))
	_, err := inStore(ctx, c, "sh", "-c", writeScript, strconv.Itoa((count+batch-1)/batch), strconv.Itoa(batch), strconv.Itoa(bytes))
	if err != nil {
		return fmt.Errorf("write sessions: %w", err)
	}
	return nil
}
