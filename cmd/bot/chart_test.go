package main

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"
	rbacv1 "k8s.io/api/rbac/v1"
	sigsyaml "sigs.k8s.io/yaml"

	"redis-session-bot/internal/evidence"
	"redis-session-bot/internal/k8s"
)

// chartRules is what the Helm chart grants. Its Roles are made of it, since a
// chart cannot run bot rbac.
const chartRules = "../../deploy/chart/files/rbac.yaml"

// chartNames are the keys of a target in config.yaml by which a rule may name
// an object. The chart puts the target's own name in place of $KEY.
var chartNames = evidence.Target{Namespace: "$namespace", Workload: "$workload", Container: "$container", Service: "$service", Config: "$config",
	ConfigKey: "$config_key", Secret: "$secret", SecretKey: "$secret_key", App: "$app", AppConfig: "$app_config"}

// TestTheChartGrantsWhatTheRunbookNeeds holds the chart's rules against those that bot
// rbac prints for the runbook that is compiled in.
func TestTheChartGrantsWhatTheRunbookNeeds(t *testing.T) {
	want := rulesOfChart(t)
	if *update {
		if err := os.WriteFile(chartRules, want, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	written, err := os.ReadFile(chartRules)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(written)); diff != "" {
		t.Errorf("deploy/chart/files/rbac.yaml is stale: go test ./cmd/bot -run TestTheChart -update\n-want +got:\n%s", diff)
	}
}

// rulesOfChart cuts the rules, with the comment at each of them, out of the manifests.
func rulesOfChart(t *testing.T) []byte {
	t.Helper()
	book, err := loadRunbook("")
	if err != nil {
		t.Fatal(err)
	}
	manifests, err := k8s.RBAC(book, []evidence.Target{chartNames}, k8s.Account{Namespace: "bot", Name: "bot", Store: "$store"}, k8s.Extra{})
	if err != nil {
		t.Fatal(err)
	}
	parts := map[string][]any{}
	for document := range strings.SplitSeq(string(manifests), "---\n") {
		var role rbacv1.ClusterRole
		if err := sigsyaml.Unmarshal([]byte(document), &role); err != nil {
			t.Fatal(err)
		}
		part := map[string]string{"Role $namespace": "target", "Role $store": "store", "ClusterRole ": "cluster"}[role.Kind+" "+role.Namespace]
		if part == "" {
			continue
		}
		var commented struct{ Rules []yaml.Node }
		if err := yaml.Unmarshal([]byte(document), &commented); err != nil {
			t.Fatal(err)
		}
		for i, rule := range role.Rules {
			parts[part] = append(parts[part], map[string]any{"why": strings.TrimPrefix(commented.Rules[i].HeadComment, "# "), "rule": rule})
		}
	}
	var out bytes.Buffer
	out.WriteString("# Made by `go test ./cmd/bot -run TestTheChart -update`; do not edit. The rules that `bot rbac` prints for the runbook that is\n" +
		"# compiled in: in the namespace of each target, in that of the store, and for the whole cluster. A name like $config is the\n" +
		"# target's own of that key. names are the runbook's, for the keys that a target leaves out.\n")
	own := book.Target
	names := map[string]any{"namespace": own.Namespace, "workload": own.Workload, "container": own.Container, "service": own.Service, "port": own.Port, "config": own.Config,
		"config_key": own.ConfigKey, "secret": own.Secret, "secret_key": own.SecretKey, "app": own.App, "app_config": own.AppConfig}
	text, err := sigsyaml.Marshal(map[string]any{"names": names, "target": parts["target"], "store": parts["store"], "cluster": parts["cluster"]})
	if err != nil {
		t.Fatal(err)
	}
	if len(parts["target"]) == 0 || len(parts["store"]) == 0 || len(parts["cluster"]) == 0 {
		t.Fatalf("bot rbac prints rules for %d places, not for three", len(parts))
	}
	out.Write(text)
	return out.Bytes()
}
