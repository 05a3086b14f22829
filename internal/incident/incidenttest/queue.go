// Package incidenttest is what tests of incidents share: a runbook about a queue, and what is seen of it. Nothing of the
// store that the bot is made for is in it, so that nothing of it is in the engine. It holds no test.
package incidenttest

import (
	"encoding/json"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"redis-session-bot/internal/checks"
	"redis-session-bot/internal/evidence"
	"redis-session-bot/internal/runbook"
)

// Runbook is what a test writes itself of the runbook about a queue: whole sections of Markdown. Its first step reads
// the pods, and its verification is that the pod is ready.
type Runbook struct{ Steps, Scenarios, Measures, Drafts string }

// Load gives the runbook; the changes that it knows are mend and break.
func (r Runbook) Load(t testing.TB) *runbook.Runbook {
	t.Helper()
	takes := func(json.RawMessage) error { return nil }
	vocabulary := runbook.Vocabulary{Checks: map[string][]string{}, Changes: map[string]func(json.RawMessage) error{"mend": takes, "break": takes}}
	for _, check := range checks.All() {
		vocabulary.Checks[check.Name] = check.Fields
	}
	measures := ""
	if r.Measures != "" {
		measures = "## Measures\n" + r.Measures
	}
	drafts := ""
	if r.Drafts != "" {
		drafts = "## Drafts\n" + r.Drafts
	}
	book, err := runbook.Load("queue.md", []byte(`---
alert: QueueDown
related: [QueueSlow]
command: queue
target: {namespace: shop, workload: queue}
---
# Queue down
## Diagnosis
### Pods
What the pods say.
`+"```yaml\nid: pods\ncheck: pods\n```\n"+r.Steps+"## Scenarios\n"+r.Scenarios+measures+drafts+`## Verification
### Ready
`+"```yaml\nid: ready\ncheck: pods\nexpect: pods.exists(p, p.ready)\nsays: it is ready\notherwise: it is not ready\n```\n"), vocabulary)
	if err != nil {
		t.Fatalf("load the runbook of the queue: %v", err)
	}
	return book
}

// Seen is what every check sees of the queue: its one pod.
func Seen(ready bool) evidence.Bundle {
	status := corev1.ConditionFalse
	if ready {
		status = corev1.ConditionTrue
	}
	return evidence.Bundle{Pods: &corev1.PodList{Items: []corev1.Pod{{
		ObjectMeta: metav1.ObjectMeta{Name: "queue-0", Namespace: "shop", Labels: map[string]string{"app": "queue"}},
		Status:     corev1.PodStatus{Conditions: []corev1.PodCondition{{Type: corev1.PodReady, Status: status}}},
	}}}}
}
