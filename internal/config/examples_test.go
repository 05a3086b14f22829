package config_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"redis-session-bot/internal/config"
)

// TestTheExamplesLoad: every file of deploy/examples is a configuration, and says
// what its comment promises.
func TestTheExamplesLoad(t *testing.T) {
	t.Setenv("ALERTS_TOKEN", "s3cret")
	t.Setenv("PAGERDUTY_ROUTING_KEY", strings.Repeat("r", 32))
	holds := map[string]func(c config.Config) bool{
		"defaults.yaml": func(c config.Config) bool { return len(c.Targets) == 0 && c.Store.Kind == config.StoreFile },
		"statefulset.yaml": func(c config.Config) bool {
			return len(c.Targets) == 1 && c.Targets[0].Workload == "session-cache" && c.Targets[0].ConfigKey == "valkey.conf" && c.Targets[0].Backup != "" && c.Alerts.Listen == ":9097"
		},
		"operator.yaml": func(c config.Config) bool {
			return len(c.Targets) == 1 && c.Targets[0].Service == "rfrm-sessions" && c.Approvals.BreakGlass.At != nil && c.Escalation.Levels[0].Times == 3 && c.Store.Kind == config.StoreKubernetes
		},
	}
	files, err := filepath.Glob("../../deploy/examples/*.yaml")
	if err != nil || len(files) != len(holds) {
		t.Fatalf("%q, %v", files, err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			c, err := config.Load(file)
			if err != nil {
				t.Fatal(err)
			}
			if len(c.Slack.Channels) == 0 || len(c.Roles.Responders) == 0 || len(c.Roles.Approvers) == 0 {
				t.Error("nobody can use it")
			}
			if !holds[filepath.Base(file)](c) {
				t.Errorf("%+v", c)
			}
			text, err := os.ReadFile(file)
			if err != nil || slices.ContainsFunc([]string{"xoxb-", "xapp-"}, func(token string) bool { return strings.Contains(string(text), token) }) {
				t.Errorf("it holds a token, or %v", err)
			}
		})
	}
}
