// Package look tries the bot's six checks on a real cluster, on both shapes of
// the workload, with canaries for secrets.
package look

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	metrics "k8s.io/metrics/pkg/client/clientset/versioned"

	"redis-session-bot/internal/evidence"
	"redis-session-bot/internal/k8s"
	"redis-session-bot/internal/redis"
	"redis-session-bot/lab/cluster"
	"redis-session-bot/lab/workload"
)

// canary is the password of every copy; nothing that the bot returns may hold it.
const canary = "canary-live-6bc1bee2"

// checks are the six.
var checks = []string{k8s.CheckPods, k8s.CheckLogs, k8s.CheckEndpoints, k8s.CheckUsage, k8s.CheckReach, k8s.CheckVolumes}

// patient is one copy of the workload and the bot's view of it.
type patient struct {
	cluster  *k8s.Cluster
	admin    kubernetes.Interface
	target   evidence.Target
	options  workload.Options
	requests *atomic.Int64
}

// admit brings a copy of the workload in a namespace of its own.
func admit(t *testing.T, shape string) *patient {
	t.Helper()
	repo, err := filepath.Abs("../../..")
	if err != nil {
		t.Fatal(err)
	}
	lab, err := cluster.Up(t.Context(), cluster.Options{Repo: repo, Images: workload.Images})
	if err != nil {
		t.Fatal(err)
	}
	options := workload.Options{Kubeconfig: lab.Kubeconfig, Namespace: "look-" + shape, Shape: shape, Password: canary}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
		defer cancel()
		if err := workload.Down(ctx, options); err != nil {
			t.Error(err)
		}
	})
	if err := workload.Up(t.Context(), options); err != nil {
		t.Fatal(err)
	}
	return open(t, options)
}

// open looks at a copy with every request counted.
func open(t *testing.T, options workload.Options) *patient {
	t.Helper()
	config, err := clientcmd.BuildConfigFromFlags("", options.Kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	config.QPS = -1
	p := &patient{options: options, requests: &atomic.Int64{}, target: evidence.Target{Namespace: options.Namespace,
		Workload: workload.Redis, Container: workload.RedisContainer, Service: "redis-session", Port: 6379,
		Config: workload.RedisConfig, ConfigKey: workload.RedisConfigKey, Secret: workload.Secrets, SecretKey: workload.PasswordKey,
		App: workload.Agent}}
	p.admin = kubernetes.NewForConfigOrDie(rest.CopyConfig(config))
	config.Wrap(func(next http.RoundTripper) http.RoundTripper {
		return counting(func(r *http.Request) (*http.Response, error) { p.requests.Add(1); return next.RoundTrip(r) })
	})
	p.cluster = &k8s.Cluster{Clients: kubernetes.NewForConfigOrDie(config), Metrics: metrics.NewForConfigOrDie(config), REST: config,
		Prober: redis.Prober{Now: time.Now}, Now: time.Now}
	return p
}

type counting func(*http.Request) (*http.Response, error)

func (c counting) RoundTrip(r *http.Request) (*http.Response, error) { return c(r) }

// look runs all six at once and fails on a canary.
func (p *patient) look(t *testing.T) evidence.Bundle {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	round := p.cluster.Look(p.target)
	var (
		mu     sync.Mutex
		bundle evidence.Bundle
		group  sync.WaitGroup
	)
	for _, check := range checks {
		group.Go(func() {
			part, err := round.Check(ctx, check)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				t.Errorf("%s: %v", check, err)
			}
			bundle.Add(part)
		})
	}
	group.Wait()
	p.searchCanary(t, bundle)
	return bundle
}

func (p *patient) searchCanary(t *testing.T, bundle evidence.Bundle) {
	t.Helper()
	data, err := json.Marshal(bundle)
	if err != nil {
		t.Fatal(err)
	}
	all := string(data) + fmt.Sprint(bundle.Logs)
	for _, form := range []string{canary, base64.StdEncoding.EncodeToString([]byte(canary))} {
		if at := strings.Index(all, form); at >= 0 {
			t.Errorf("the canary leaves: …%s…", all[max(0, at-120):min(len(all), at+60)])
		}
	}
}

// write saves what was seen beside the test's output when it failed.
func write(t *testing.T, bundle evidence.Bundle) {
	t.Helper()
	if !t.Failed() {
		return
	}
	dir, err := os.MkdirTemp("", "look")
	if err == nil && evidence.Save(bundle, filepath.Join(dir, "bundle")) == nil {
		t.Logf("the bundle is in %s/bundle", dir)
	}
}

