package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// bot runs a command line in an empty folder and returns its exit code and output.
func bot(t *testing.T, args ...string) (int, string) {
	t.Helper()
	t.Chdir(t.TempDir())
	var out bytes.Buffer
	cmd := root()
	cmd.SetArgs(args)
	cmd.SetOut(&out)
	cmd.SetErr(&out)
	return report(cmd.ExecuteContext(t.Context())), out.String()
}

// healthy is a bundle of a store that works.
func healthy(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	files := map[string]string{
		"meta.json": `{"at":"2026-01-02T03:04:05Z","namespace":"shop","workload":"sessions"}`,
		"pods.json": `{"kind":"List","items":[{"kind":"Pod","metadata":{"name":"sessions-0","namespace":"shop","labels":{"app":"sessions"}},
			"status":{"phase":"Running","conditions":[{"type":"Ready","status":"True"}]}}]}`,
		"probes.json": `{"reach":[{"from":"app","ok":true}],"redis":[{"pod":"sessions-0","ok":true,"keys":5}]}`,
	}
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestExitCodes(t *testing.T) {
	bad := filepath.Join(t.TempDir(), "bad.md")
	if err := os.WriteFile(bad, []byte("# no front matter\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	queue := filepath.Join(t.TempDir(), "queue.md")
	written, err := os.ReadFile(docs)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(queue, append(example.FindSubmatch(written)[1], '\n'), 0o600); err != nil {
		t.Fatal(err)
	}
	badConfig := filepath.Join(t.TempDir(), "config.yaml")
	if err := os.WriteFile(badConfig, []byte("slak: 1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	bundle, nothing := healthy(t), filepath.Join(t.TempDir(), "kubeconfig")
	if err := os.WriteFile(nothing, []byte("apiVersion: v1\nkind: Config\nclusters: [{name: a, cluster: {server: 'https://127.0.0.1:1'}}]\ncontexts: [{name: a, context: {cluster: a}}]\ncurrent-context: a\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("SLACK_BOT_TOKEN", "")
	tests := map[string]struct {
		args []string
		code int
	}{
		"the compiled-in runbook":    {[]string{"lint"}, 0},
		"a bad runbook":              {[]string{"lint", bad}, exitUsage},
		"a runbook that is not":      {[]string{"lint", "nowhere.md"}, exitUsage},
		"a healthy bundle":           {[]string{"diagnose", "--from", bundle}, 0},
		"a bundle of nearly nothing": {[]string{"diagnose", "--from", nearlyNothing(t)}, exitNoCluster},
		"no bundle":                  {[]string{"diagnose", "--from", t.TempDir()}, exitUsage},
		"another format":             {[]string{"diagnose", "-o", "xml"}, exitUsage},
		"an unknown target":          {[]string{"diagnose", "moon"}, exitUsage},
		"an unknown flag":            {[]string{"diagnose", "--nope"}, exitUsage},
		"bad config":                 {[]string{"diagnose", "--config", badConfig}, exitUsage},
		"no API server":              {[]string{"diagnose", "--kubeconfig", nothing}, exitNoCluster},
		"serving without a token":    {[]string{"serve"}, exitUsage},
		"an unknown command":         {[]string{"dance"}, exitUsage},
		"the version":                {[]string{"--version"}, 0},
		"a bundle saved elsewhere":   {[]string{"diagnose", "--from", bundle, "--save", filepath.Join(t.TempDir(), "copy")}, 0},
		"no store to audit":          {[]string{"audit", "--kubeconfig", nothing}, exitNoCluster},
		"an audit elsewhere":         {[]string{"audit", "moon"}, exitUsage},
		"an audit in YAML":           {[]string{"audit", "-o", "yaml"}, exitUsage},
		"an audit of a queue":        {[]string{"audit", "--runbook", queue}, exitUsage},
		"no store to copy":           {[]string{"ha", "--kubeconfig", nothing}, exitNoCluster},
		"a copy of a queue":          {[]string{"ha", "--runbook", queue}, exitUsage},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if code, output := bot(t, test.args...); code != test.code {
				t.Errorf("exit %d, want %d:\n%s", code, test.code, output)
			}
		})
	}
}

// nearlyNothing is a bundle that names no cause and is no clean bill.
func nearlyNothing(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "probes.json"), []byte(`{"redis":[{"pod":"redis-session-0","ok":true}]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestDiagnosisAsJSONHasTheAgreedShape(t *testing.T) {
	code, output := bot(t, "diagnose", "-o", "json", "--from", healthy(t))
	var d map[string]any
	if err := json.Unmarshal([]byte(output), &d); err != nil || code != 0 {
		t.Fatalf("exit %d, %v\n%s", code, err, output)
	}
	for _, key := range []string{"runbook", "target", "at", "healthy", "steps", "verdict", "ranked"} {
		if d[key] == nil {
			t.Errorf("no %q", key)
		}
	}
	verdict := d["verdict"].(map[string]any)
	if len(d) != 7 || d["target"] != "shop/sessions" || verdict["scenario"] != "healthy" || !strings.Contains(output, `"tookMs"`) {
		t.Errorf("%s", output)
	}
}
