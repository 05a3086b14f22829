// Package kubestore holds the store of several replicas against a real API
// server: the suite of all stores, with no more rights than bot rbac grants, and
// what a network does to its requests.
package kubestore

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"redis-session-bot/internal/chain"
	"redis-session-bot/internal/incident"
	"redis-session-bot/internal/store/kube"
	"redis-session-bot/internal/store/storetest"
	"redis-session-bot/lab/live"
)

const account = "redis-session-bot"

// home is a namespace where incidents are kept, and the account that may do so.
type home struct {
	live.Bench
	t         *testing.T
	namespace string
	admin     kubernetes.Interface
	as        *rest.Config
}

var homes atomic.Int64

// settle makes a namespace that is gone when the test ends.
func settle(t *testing.T) *home {
	t.Helper()
	bench, err := live.Open()
	if err != nil {
		t.Fatal(err)
	}
	h := &home{Bench: bench, t: t, namespace: fmt.Sprintf("kubestore-%d-%d", os.Getpid(), homes.Add(1))}
	config := h.config(h.Kubeconfig)
	h.admin = clients(t, config)
	_, err = h.admin.CoreV1().Namespaces().Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: h.namespace}}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := h.admin.CoreV1().Namespaces().Delete(context.Background(), h.namespace, metav1.DeleteOptions{}); err != nil {
			t.Error(err)
		}
	})
	h.as = rest.CopyConfig(config)
	h.as.Impersonate = rest.ImpersonationConfig{UserName: "system:serviceaccount:" + h.namespace + ":" + account,
		Groups: []string{"system:serviceaccounts", "system:authenticated"}}
	return h
}

func (h *home) config(kubeconfig string) *rest.Config {
	h.t.Helper()
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		h.t.Fatal(err)
	}
	config.QPS = -1
	return config
}

func clients(t *testing.T, config *rest.Config) kubernetes.Interface {
	t.Helper()
	clients, err := kubernetes.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	return clients
}

// settings is a configuration that keeps incidents here.
func (h *home) settings() string {
	h.t.Helper()
	file := filepath.Join(h.t.TempDir(), "config.yaml")
	content := fmt.Sprintf("store: {kind: kubernetes, namespace: %s}\nkubeconfig: %s\n", h.namespace, h.Kubeconfig)
	if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
		h.t.Fatal(err)
	}
	return file
}

func (h *home) bot(args ...string) (string, error) {
	command := exec.CommandContext(h.t.Context(), h.Bot, append(args, "--config", h.settings())...)
	output, err := command.CombinedOutput()
	return string(output), err
}

// grant gives the account what bot rbac prints for this namespace, and waits until
// the API server knows.
func (h *home) grant() {
	h.t.Helper()
	output, err := h.bot("rbac", "--service-account", h.namespace+"/"+account)
	if err != nil {
		h.t.Fatalf("bot rbac: %v\n%s", err, output)
	}
	documents, granted := utilyaml.NewYAMLReader(bufio.NewReader(bytes.NewReader([]byte(output)))), 0
	for {
		document, err := documents.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			h.t.Fatal(err)
		}
		object, _, err := scheme.Codecs.UniversalDeserializer().Decode(document, nil, nil)
		if err != nil {
			h.t.Fatal(err)
		}
		switch o := object.(type) {
		case *rbacv1.Role:
			if o.Namespace == h.namespace {
				_, err = h.admin.RbacV1().Roles(o.Namespace).Create(h.t.Context(), o, metav1.CreateOptions{})
				granted++
			}
		case *rbacv1.RoleBinding:
			if o.Namespace == h.namespace {
				_, err = h.admin.RbacV1().RoleBindings(o.Namespace).Create(h.t.Context(), o, metav1.CreateOptions{})
				granted++
			}
		}
		if err != nil {
			h.t.Fatal(err)
		}
	}
	if granted != 2 {
		h.t.Fatalf("bot rbac prints %d objects for %s:\n%s", granted, h.namespace, output)
	}
	as := clients(h.t, h.as)
	review := &authorizationv1.SelfSubjectAccessReview{Spec: authorizationv1.SelfSubjectAccessReviewSpec{
		ResourceAttributes: &authorizationv1.ResourceAttributes{Namespace: h.namespace, Verb: "create", Resource: "configmaps"}}}
	err = wait.PollUntilContextTimeout(h.t.Context(), 50*time.Millisecond, time.Minute, true, func(ctx context.Context) (bool, error) {
		answer, err := as.AuthorizationV1().SelfSubjectAccessReviews().Create(ctx, review, metav1.CreateOptions{})
		return err == nil && answer.Status.Allowed, err
	})
	if err != nil {
		h.t.Fatalf("the grant does not come into force: %v", err)
	}
}

// store is a replica's.
func (h *home) store() *kube.Store { return kube.New(clients(h.t, h.as), h.namespace) }

// TestStore runs the suite of all stores with what bot rbac grants.
func TestStore(t *testing.T) {
	storetest.Run(t, func(t *testing.T) storetest.Stores {
		h := settle(t)
		h.grant()
		one := h.store()
		if err := one.Check(t.Context()); err != nil {
			t.Fatal(err)
		}
		return storetest.Stores{One: one, Other: h.store()}
	})
}

