package live

import (
	"context"
	"crypto/sha256"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"sigs.k8s.io/yaml"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"redis-session-bot/internal/slack/slacktest"
	"redis-session-bot/lab/cluster"
	"redis-session-bot/lab/release"
)

// inside lets each bot that a test serves be pods in the cluster.
var inside = flag.Bool("inside", false, "the bot runs in the cluster, as the chart installs it, under its Role")

// Chart is an installation of the bot as docs/install.md says, from an image that
// holds nothing but its binary.
type Chart struct {
	Namespace string // its own; made, restricted, and taken away at the end
	Replicas  int
	Config    map[string]any    // beside the target, the channel and the roles
	Secrets   map[string]string // beside Slack's tokens
}

// name is what the chart's objects are called.
const name = "redis-session-bot"

// Rollout is the command line that waits for the bot's pods.
func (c Chart) Rollout() string {
	return fmt.Sprintf("kubectl -n %s rollout status deployment/%s --timeout=80s", c.Namespace, name)
}

// Run is the command line that runs the bot in one of its pods.
func (c Chart) Run(args string) string {
	return fmt.Sprintf("kubectl -n %s exec deployment/%s -- /bot %s", c.Namespace, name, args)
}

// Die is the command line that ends one of the pods as on a node that is lost.
func (c Chart) Die() string {
	return fmt.Sprintf("kubectl -n %[1]s delete --now $(kubectl -n %[1]s get pod -l app.kubernetes.io/name=%[2]s -o name | head -1)", c.Namespace, name)
}

// Install installs the chart in a workspace of its own. The bot runs there, and so
// do the patient's diagnoses.
func (p *Patient) Install(c Chart) *Room {
	p.T.Helper()
	bridge, err := net.Listen("tcp", cluster.NodeIP+":0")
	if err != nil {
		p.T.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(p.T.Context())) // it stays until what was registered after it is cleaned up
	workspace, err := slacktest.Start(ctx, slacktest.Options{Listen: "127.0.0.1:0", Forward: bridge.Addr().String()})
	if err != nil {
		p.T.Fatal(err)
	}
	p.T.Cleanup(func() {
		violations := workspace.Violations()
		if c.Replicas > 1 { // two that post into one channel in one second do not know of each other's Retry-After
			violations = slices.DeleteFunc(violations, func(v slacktest.Violation) bool { return v.Kind == "rate_limit_ignored" })
		}
		if len(violations) > 0 {
			p.T.Errorf("rules of Slack's broken: %+v", violations)
		}
		if err := workspace.Close(); err != nil {
			p.T.Error(err)
		}
		cancel()
	})
	ready := workspace.Ready()
	pass(p.T, bridge, strings.TrimSuffix(strings.TrimPrefix(ready.Page, "http://"), "/"))
	config := map[string]any{
		"targets": []any{map[string]any{"name": "test", "namespace": p.Namespace}},
		"slack":   map[string]any{"api_url": ready.API, "channels": []any{"inc-redis"}},
		"roles":   map[string]any{"responders": []any{"U_RESPONDER"}, "approvers": []any{"@sre-oncall"}},
		"store":   map[string]any{"kind": "kubernetes"},
	}
	maps.Copy(config, c.Config)
	tag, err := image()
	if err != nil {
		p.T.Fatal(err)
	}
	text, err := manifests("../../../deploy/chart", name, c.Namespace, map[string]any{
		"replicas": c.Replicas, "image": map[string]any{"tag": tag, "pullPolicy": "Never"}, "config": config})
	if err != nil {
		p.T.Fatal(err)
	}
	folder := p.T.TempDir()
	file := func(name, content string) string {
		file := filepath.Join(folder, name)
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			p.T.Fatal(err)
		}
		return file
	}
	chart := file("chart.yaml", text)
	secrets := ""
	for key, content := range c.Secrets {
		secrets += " --from-file=" + file(key, content)
	}
	r := Enter(p.T, ready.Page)
	r.Log = &pods{patient: p, namespace: c.Namespace}
	r.start, r.kill = func() { p.Type(c.Rollout()) }, func() { p.Type(c.Die()) }
	p.T.Cleanup(func() {
		if p.T.Failed() {
			p.Type("kubectl -n " + c.Namespace + " get pods,events")
			p.T.Logf("the bots' logs:\n%s", r.Log)
		}
		p.Type("kubectl delete --ignore-not-found --wait=true --timeout=80s -f "+chart, "kubectl delete namespace --ignore-not-found --timeout=80s "+c.Namespace)
	})
	p.Type("kubectl create namespace "+c.Namespace,
		"kubectl label namespace "+c.Namespace+" pod-security.kubernetes.io/enforce=restricted",
		"kubectl -n "+c.Namespace+" create secret generic "+name+" --from-file="+file("slack-bot-token", ready.BotToken)+" --from-file="+file("slack-app-token", ready.AppToken)+secrets,
		"kubectl apply -f "+chart, c.Rollout())
	p.installed = &c
	return r
}

// serveInside is ServeWith for pods.
func (p *Patient) serveInside(settings string, environment []string) *Room {
	p.T.Helper()
	config := map[string]any{}
	if err := yaml.Unmarshal([]byte(settings), &config); err != nil {
		p.T.Fatal(err)
	}
	if len(environment) > 0 {
		p.T.Fatal("a pod has its secrets as files")
	}
	return p.Install(Chart{Namespace: p.Namespace + "-bot", Replicas: 1, Config: config})
}

// pods are the bot's, as its log.
type pods struct {
	patient   *Patient
	namespace string
}

// String is what they have logged.
func (l *pods) String() string {
	ctx, clients := context.WithoutCancel(l.patient.T.Context()), l.patient.Copy.Clients.CoreV1().Pods(l.namespace) // also when the test has ended
	all, err := clients.List(ctx, metav1.ListOptions{})
	if err != nil {
		return err.Error()
	}
	var said strings.Builder
	for _, pod := range all.Items {
		for _, before := range []bool{true, false} {
			text, err := clients.GetLogs(pod.Name, &corev1.PodLogOptions{Previous: before}).DoRaw(ctx)
			if err == nil {
				fmt.Fprintf(&said, "%s:\n%s", pod.Name, text)
			}
		}
	}
	return said.String()
}

// image gives the node the bot's binary as an image, once for all tests, and is its
// tag.
var image = sync.OnceValues(func() (string, error) {
	b, err := Open()
	if err != nil {
		return "", err
	}
	program, err := os.ReadFile(b.Bot)
	if err != nil {
		return "", fmt.Errorf("read the bot's binary: %w", err)
	}
	folder, err := os.MkdirTemp("", "image")
	if err != nil {
		return "", fmt.Errorf("a folder for the image: %w", err)
	}
	defer func() { _ = os.RemoveAll(folder) }() // what is left of it is in the way of nobody
	o := release.Options{Out: folder, Version: fmt.Sprintf("test-%.6x", sha256.Sum256(program))}
	tar := filepath.Join(folder, name+"-"+o.Version+".tar")
	if err := release.Image(o, map[release.Platform]string{{OS: "linux", Arch: runtime.GOARCH}: b.Bot}, tar); err != nil {
		return "", err
	}
	return o.Version, cluster.New(cluster.Options{}).Import(context.Background(), tar)
})

// Forward listens on the node's bridge for what listens on loopback, so that pods
// reach it, until the test ends.
func Forward(t *testing.T, to string) net.Addr {
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
					_, err := io.Copy(way[1], way[0]) // either end may hang up
					_ = errors.Join(err, way[0].Close(), way[1].Close())
				})
			}
		}
	})
}
