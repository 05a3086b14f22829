package install

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"redis-session-bot/internal/slack/slacktest"
	"redis-session-bot/lab/cluster"
	"redis-session-bot/lab/faults"
	"redis-session-bot/lab/live"
	"redis-session-bot/lab/release"
	"redis-session-bot/lab/workload"
)

const (
	name     = "redis-session-bot"
	ops      = "install-ops"
	replicas = 2
)

// TestTheChartServes: two replicas of the bot under the chart's Role and nothing
// more. What the bot needs is there; a store is diagnosed, mended and put back; people
// are paged; one replica dies at once, and the other one goes on.
func TestTheChartServes(t *testing.T) {
	p := live.Admit(t, "install-store", workload.Deployment, "")
	paged := &pager{}
	receiver := httptest.NewServer(paged)
	t.Cleanup(receiver.Close)
	r := install(t, p, forward(t, receiver.Listener.Addr().String()).String())

	p.Type(fmt.Sprintf("kubectl -n %s exec deployment/%s -- /bot check", ops, name)) // it fails where anything is wrong
	if err := faults.Break(t.Context(), faults.Options{Kubeconfig: p.Admin, Namespace: p.Namespace}, "config-error"); err != nil {
		t.Fatal(err)
	}
	before := p.Objects()
	r.Diagnose("U_RESPONDER")
	r.Click("U_RESPONDER", r.Wait("Run all"), false)
	r.Until("the cause is named", time.Minute, func() bool { return strings.Contains(r.Seen(false), "Configuration error — certain") })
	r.Command("U_RESPONDER", "escalate")
	modal := r.WaitModal("U_RESPONDER")
	if wrong := r.Submit("U_RESPONDER", modal); len(wrong) > 0 {
		t.Fatalf("the page is refused: %v", wrong)
	}
	r.Until("somebody is paged", 30*time.Second, func() bool { return paged.pages.Load() == 1 })

	r.Click("U_RESPONDER", r.Wait("Plan: repair the configuration"), false)
	r.Click("U_APPROVER", r.Wait("Apply"), false)
	r.Until("the store is fixed", 5*time.Minute, func() bool { return strings.Contains(r.Seen(false), "Fixed at") })

	// One dies as on a node that is lost. Slack gives its clicks to the other one.
	p.Type(fmt.Sprintf("kubectl -n %[1]s delete --now $(kubectl -n %[1]s get pod -l app.kubernetes.io/name=%[2]s -o name | head -1)", ops, name))
	r.Click("U_APPROVER", r.Wait("Undo"), false)
	r.Until("the plan is undone", 4*time.Minute, func() bool { return strings.Contains(r.Seen(true), "undo plan 1 · applied") })
	if diff := cmp.Diff(before, p.Objects()); diff != "" {
		t.Errorf("after the undo the objects are not what they were (-before +after):\n%s", diff)
	}
	p.Type(rollout)
}

var rollout = fmt.Sprintf("kubectl -n %s rollout status deployment/%s --timeout=80s", ops, name)

