package fixes

import (
	"fmt"
	"strings"
	"time"

	"redis-session-bot/lab/workload"
)

// document is docs/fixes.md.
func document(rows []row) string {
	mended, most, longest, total := 0, 0, time.Duration(0), time.Duration(0)
	for _, r := range rows {
		if r.fix == "" {
			continue
		}
		mended++
		most, longest, total = max(most, r.clicks), max(longest, r.took-r.rollout), total+r.took
	}
	var b strings.Builder
	fmt.Fprintf(&b, `# What was mended, and how

Each fault was done to a real Redis on a real Kubernetes, on %s and on
%s, and mended through Slack alone: from the command to the verified fix, and
back again where the fix can be undone. Of %d, %d were mended by buttons, with %d
clicks at most and in %.0f seconds on average, with three others beside it on two
cores; beside the cluster's own rollout none took longer than %.0f seconds. For
the other %d the message says what a person types. After each undo the objects of
the namespace were compared with what they were. Last made on %s by

    make fixes

`, workload.Deployment, workload.StatefulSet, len(rows), mended, most, total.Seconds()/float64(max(mended, 1)), longest.Seconds(),
		len(rows)-mended, time.Now().UTC().Format("2 January 2006"))
	b.WriteString(table(rows))
	return b.String()
}
