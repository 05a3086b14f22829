package k8s

import (
	"strings"
	"testing"

	"redis-session-bot/internal/evidence"
	"redis-session-bot/internal/runbook"
)

// TestRBACIsNoMoreThanAskedFor: what is not audited reads nothing for it, a
// backup claim is listed only where there is one, and a dry run's rights are extra.
func TestRBACIsNoMoreThanAskedFor(t *testing.T) {
	backed := testTarget
	backed.Backup = "backups"
	audited := &runbook.Runbook{Audit: "redis"}
	changing := func(kind string) *runbook.Runbook {
		return &runbook.Runbook{Scenarios: []runbook.Scenario{{Fixes: []runbook.Fix{{Changes: []runbook.Draft{{Kind: kind}}}}}}}
	}
	for _, test := range []struct {
		name   string
		book   *runbook.Runbook
		target evidence.Target
		extra  Extra
		has    []string
		hasNot []string
	}{
		{"another kind of store", &runbook.Runbook{}, testTarget, Extra{DryRun: true}, nil, []string{"poddisruptionbudgets", "create"}},
		{"an audit", audited, testTarget, Extra{}, []string{"poddisruptionbudgets", "cronjobs", "networkpolicies", "# for audit, ha"}, []string{"create, delete"}},
		{"an audit with backups", audited, backed, Extra{}, []string{"resources: [pods]\n    verbs: [create, delete, get, list]"}, nil},
		{"who scales", changing(changeReplicas), testTarget, Extra{}, []string{"resources: [horizontalpodautoscalers]\n    verbs: [list]", "# for set-replicas"}, []string{"verticalpodautoscalers"}},
		{"who scales what is stopped", changing(changeRepairAOF), testTarget, Extra{}, []string{"horizontalpodautoscalers"}, []string{"verticalpodautoscalers"}},
		{"who sizes", changing(changeResources), testTarget, Extra{}, []string{"resources: [verticalpodautoscalers]\n    verbs: [list]"}, []string{"horizontalpodautoscalers"}},
		{"who sizes what an earlier revision had", changing(changeRollBack), testTarget, Extra{}, []string{"verticalpodautoscalers"}, []string{"horizontalpodautoscalers"}},
		{"nobody scales or sizes", changing(changeRestart), testTarget, Extra{}, []string{"deployments"}, []string{"autoscalers"}},
		{"a dry run", audited, testTarget, Extra{DryRun: true}, []string{"resources: [statefulsets]\n    verbs: [create]", "resources: [poddisruptionbudgets]\n    verbs: [create, list]", "the dry run of ha"}, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			manifests, err := RBAC(test.book, []evidence.Target{test.target}, Account{Namespace: "ns", Name: "bot"}, test.extra)
			if err != nil {
				t.Fatal(err)
			}
			for _, text := range test.has {
				if !strings.Contains(string(manifests), text) {
					t.Errorf("no %q in\n%s", text, manifests)
				}
			}
			for _, text := range test.hasNot {
				if strings.Contains(string(manifests), text) {
					t.Errorf("%q is in\n%s", text, manifests)
				}
			}
		})
	}
}
