package k8s

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"redis-session-bot/internal/evidence"
)

const twoContexts = `
apiVersion: v1
kind: Config
clusters: [{name: c, cluster: {server: "http://127.0.0.1:1"}}]
users: [{name: u, user: {token: t}}]
contexts:
- {name: prod, context: {cluster: c, user: u}}
- {name: staging, context: {cluster: c, user: u}}
`

func TestClusters(t *testing.T) {
	t.Setenv("KUBERNETES_SERVICE_HOST", "")
	t.Setenv("KUBECONFIG", "")
	for _, test := range []struct{ name, file, context, want string }{
		{"a context", twoContexts, "prod", ""},
		{"the current context", twoContexts + "current-context: staging\n", "", ""},
		{"another context", twoContexts, "production", `has no context "production": it has prod, staging`},
		{"no current context", twoContexts, "", "has no current context: name one of prod, staging"},
		{"an empty file outside of a cluster", "apiVersion: v1\nkind: Config\n", "", "this is not a pod of a cluster: set KUBECONFIG or --kubeconfig"},
		{"not a kubeconfig", "{", "", "read the kubeconfig"},
	} {
		t.Run(test.name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "config")
			if err := os.WriteFile(file, []byte(test.file), 0o600); err != nil {
				t.Fatal(err)
			}
			clusters := &Clusters{Kubeconfig: file, Now: time.Now}
			first, err := clusters.Cluster(test.context)
			if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
				t.Fatalf("got %v, want %q", err, test.want)
			}
			if err != nil {
				if _, again := clusters.Look(evidence.Target{Context: test.context}).Check(t.Context(), CheckPods); again == nil || again.Error() != err.Error() {
					t.Errorf("a round says %v", again)
				}
				return
			}
			if second, _ := clusters.Cluster(test.context); second != first {
				t.Error("opened twice")
			}
		})
	}
	if _, err := (&Clusters{Kubeconfig: "/nonexistent/config"}).Cluster(""); err == nil || !strings.Contains(err.Error(), "/nonexistent/config") {
		t.Errorf("got %v", err)
	}
}

// TestARoundThatWasBegun: what was asked for ahead is asked for once, and the
// round after it begins anew.
func TestARoundThatWasBegun(t *testing.T) {
	now := time.Date(2026, 11, 23, 2, 50, 0, 0, time.UTC)
	server := namespace(now)
	clusters := &Clusters{Now: time.Now, open: map[string]*Cluster{"": server.cluster(t, now)}}
	for range 2 {
		server.asked = nil
		clusters.Begin(t.Context(), testTarget)
		bundle, err := clusters.Look(testTarget).Check(t.Context(), CheckPods)
		if err != nil || len(bundle.Pods.Items) != 1 {
			t.Fatalf("%v, pods %v", err, bundle.Pods)
		}
		once := map[string]int{}
		for _, request := range server.asked {
			once[request]++
			if once[request] > 1 {
				t.Errorf("asked again: %s", request)
			}
		}
		if len(once) == 0 {
			t.Error("the second round asked for nothing")
		}
	}
}

// TestContextsOfOneCluster are one cluster, unless another account is used there.
func TestContextsOfOneCluster(t *testing.T) {
	file := filepath.Join(t.TempDir(), "config")
	content := `{apiVersion: v1, kind: Config, clusters: [{name: eu, cluster: {server: "https://eu.example.com"}}], users: [{name: bot, user: {token: a}}, {name: admin, user: {token: b}}],
contexts: [{name: shop, context: {cluster: eu, user: bot, namespace: shop}}, {name: bank, context: {cluster: eu, user: bot, namespace: bank}}, {name: root, context: {cluster: eu, user: admin}}]}`
	if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	clusters := &Clusters{Kubeconfig: file, Now: time.Now}
	open := map[string]*Cluster{}
	for _, name := range []string{"shop", "bank", "root"} {
		cluster, err := clusters.Cluster(name)
		if err != nil {
			t.Fatal(err)
		}
		open[name] = cluster
	}
	if open["shop"] != open["bank"] || open["shop"] == open["root"] {
		t.Errorf("shop and bank are one cluster: %t; shop and root: %t", open["shop"] == open["bank"], open["shop"] == open["root"])
	}
}
