// Package telemetry measures what the bot does: requests, errors and durations
// of commands, checks, changes and pages, and the age of what is open.
//
// It wraps what is measured and owns the metrics' names. It decides nothing,
// and no label of it comes from what people or a cluster wrote.
package telemetry

import (
	"errors"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"redis-session-bot/internal/incident"
)

const namespace = "redis_session_bot"

// The outcomes of whatever is measured.
const (
	outcomeOK      = "ok"
	outcomeRefused = "refused" // nothing was changed, and somebody was told why
	outcomeFailed  = "failed"
	outcomeUnknown = "unknown" // a write or a page of which nobody knows whether it arrived
)

// Telemetry holds the bot's metrics. Make it with New.
type Telemetry struct {
	registry *prometheus.Registry
	now      func() time.Time
	commands measure
	checks   measure
	changes  measure
	prepares measure
	pages    measure
}

// measure counts by name and outcome, and times by name.
type measure struct {
	total   *prometheus.CounterVec
	seconds *prometheus.HistogramVec
}

// New makes the metrics. version is the bot's own.
func New(version string, now func() time.Time) *Telemetry {
	t := &Telemetry{registry: prometheus.NewRegistry(), now: now}
	t.registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	info := prometheus.NewGauge(prometheus.GaugeOpts{Namespace: namespace, Name: "build_info", Help: "1, with the bot's version.", ConstLabels: prometheus.Labels{"version": version}})
	info.Set(1)
	t.registry.MustRegister(info)
	t.commands = t.measure("command", "name", "Slash commands, buttons and forms, by what they ask for.", []float64{.005, .025, .1, .25, .5, 1, 2.5, 10})
	t.checks = t.measure("check", "check", "Checks of the diagnosis and the verification.", []float64{.1, .25, .5, 1, 2.5, 5, 10, 20})
	t.changes = t.measure("change", "change", "Writes to a cluster, by the kind of change, with the waiting for nothing but the API server's answer.", []float64{.05, .1, .25, .5, 1, 2.5, 10, 60})
	t.prepares = t.measure("plan", "change", "Plans made against a cluster, by their first change.", []float64{.25, .5, 1, 2.5, 5, 10, 30, 60, 300})
	t.pages = t.measure("page", "pager", "Calls to receivers outside: pages, acknowledgements, resolves and incident responses, by the pager's name.", []float64{.1, .25, .5, 1, 2.5, 5, 10, 30, 90})
	return t
}

func (t *Telemetry) measure(name, label, help string, buckets []float64) measure {
	m := measure{
		total: prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: namespace, Name: name + "s_total", Help: help}, []string{label, "outcome"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{Namespace: namespace, Name: name + "_duration_seconds",
			Help: "How long each took: " + help, Buckets: buckets}, []string{label}),
	}
	t.registry.MustRegister(m.total, m.seconds)
	return m
}

// since counts one that began at that time.
func (m measure) since(began, now time.Time, name, outcome string) {
	m.total.WithLabelValues(name, outcome).Inc()
	m.seconds.WithLabelValues(name).Observe(now.Sub(began).Seconds())
}

// outcomeOf sorts an error.
func outcomeOf(err error) string {
	var refusal *incident.Refusal
	var drift *incident.Drift
	switch {
	case err == nil:
		return outcomeOK
	case errors.As(err, &refusal), errors.As(err, &drift):
		return outcomeRefused
	}
	return outcomeFailed
}

// Slack adds whether the bot is connected to Slack.
func (t *Telemetry) Slack(connected func() bool) {
	t.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Namespace: namespace, Name: "slack_connected", Help: "1 while the bot is connected to Slack."}, func() float64 {
		if connected() {
			return 1
		}
		return 0
	}))
}

// Metrics answers Prometheus.
func (t *Telemetry) Metrics() http.Handler {
	return promhttp.HandlerFor(t.registry, promhttp.HandlerOpts{Registry: t.registry})
}