func TestLook(t *testing.T) {
	for _, shape := range workload.Shapes() {
		if testing.Short() && shape != workload.StatefulSet {
			continue
		}
		t.Run(shape, func(t *testing.T) {
			t.Parallel()
			p := admit(t, shape)
			t.Run("healthy", func(t *testing.T) { healthy(t, p) })
			t.Run("crowded", func(t *testing.T) { crowded(t, p) })
			t.Run("forbidden", func(t *testing.T) { forbidden(t, p) })
			t.Run("canaries", func(t *testing.T) { canaries(t, p) })
		})
	}
}

// healthy reads everything, with few requests, however many pods are beside.
func healthy(t *testing.T, p *patient) {
	p.requests.Store(0)
	bundle := p.look(t)
	defer write(t, bundle)
	if n := p.requests.Load(); n > 15 {
		t.Errorf("%d requests", n)
	} else {
		t.Logf("%d requests", n)
	}
	for source, why := range bundle.Missing {
		if source != evidence.FileMetrics { // it has no measure of a pod this young
			t.Errorf("%s is missing: %s", source, why)
		}
	}
	e := evidence.Read(bundle, p.target)
	switch {
	case len(e.Pods) != 1 || !e.Pods[0].Ready || len(e.Neighbours) != 2:
		t.Errorf("pods: %+v, neighbours: %d", e.Pods, len(e.Neighbours))
	case !e.Workload.Exists || len(e.Revisions) == 0:
		t.Errorf("workload %+v, %d revisions", e.Workload, len(e.Revisions))
	case !e.Config.Exists || len(e.Config.Directives) == 0:
		t.Errorf("config: %+v", e.Config)
	case len(e.Service.Selects) != 1 || len(e.Endpoints) != 1 || !e.Endpoints[0].Ready:
		t.Errorf("service: %+v, endpoints: %+v", e.Service, e.Endpoints)
	case len(e.Reach) != 1 || !e.Reach[0].OK || e.Reach[0].Via != "nc":
		t.Errorf("reach: %+v", e.Reach)
	case len(e.Redis) != 1 || !e.Redis[0].OK || e.Redis[0].Keys < 1 || e.Redis[0].Info[redis.KeyNeedsPassword] != "yes":
		t.Errorf("redis: %+v", e.Redis)
	case len(e.Claims) != 1 || e.Claims[0].Phase != string(corev1.ClaimBound):
		t.Errorf("claims: %+v", e.Claims)
	case e.App.Ready != 2 || e.App.Created == "" || time.Since(e.App.CreatedAt) > time.Minute:
		t.Errorf("app: %+v", e.App)
	case len(e.Logs) == 0 || len(e.Logs[0].Lines) == 0:
		t.Errorf("logs: %+v", e.Logs)
	}
}

