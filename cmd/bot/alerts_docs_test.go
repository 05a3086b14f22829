package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"redis-session-bot/internal/config"
)

// tool runs one of Prometheus' own tools; the set-up installs them.
func tool(t *testing.T, name string, args ...string) {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Fatalf("%s is not on this machine: run scripts/prometheus, then try again", name)
	}
	if output, err := exec.CommandContext(t.Context(), path, args...).CombinedOutput(); err != nil {
		t.Errorf("%s %s: %v\n%s", name, strings.Join(args, " "), err, output)
	}
}

// TestTheShippedRulesFire: by Prometheus' own judgement, on series that go as a
// store that breaks, or loses its exporter, does, and as a bot does that is not there.
func TestTheShippedRulesFire(t *testing.T) {
	for _, about := range []string{"redis-session", "bot"} {
		tool(t, "promtool", "check", "rules", "../../deploy/alerts/"+about+".rules.yaml")
		tool(t, "promtool", "test", "rules", "../../deploy/alerts/"+about+".test.yaml")
	}
}

// TestTheAlertsDocsCanBeCopied: Alertmanager takes the example receiver, the
// bot the example setting, and the route names every alert of the runbook.
func TestTheAlertsDocsCanBeCopied(t *testing.T) {
	written, err := os.ReadFile("../../docs/alerts.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllSubmatch(written, -1)
	if len(blocks) != 2 {
		t.Fatalf("%d examples", len(blocks))
	}
	dir := t.TempDir()
	file := func(name, content string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	receiver := regexp.MustCompile(`(?m)^   `).ReplaceAllString(string(blocks[1][1]), "")
	receiver = strings.ReplaceAll(receiver, "/etc/alertmanager/redis-session-bot.token", file("token", "s3cret"))
	tool(t, "amtool", "check-config", file("alertmanager.yaml", receiver))
	t.Setenv("ALERTS_TOKEN", "s3cret")
	if c, err := config.Load(file("config.yaml", regexp.MustCompile(`(?m)^   `).ReplaceAllString(string(blocks[0][1]), ""))); err != nil || c.Alerts.Listen != ":9097" {
		t.Errorf("%+v, %v", c.Alerts, err)
	}
	book, err := loadRunbook("")
	if err != nil {
		t.Fatal(err)
	}
	if want := strings.Join(append([]string{book.Alert}, book.Related...), "|"); !strings.Contains(receiver, `"`+want+`"`) {
		t.Errorf("the route does not match %s", want)
	}
}
