package k8s

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	metrics "k8s.io/metrics/pkg/client/clientset/versioned"
)

// api is an API server of canned answers, so that requests, refusals and
// silence are seen as a client sees them. Keys are paths; a list of pods may
// name its label selector after a "?".
type api struct {
	objects   map[string]any    // path -> object, printed as JSON
	texts     map[string]string // path -> text, for logs; "?previous" after it for the run before
	forbidden []string          // parts of paths
	silent    []string          // parts of paths that never answer
	create    http.HandlerFunc  // answers what is created; nil: nothing is

	mu    sync.Mutex
	asked []string
}

// cluster serves until the test ends.
func (a *api) cluster(t *testing.T, now time.Time) *Cluster {
	t.Helper()
	stop := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { a.serve(w, r, stop) }))
	t.Cleanup(func() { close(stop); server.Close() })
	cluster := openAt(t, &rest.Config{Host: server.URL, QPS: -1})
	cluster.Now = func() time.Time { return now }
	return cluster
}

func openAt(t *testing.T, config *rest.Config) *Cluster {
	t.Helper()
	clients, err := kubernetes.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	measures, err := metrics.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	return &Cluster{Clients: clients, Metrics: measures, REST: config, Now: time.Now}
}

func (a *api) serve(w http.ResponseWriter, r *http.Request, stop <-chan struct{}) {
	a.mu.Lock()
	a.asked = append(a.asked, r.Method+" "+r.URL.String())
	a.mu.Unlock()
	within := func(part string) bool { return strings.Contains(r.URL.Path, part) }
	if slices.ContainsFunc(a.silent, within) {
		select {
		case <-stop:
		case <-r.Context().Done():
		}
		return
	}
	if slices.ContainsFunc(a.forbidden, within) {
		status(w, http.StatusForbidden, metav1.StatusReasonForbidden, r.URL.Path+" is forbidden")
		return
	}
	if r.Method == http.MethodPost && a.create != nil {
		a.create(w, r)
		return
	}
	path := r.URL.Path
	if r.URL.Query().Get("previous") == "true" {
		path += "?previous"
	}
	if text, ok := a.texts[path]; ok {
		_, _ = w.Write([]byte(bound(text, r.URL.Query())))
		return
	}
	object, ok := a.objects[path+"?"+r.URL.Query().Get("labelSelector")]
	if !ok {
		object, ok = a.objects[path]
	}
	if !ok {
		status(w, http.StatusNotFound, metav1.StatusReasonNotFound, path+" not found")
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(object)
}

func status(w http.ResponseWriter, code int, reason metav1.StatusReason, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(metav1.Status{TypeMeta: metav1.TypeMeta{Kind: "Status", APIVersion: "v1"},
		Status: metav1.StatusFailure, Code: int32(code), Reason: reason, Message: message})
}

// bound cuts a log as the kubelet does: the last lines, then the first bytes of them.
func bound(text string, query url.Values) string {
	if lines, err := strconv.Atoi(query.Get("tailLines")); err == nil {
		all := strings.SplitAfter(strings.TrimSuffix(text, "\n"), "\n")
		text = strings.Join(all[max(0, len(all)-lines):], "") + "\n"
	}
	if limit, err := strconv.Atoi(query.Get("limitBytes")); err == nil {
		text = text[:min(len(text), limit)]
	}
	return text
}
