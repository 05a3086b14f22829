package prometheus_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"redis-session-bot/internal/evidence"
	"redis-session-bot/internal/incident"
	"redis-session-bot/internal/prometheus"
)

var now = time.Date(2026, 1, 2, 3, 0, 0, 0, time.UTC)

// server answers range queries with one series of two values, as Prometheus
// writes it; what it was asked goes to asked.
func server(t *testing.T, asked *[]string) *prometheus.Reader {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer s3cret" {
			http.Error(w, "who is it?", http.StatusUnauthorized)
			return
		}
		*asked = append(*asked, strings.Join([]string{r.URL.Path, r.FormValue("query"), r.FormValue("start"), r.FormValue("end"), r.FormValue("step")}, " "))
		w.Header().Set("Content-Type", "application/json")
		if strings.Contains(r.FormValue("query"), "max_bytes") {
			fmt.Fprint(w, `{"status":"success","data":{"resultType":"matrix","result":[]}}`)
			return
		}
		fmt.Fprint(w, `{"status":"success","data":{"resultType":"matrix","result":[{"metric":{},"values":[[1767322740,"12403"],[1767322800,"0"]]}]}}`)
	}))
	t.Cleanup(s.Close)
	return &prometheus.Reader{URL: s.URL, Token: "s3cret", Selector: `job="redis-session",namespace="$namespace"`, Hours: 3 * time.Hour, Now: func() time.Time { return now }}
}

// cluster has read the metrics API.
type cluster struct {
	incident.Cluster
	fails error
}

func (c cluster) Look(evidence.Target) incident.Look { return c }

func (c cluster) Check(_ context.Context, check string) (evidence.Bundle, error) {
	return evidence.Bundle{Pods: &corev1.PodList{}, Meta: evidence.Meta{Workload: check, Namespace: "shop"}}, c.fails
}

func TestTheUsageBringsWhatPrometheusKept(t *testing.T) {
	var asked []string
	c := prometheus.Cluster{Cluster: cluster{}, Reader: server(t, &asked), Check: "usage"}
	look := c.Look(evidence.Target{Namespace: "shop"})
	if part, err := look.Check(t.Context(), "pods"); err != nil || part.Prometheus != nil || len(asked) != 0 {
		t.Errorf("another check: %+v, %v, asked %q", part.Prometheus, err, asked)
	}
	part, err := look.Check(t.Context(), "usage")
	if err != nil || part.Pods == nil || part.Meta.Workload != "usage" {
		t.Fatalf("%+v, %v", part, err)
	}
	if len(asked) != 5 || asked[0] != `/api/v1/query_range min(up{job="redis-session",namespace="shop"}) 1767312000 1767322800 30` {
		t.Errorf("asked:\n%s", strings.Join(asked, "\n"))
	}
	e := evidence.Read(part, evidence.Target{Namespace: "shop", Workload: "queue"})
	h := e.History
	if !h.Known || h.Keys != 0 || h.KeysBefore != 12403 || h.KeysAfter != 0 || !h.FellAt.Equal(now) || h.MaxMemory != -1 || h.MostKeys != 12403 {
		t.Errorf("%+v", h)
	}
}

func TestWithoutPrometheusTheRestIsRead(t *testing.T) {
	var asked []string
	tests := map[string]struct {
		spoil func(r *prometheus.Reader)
		says  string
	}{
		"nobody there":     {func(r *prometheus.Reader) { r.URL = "http://user:hunter2@127.0.0.1:1" }, "prometheus does not answer"},
		"another password": {func(r *prometheus.Reader) { r.Token = "" }, "prometheus refuses"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			reader := server(t, &asked)
			test.spoil(reader)
			part, err := prometheus.Cluster{Cluster: cluster{}, Reader: reader, Check: "usage"}.Look(evidence.Target{}).Check(t.Context(), "usage")
			why := part.Missing[evidence.FilePrometheus]
			if err != nil || part.Pods == nil || !strings.HasPrefix(why, test.says) || strings.Contains(why, "hunter2") || strings.Contains(why, "127.0.0.1:1/") {
				t.Errorf("%v, missing %q", err, why)
			}
			if e := evidence.Read(part, evidence.Target{}); e.History.Known || e.Unknown["history"] != why {
				t.Errorf("%+v, unknown %q", e.History, e.Unknown["history"])
			}
		})
	}
	fails := errors.New("the API server is gone")
	if _, err := (prometheus.Cluster{Cluster: cluster{fails: fails}, Reader: server(t, &asked), Check: "usage"}).Look(evidence.Target{}).Check(t.Context(), "usage"); !errors.Is(err, fails) {
		t.Errorf("the cluster's own error is lost: %v", err)
	}
}
