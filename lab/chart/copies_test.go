package chart

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	corev1 "k8s.io/api/core/v1"

	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
)

// TestTheChartBringsTheShippedRulesAndDashboard: a chart holds files of its own
// folder alone, so it has copies.
func TestTheChartBringsTheShippedRulesAndDashboard(t *testing.T) {
	for copied, shipped := range map[string]string{"bot.rules.yaml": "alerts/bot.rules.yaml", "dashboard.json": "grafana/redis-session-bot.json"} {
		want, err := os.ReadFile(filepath.Join(chartFolder, "..", shipped))
		if err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(filepath.Join(chartFolder, "files", copied))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(want, got) {
			t.Errorf("cp deploy/%s deploy/chart/files/%s", shipped, copied)
		}
	}
	all := objects(t, parse(t, "prometheusRule: {enabled: true}\ndashboard: {enabled: true}"))
	if rules := only[*monitoringv1.PrometheusRule](t, all).Spec.Groups[0].Rules; len(rules) < 5 || rules[0].Annotations["summary"] == "" {
		t.Errorf("%+v", rules)
	}
	shown := 0
	for _, one := range of[*corev1.ConfigMap](all) {
		want, err := os.ReadFile(filepath.Join(chartFolder, "files", "dashboard.json"))
		if err != nil {
			t.Fatal(err)
		}
		if one.Labels["grafana_dashboard"] == "1" && one.Data["redis-session-bot.json"] == string(want) {
			shown++
		}
	}
	if shown != 1 {
		t.Errorf("the dashboard is in %d ConfigMaps", shown)
	}
}