func TestWhatTheBotMayNotDo(t *testing.T) {
	h := settle(t)
	err := h.store().Check(t.Context())
	if err == nil || !strings.Contains(err.Error(), "may not keep incidents in namespace "+h.namespace+": apply what `bot rbac` prints") {
		t.Errorf("without a Role: %v", err)
	}
	err = kube.New(h.admin, "no-such-namespace").Check(t.Context())
	if err == nil || !strings.Contains(err.Error(), "make the namespace, or name another one") {
		t.Errorf("without a namespace: %v", err)
	}
}

var began = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func line(text string) incident.Entry {
	return incident.Entry{At: began, Actor: incident.Actor{ID: "U1", Name: "Ada"}, Text: text}
}

func create(t *testing.T, store *kube.Store) incident.Incident {
	t.Helper()
	inc, err := store.Create(t.Context(), incident.Incident{State: incident.Walking, Since: began, Timeline: []incident.Entry{line("opened")}})
	if err != nil {
		t.Fatal(err)
	}
	return inc
}

func add(t *testing.T, store *kube.Store, inc incident.Incident, text string) incident.Incident {
	t.Helper()
	inc.Timeline = append(inc.Timeline, line(text))
	inc, err := store.Update(t.Context(), inc)
	if err != nil {
		t.Fatal(err)
	}
	return inc
}

// TestAnswersThatAreLost: a write whose answer is lost, and one that is lost itself,
// are done once; and the command says that nothing was touched.
func TestAnswersThatAreLost(t *testing.T) {
	for name, arrive := range map[string]bool{"the answer": true, "the request": false} {
		t.Run(name, func(t *testing.T) {
			h := settle(t)
			gate := live.NewGate(t, h.Kubeconfig)
			store := kube.New(clients(t, h.config(gate.Kubeconfig)), h.namespace)
			var mu sync.Mutex
			once := map[string]bool{}
			gate.Lose(arrive, func(r *http.Request) bool { // the first write of each kind
				mu.Lock()
				defer mu.Unlock()
				kind := r.Method + strings.Trim(filepath.Base(r.URL.Path), "0123456789")
				first := r.Method != http.MethodGet && !once[kind]
				once[kind] = true
				return first
			})
			inc := add(t, store, create(t, store), "ran every step")
			if lost := gate.Mend(); lost < 4 || inc.ID != "INC-1" || inc.Version != 2 {
				t.Errorf("%d were lost; %s, version %d", lost, inc.ID, inc.Version)
			}
			report, err := chain.Verify(t.Context(), store, store)
			if err != nil || len(report.Troubles) > 0 || report.Entries != 2 || report.Incidents != 1 {
				t.Errorf("%+v, %v", report, err)
			}
			output, err := h.bot("audit-log", "verify", "--head", report.Head.String())
			if err != nil || !strings.HasPrefix(output, "OK: 2 entries of 1 incidents, nothing was touched.") {
				t.Errorf("%v\n%s", err, output)
			}
		})
	}
}

// TestTampering: who edits a ConfigMap by hand is found.
func TestTampering(t *testing.T) {
	h := settle(t)
	store := kube.New(h.admin, h.namespace)
	add(t, store, create(t, store), "approved plan 1")
	head, err := store.Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := h.admin.CoreV1().ConfigMaps(h.namespace).Delete(t.Context(), "redis-session-bot-trail-000001", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	output, err := h.bot("audit-log", "verify", "--head", head.String())
	var ended *exec.ExitError
	if !errors.As(err, &ended) || ended.ExitCode() != 1 || !strings.Contains(output, "The trail ends with entry 0, and a head of entry 2 was kept") || !strings.Contains(output, "Line 1 of INC-1 is not in the trail") {
		t.Errorf("%v\n%s", err, output)
	}
}

// TestWatch: a replica learns what the other one has changed, and not of its own
// changes.
func TestWatch(t *testing.T) {
	h := settle(t)
	h.grant()
	store, other := h.store(), h.store()
	ctx, cancel := context.WithCancel(t.Context())
	heard, ended := make(chan string, 100), make(chan struct{})
	go func() { store.Watch(ctx, func(id string) { heard <- id }); close(ended) }()
	hears := func(id string) {
		t.Helper()
		select {
		case got := <-heard:
			if got != id {
				t.Errorf("heard of %s, not of %s", got, id)
			}
		case <-time.After(30 * time.Second):
			t.Fatalf("nobody tells of %s", id)
		}
	}
	theirs := create(t, other)
	hears(theirs.ID)
	own := create(t, store)
	theirs = add(t, other, theirs, "by the other one")
	hears(theirs.ID)
	add(t, other, own, "by the other one")
	hears(own.ID)
	theirs.State, theirs.ClosedAt = incident.Closed, began
	add(t, other, theirs, "closed")
	hears(theirs.ID)
	cancel()
	<-ended
}
