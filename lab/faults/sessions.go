package faults

import (
	"context"
	"errors"
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

const batch = 500 // sessions

// writeSessions keeps more sessions, as a busy morning does, for eight hours.
func writeSessions(ctx context.Context, c *workload.Copy, count, bytes int) error {
	store, found, err := c.Store(ctx)
	if err != nil {
		return err
	}
	if !found {
		return errors.New("write sessions: there is no pod of Redis")
	}
	_, err = c.Exec(ctx, store.Pod.Name, "sh", "-c", writeScript,
		strconv.Itoa((count+batch-1)/batch), strconv.Itoa(batch), strconv.Itoa(bytes))
	return err
}
