package faults

import (
	"context"
	"strings"

	"redis-session-bot/lab/workload"
)

// refusedLine is a slip of somebody who wanted activedefrag.
const refusedLine = "active-defrag yes"

// configError is an edit of redis.conf that nobody tried. It shows only when
// the pod is made anew, days later in the field.
func configError() fault {
	return fault{
		name: "config-error",
		what: "add a directive that Redis refuses to redis.conf, and lose the pod",
		inject: func(ctx context.Context, c *workload.Copy) error {
			if err := c.EditConfig(ctx, editor, addRefusedLine); err != nil {
				return err
			}
			return c.DeletePods(ctx)
		},
		shows: func(ctx context.Context, c *workload.Copy) (string, error) {
			return dies(ctx, c, "FATAL CONFIG FILE ERROR")
		},
	}
}

// addRefusedLine puts the line below maxmemory-policy, where such a thing
// belongs, else at the end. Every other line stays as it is.
func addRefusedLine(conf string) string {
	lines := strings.SplitAfter(conf, "\n")
	for i, line := range lines {
		if strings.HasPrefix(line, "maxmemory-policy ") && strings.HasSuffix(line, "\n") {
			return strings.Join(lines[:i+1], "") + refusedLine + "\n" + strings.Join(lines[i+1:], "")
		}
	}
	if conf != "" && !strings.HasSuffix(conf, "\n") {
		conf += "\n"
	}
	return conf + refusedLine + "\n"
}