// install installs the chart as docs/install.md says, in a workspace of its own.
func install(t *testing.T, p *live.Patient, receiver string) *live.Room {
	t.Helper()
	bridge, err := net.Listen("tcp", cluster.NodeIP+":0")
	if err != nil {
		t.Fatal(err)
	}
	workspace, err := slacktest.Start(t.Context(), slacktest.Options{Listen: "127.0.0.1:0", Forward: bridge.Addr().String()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		// Two replicas that post into one channel in one second do not know of each other's Retry-After.
		violations := slices.DeleteFunc(workspace.Violations(), func(v slacktest.Violation) bool { return v.Kind == "rate_limit_ignored" })
		if len(violations) > 0 {
			t.Errorf("rules of Slack's broken: %+v", violations)
		}
		if err := workspace.Close(); err != nil {
			t.Error(err)
		}
	})
	ready := workspace.Ready()
	pass(t, bridge, strings.TrimSuffix(strings.TrimPrefix(ready.Page, "http://"), "/"))
	folder := t.TempDir()
	secret := func(key, content string) string {
		file := filepath.Join(folder, key)
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return "--from-file=" + file
	}
	text, err := manifests("../../../deploy/chart", name, ops, map[string]any{
		"replicas": replicas, "image": map[string]any{"tag": image(t, p.Bot), "pullPolicy": "Never"},
		"config": map[string]any{
			"targets": []any{map[string]any{"name": "test", "namespace": p.Namespace}},
			"slack":   map[string]any{"api_url": ready.API, "channels": []any{"inc-redis"}},
			"roles":   map[string]any{"responders": []any{"U_RESPONDER"}, "approvers": []any{"@sre-oncall"}},
			"store":   map[string]any{"kind": "kubernetes"},
			"pagers": []any{map[string]any{"name": "duty", "type": "webhook", "url": "http://" + receiver,
				"key_file": "/etc/redis-session-bot/secret/page-key"}},
			"escalation": map[string]any{"levels": []any{map[string]any{"who": "@sre-oncall", "pagers": []any{"duty"}}}},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	chart := filepath.Join(folder, "chart.yaml")
	if err := os.WriteFile(chart, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		logs(t, p)
		p.Type("kubectl delete --ignore-not-found --wait=true --timeout=80s -f "+chart, "kubectl delete namespace --ignore-not-found --timeout=80s "+ops)
	})
	p.Type("kubectl create namespace "+ops,
		"kubectl label namespace "+ops+" pod-security.kubernetes.io/enforce=restricted",
		"kubectl -n "+ops+" create secret generic "+name+" "+secret("slack-bot-token", ready.BotToken)+" "+secret("slack-app-token", ready.AppToken)+" "+secret("page-key", "a key of the test"),
		"kubectl apply -f "+chart, rollout)
	return live.Enter(t, ready.Page)
}

// logs shows what the bots have said where a test has failed.
func logs(t *testing.T, p *live.Patient) {
	if t.Failed() {
		p.Type("kubectl -n "+ops+" get pods,events", "kubectl -n "+ops+" logs --prefix --tail=60 -l app.kubernetes.io/name="+name+" || true")
	}
}

// image gives the node the binary as an image, and its tag.
func image(t *testing.T, binary string) string {
	t.Helper()
	program, err := os.ReadFile(binary)
	if err != nil {
		t.Fatal(err)
	}
	tag := fmt.Sprintf("test-%.6x", sha256.Sum256(program))
	o := release.Options{Out: t.TempDir(), Version: tag}
	tar := filepath.Join(o.Out, name+"-"+tag+".tar")
	if err := release.Image(o, map[release.Platform]string{{OS: "linux", Arch: runtime.GOARCH}: binary}, tar); err != nil {
		t.Fatal(err)
	}
	if err := cluster.New(cluster.Options{}).Import(t.Context(), tar); err != nil {
		t.Fatal(err)
	}
	return tag
}

// forward listens on the node's bridge for what listens on loopback.
func forward(t *testing.T, to string) net.Addr {
	t.Helper()
	bridge, err := net.Listen("tcp", cluster.NodeIP+":0")
	if err != nil {
		t.Fatal(err)
	}
	pass(t, bridge, to)
	return bridge.Addr()
}

// pass takes connections for another address until the test ends.
func pass(t *testing.T, from net.Listener, to string) {
	var all sync.WaitGroup
	t.Cleanup(func() {
		_ = from.Close() // it ends the loop
		all.Wait()
	})
	all.Go(func() {
		for {
			one, err := from.Accept()
			if err != nil {
				return
			}
			other, err := net.Dial("tcp", to)
			if err != nil {
				_ = one.Close()
				continue
			}
			for _, way := range [][2]net.Conn{{one, other}, {other, one}} {
				all.Go(func() {
					_, _ = io.Copy(way[1], way[0]) // either end may hang up
					_, _ = way[0].Close(), way[1].Close()
				})
			}
		}
	})
}

// pager counts the pages that come.
type pager struct{ pages atomic.Int32 }

func (p *pager) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var notice struct {
		Event string `json:"event"`
	}
	if err := json.NewDecoder(r.Body).Decode(&notice); err == nil && notice.Event == "page" {
		p.pages.Add(1)
	}
}
