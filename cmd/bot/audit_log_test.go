package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"redis-session-bot/internal/chain"
	"redis-session-bot/internal/incident"
	"redis-session-bot/internal/store/bolt"
	"redis-session-bot/internal/store/kube"
	"redis-session-bot/internal/store/kube/kubetest"
)

// told stores an incident of three lines.
func told(t *testing.T, store incident.Store) {
	t.Helper()
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	inc := incident.Incident{State: incident.Walking, Since: at}
	for _, text := range []string{"opened the incident", "ran \x1b[2J<every> step", "approved plan 1"} {
		inc.Timeline = append(inc.Timeline, incident.Entry{At: at, Actor: incident.Actor{ID: "U1", Name: "Ada"}, Text: text})
	}
	if _, err := store.Create(t.Context(), inc); err != nil {
		t.Fatal(err)
	}
}

func configured(t *testing.T, content string) (file string) {
	t.Helper()
	file = filepath.Join(t.TempDir(), "config.yaml")
	if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// TestAuditLog reads a trail that another process has open: a file, and ConfigMaps.
func TestAuditLog(t *testing.T) {
	path := filepath.Join(t.TempDir(), "incidents.db")
	file, err := bolt.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	server := kubetest.Start(t)
	kubeconfig := filepath.Join(t.TempDir(), "kubeconfig")
	through := clientcmdapi.NewConfig()
	through.Clusters["c"] = &clientcmdapi.Cluster{Server: server.Config().Host}
	through.Contexts["c"] = &clientcmdapi.Context{Cluster: "c", Namespace: "bots"}
	through.CurrentContext = "c"
	if err := clientcmd.WriteToFile(*through, kubeconfig); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		store  keeper
		config string
	}{
		"file":       {file, "store: {path: " + path + "}"},
		"kubernetes": {kube.New(server.Clients(t), "bots"), "store: {kind: kubernetes}\nkubeconfig: " + kubeconfig},
	} {
		t.Run(name, func(t *testing.T) {
			told(t, test.store)
			told(t, test.store)
			head, err := test.store.Head(context.Background())
			if err != nil {
				t.Fatal(err)
			}
			config := configured(t, test.config)
			code, output := bot(t, "audit-log", "--config", config)
			lines := strings.Split(strings.TrimSpace(output), "\n")
			if code != 0 || len(lines) != 6 || !strings.HasPrefix(lines[1], "2  2026-01-02 03:04:05 UTC  INC-1  Ada (U1)  ran  [2J<every> step  ") {
				t.Errorf("exit %d:\n%s", code, output)
			}
			code, output = bot(t, "audit-log", "--config", config, "--incident", "inc-2", "-o", "json")
			lines = strings.Split(strings.TrimSpace(output), "\n")
			var last chain.Entry
			if err := json.Unmarshal([]byte(lines[len(lines)-1]), &last); code != 0 || err != nil || len(lines) != 3 || last.Head() != head || last.Text != "approved plan 1" {
				t.Errorf("exit %d, %v:\n%s", code, err, output)
			}
			code, output = bot(t, "audit-log", "verify", "--config", config, "--head", head.String())
			want := fmt.Sprintf("OK: 6 entries of 2 incidents, nothing was touched.\nHead: %s\n", head)
			if code != 0 || !strings.HasPrefix(output, want) {
				t.Errorf("exit %d:\n%s", code, output)
			}
			later := head.Next(chain.Entry{}).Head()
			code, output = bot(t, "audit-log", "verify", "--config", config, "--head", later.String())
			if code != exitProblem || !strings.Contains(output, "Touched: see below. 6 entries of 2 incidents were read.") || !strings.Contains(output, "The trail ends with entry 6, and a head of entry 7 was kept") {
				t.Errorf("exit %d:\n%s", code, output)
			}
			code, output = bot(t, "audit-log", "verify", "--config", config, "-o", "json")
			if code != 0 || strings.TrimSpace(output) != fmt.Sprintf(`{"ok":true,"entries":6,"incidents":2,"head":"%s","troubles":[]}`, head) {
				t.Errorf("exit %d:\n%s", code, output)
			}
		})
	}
	for name, args := range map[string][]string{"no head": {"verify", "--head", "7"}, "another format": {"-o", "xml"}} {
		if code, output := bot(t, append([]string{"audit-log", "--config", configured(t, "store: {path: "+path+"}")}, args...)...); code != exitUsage {
			t.Errorf("%s: exit %d\n%s", name, code, output)
		}
	}
	if code, output := bot(t, "audit-log"); code != exitNoCluster {
		t.Errorf("no store: exit %d\n%s", code, output)
	}
}

// TestRBACOfTheStore: where incidents are kept in ConfigMaps, the bot may write
// them there and nowhere else.
func TestRBACOfTheStore(t *testing.T) {
	granted := `resources: [configmaps]
    verbs: [create, delete, get, list, patch, update, watch]`
	for _, test := range []struct{ config, namespace string }{
		{"store: {kind: kubernetes, namespace: incidents}", "incidents"},
		{"store: {kind: kubernetes}", "bots"},
		{"{}", ""},
	} {
		code, output := bot(t, "rbac", "--config", configured(t, test.config), "--service-account", "bots/bot")
		if code != 0 {
			t.Fatalf("exit %d:\n%s", code, output)
		}
		in := ""
		for manifest := range strings.SplitSeq(output, "---\n") {
			if strings.Contains(manifest, "# for store") {
				_, rest, _ := strings.Cut(manifest, "namespace: ")
				in, _, _ = strings.Cut(rest, "\n")
				if !strings.Contains(manifest, granted) || !strings.Contains(manifest, "kind: Role\n") {
					t.Errorf("%s:\n%s", test.config, manifest)
				}
			}
		}
		if in != test.namespace {
			t.Errorf("%s: it is granted in %q, not in %q", test.config, in, test.namespace)
		}
	}
}