// canaries plants the password wherever one can stand, and makes Redis say it.
func canaries(t *testing.T, p *patient) {
	ctx := t.Context()
	maps := p.admin.CoreV1().ConfigMaps(p.target.Namespace)
	conf, err := maps.Get(ctx, p.target.Config, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	// Redis quotes the line that it refuses: the canary stands in its log then.
	conf.Data[p.target.ConfigKey] += "\nrequirepass " + canary + " one-too-many\nmasterauth " + canary + "\n"
	if _, err := maps.Update(ctx, conf, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	patch := []byte(`{"metadata":{"annotations":{"note":"password ` + canary + `"}},"spec":{"template":{"spec":{"containers":[{"name":"redis","env":[{"name":"EXTRA","value":"` + canary + `"}]}]}}}}`)
	apps := p.admin.AppsV1()
	if p.options.Shape == workload.StatefulSet {
		_, err = apps.StatefulSets(p.target.Namespace).Patch(ctx, p.target.Workload, types.StrategicMergePatchType, patch, metav1.PatchOptions{})
	} else {
		_, err = apps.Deployments(p.target.Namespace).Patch(ctx, p.target.Workload, types.StrategicMergePatchType, patch, metav1.PatchOptions{})
	}
	if err != nil {
		t.Fatal(err)
	}
	deadline := time.Now().Add(90 * time.Second)
	for {
		bundle := p.look(t)
		e := evidence.Read(bundle, p.target)
		refused := e.Config.Refused
		// For a moment the Service still leads to the pod that is gone: nobody answers there.
		settled := len(e.Reach) == 0 || e.Reach[0].Error != "i/o timeout"
		if settled && refused.Happened && refused.Directive == "requirepass" && len(e.Failing) > 0 {
			text := fmt.Sprint(e.Failing, refused, e.Config.Text)
			if !strings.Contains(text, "[redacted]") || strings.Contains(text, canary) {
				t.Errorf("it reads: %s", text)
			}
			if len(e.Redis) > 0 && (e.Redis[0].OK || e.Redis[0].Stage != "dial" || e.Redis[0].Error != "connection refused") {
				t.Errorf("redis: %+v", e.Redis)
			}
			if len(e.Reach) > 0 && (e.Reach[0].OK || e.Reach[0].Error != "connection refused") {
				t.Errorf("reach: %+v", e.Reach)
			}
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("Redis never refused the line, or the application is never refused: %+v\n%v\n%v\n%v", refused, e.Reach, e.Failing, e.Unknown)
		}
		<-time.After(time.Second)
	}
}

// crowded has more events of others in the namespace than one page holds.
func crowded(t *testing.T, p *patient) {
	events := p.admin.CoreV1().Events(p.target.Namespace)
	var group errgroup.Group
	group.SetLimit(20)
	for i := range 700 {
		group.Go(func() error {
			// Their names sort before those of the store's.
			_, err := events.Create(t.Context(), &corev1.Event{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("another-%d", i)},
				InvolvedObject: corev1.ObjectReference{Kind: "Pod", Namespace: p.target.Namespace, Name: "another"},
				Reason:         "Noise", Message: "redis-session is not meant", Type: corev1.EventTypeNormal,
				LastTimestamp: metav1.Now(), FirstTimestamp: metav1.Now()}, metav1.CreateOptions{})
			return err
		})
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
	p.requests.Store(0)
	e := evidence.Read(p.look(t), p.target)
	if n := p.requests.Load(); n > 15 {
		t.Errorf("%d requests", n)
	}
	pulled := slices.ContainsFunc(e.Events, func(one evidence.Event) bool { return one.Kind == "Pod" && one.Reason == "Started" })
	noise := slices.ContainsFunc(e.Events, func(one evidence.Event) bool { return one.Reason == "Noise" })
	if !pulled || noise {
		t.Errorf("the pod's own events: %t, others: %t, of %d", pulled, noise, len(e.Events))
	}
}

// forbidden looks as somebody who may see the workload and its pods only.
func forbidden(t *testing.T, p *patient) {
	ctx, namespace := t.Context(), p.target.Namespace
	role := &rbacv1.Role{ObjectMeta: metav1.ObjectMeta{Name: "little"}, Rules: []rbacv1.PolicyRule{
		{APIGroups: []string{""}, Resources: []string{"pods"}, Verbs: []string{"get", "list"}},
		{APIGroups: []string{""}, Resources: []string{"pods/portforward"}, Verbs: []string{"create", "get"}},
		{APIGroups: []string{"apps"}, Resources: []string{"deployments", "statefulsets"}, Verbs: []string{"get"}}}}
	binding := &rbacv1.RoleBinding{ObjectMeta: metav1.ObjectMeta{Name: "little"}, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: "little"},
		Subjects: []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: "little-" + namespace}}}
	if _, err := p.admin.RbacV1().Roles(namespace).Create(ctx, role, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := p.admin.RbacV1().RoleBindings(namespace).Create(ctx, binding, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	config := rest.CopyConfig(p.cluster.REST)
	config.Impersonate.UserName = "little-" + namespace
	little := *p
	little.cluster = &k8s.Cluster{Clients: kubernetes.NewForConfigOrDie(config), Metrics: metrics.NewForConfigOrDie(config), REST: config,
		Prober: redis.Prober{}, Now: time.Now}
	var bundle evidence.Bundle
	deadline := time.Now().Add(10 * time.Second)
	for bundle.Pods == nil { // the API server learns of a new role a moment later
		if time.Now().After(deadline) {
			t.Fatalf("not even the pods: %v", bundle.Missing)
		}
		bundle = little.look(t)
	}
	for _, source := range []string{evidence.FileEvents, evidence.FileServices, evidence.FileSlices, evidence.FileClaims, evidence.FileConfigMaps,
		evidence.FileClasses, evidence.FileSecrets, evidence.FileMetrics, evidence.SourceLogs, "logs#app", "probes.json#reach", "probes.json#redis"} {
		if !strings.Contains(bundle.Missing[source], "Add to its ") {
			t.Errorf("%s: %q", source, bundle.Missing[source])
		}
	}
	if e := evidence.Read(bundle, p.target); !e.Workload.Exists || len(e.Pods) != 1 || e.Knows("redis") || e.Knows("logs") {
		t.Errorf("workload %t, %d pods, unknown: %v", e.Workload.Exists, len(e.Pods), e.Unknown)
	}
}
