package changes

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"redis-session-bot/internal/chaos/clustertest"
	"redis-session-bot/internal/runbook"
	"redis-session-bot/lab/workload"
)

// TestTheClusterIsAsTheCampaignHasIt: the cluster that the fault campaign runs on
// and this one pass the same suite, with a change of what is set and with a restart.
func TestTheClusterIsAsTheCampaignHasIt(t *testing.T) {
	w := admit(t, "conformance", workload.Deployment, nil)
	tried := 0
	for _, one := range []struct {
		name    string
		changes func() runbook.Change
		edit    func()
	}{
		{"a setting", func() runbook.Change {
			return runbook.Change{Kind: "set-config", Args: arguments(t, map[string]any{"key": "session_ttl", "value": fmt.Sprintf("%dm", 60+tried)})}
		}, func() {
			w.editAgentConfig(func(data map[string]string) { data["note"] = fmt.Sprint("mine ", tried) })
		}},
		{"a restart", func() runbook.Change {
			// Times of restarts have whole seconds, and no two are the same.
			at := time.Now().Add(time.Duration(tried) * time.Hour).UTC().Format(time.RFC3339)
			return runbook.Change{Kind: "restart", Args: arguments(t, map[string]any{"workload": workload.Agent, "at": at})}
		}, func() { w.editWorkload(workload.Agent, int32(1+tried%5)) }},
	} {
		w.run(one.name, func() {
			clustertest.Conforms(w.T, func(t *testing.T) clustertest.Subject {
				tried++
				w.well()
				return clustertest.Subject{Cluster: w.cluster, Target: w.target, Changes: []runbook.Change{one.changes()},
					Edit: func(*testing.T) { one.edit() }, State: func(*testing.T) any { return objects(w) }, Within: 2 * time.Minute}
			})
		})
	}
}

// arguments are those of a change.
func arguments(t *testing.T, args map[string]any) json.RawMessage {
	t.Helper()
	data, err := json.Marshal(args)
	if err != nil {
		t.Fatal(err)
	}
	return data
}
