package evidence_test

import (
	"testing"

	appsv1 "k8s.io/api/apps/v1"

	"redis-session-bot/internal/evidence"
)

// TestExportersThatNobodyCouldList: Deployments that were asked for by name say
// nothing of those beside them.
func TestExportersThatNobodyCouldList(t *testing.T) {
	bundle := evidence.Bundle{Deployments: &appsv1.DeploymentList{}, Missing: map[string]string{evidence.MissingExporters: "the bot may not list them"}}
	if got := evidence.Read(bundle, evidence.Target{}).Unknown["exporters"]; got != "the bot may not list them" {
		t.Errorf("unknown because of %q", got)
	}
	bundle.Add(evidence.Bundle{Deployments: &appsv1.DeploymentList{}})
	if got, unknown := evidence.Read(bundle, evidence.Target{}).Unknown["exporters"]; unknown {
		t.Errorf("still unknown because of %q, although they were listed", got)
	}
}
