package k8s

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"redis-session-bot/internal/evidence"
	"redis-session-bot/internal/runbook"
)

// restartedAt is the annotation that kubectl rollout restart writes.
const restartedAt = "kubectl.kubernetes.io/restartedAt"

// restartArgs are those of restart. At is filled in when the plan is made;
// Clear takes the annotation away, which is how a first restart is undone.
type restartArgs struct {
	Workload string `json:"workload,omitempty"`
	At       string `json:"at,omitempty"` // RFC 3339
	Clear    bool   `json:"clear,omitempty"`
}

func restartChange() change {
	return change{
		says: "makes every pod of the workload anew, as kubectl rollout restart does",
		validate: func(args json.RawMessage) error {
			var a restartArgs
			return decodeArgs(args, &a)
		},
		resolve: func(_ context.Context, c *Cluster, _ evidence.Target, args json.RawMessage) (json.RawMessage, error) {
			var a restartArgs
			if err := decodeArgs(args, &a); err != nil {
				return nil, err
			}
			if a.At == "" && !a.Clear {
				a.At = c.Now().UTC().Format(time.RFC3339)
			}
			return json.Marshal(a)
		},
		about: workloadIn,
		edit: func(_ context.Context, _ *Cluster, target evidence.Target, object any, args json.RawMessage) (edited, error) {
			return editRestart(target, object, args)
		},
	}
}

func editRestart(target evidence.Target, object any, args json.RawMessage) (edited, error) {
	var a restartArgs
	if err := decodeArgs(args, &a); err != nil {
		return edited{}, err
	}
	pod, err := template(object)
	if err != nil {
		return edited{}, err
	}
	was, had := pod.Annotations[restartedAt]
	undo := restartArgs{Workload: a.Workload, At: was, Clear: !had}
	if a.Clear {
		delete(pod.Annotations, restartedAt)
		if len(pod.Annotations) == 0 {
			pod.Annotations = nil
		}
	} else {
		if pod.Annotations == nil {
			pod.Annotations = map[string]string{}
		}
		pod.Annotations[restartedAt] = a.At
	}
	return edited{
		title:   "restart " + resourceName(object),
		kubectl: fmt.Sprintf("kubectl rollout restart %s -n %s", resourceName(object), target.Namespace),
		undo:    []runbook.Change{newChange(changeRestart, undo)},
	}, nil
}
