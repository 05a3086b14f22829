package telemetry

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"redis-session-bot/internal/incident"
)

// listWithin bounds how long a scrape waits for the store.
const listWithin = 5 * time.Second

// Lister lists what is open, and what was closed since then; none of that for the
// zero time.
type Lister interface {
	Recent(ctx context.Context, since time.Time) ([]incident.Incident, error)
}

// Incidents adds what is open, by state, and how old the oldest is, read from
// the store at each scrape.
func (t *Telemetry) Incidents(lister Lister) {
	t.registry.MustRegister(&incidents{lister: lister, now: t.now,
		open: prometheus.NewDesc(namespace+"_open_incidents", "Incidents that are not closed, by state.", []string{"state"}, nil),
		age:  prometheus.NewDesc(namespace+"_oldest_open_incident_age_seconds", "Seconds since the oldest incident began that is neither fixed nor closed; 0 without one.", nil, nil),
		read: prometheus.NewDesc(namespace+"_store_readable", "1 when the incidents could be read for this scrape.", nil, nil)})
}

type incidents struct {
	lister          Lister
	now             func() time.Time
	open, age, read *prometheus.Desc
}

// Describe names the metrics.
func (c *incidents) Describe(into chan<- *prometheus.Desc) {
	into <- c.open
	into <- c.age
	into <- c.read
}

// Collect reads the store.
func (c *incidents) Collect(into chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), listWithin)
	defer cancel()
	gauge := func(desc *prometheus.Desc, value float64, labels ...string) {
		into <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, value, labels...)
	}
	all, err := c.lister.Recent(ctx, time.Time{})
	if err != nil {
		gauge(c.read, 0)
		return
	}
	gauge(c.read, 1)
	states := map[incident.State]int{}
	oldest := time.Duration(0)
	for _, inc := range all {
		if !inc.Open() {
			continue
		}
		states[inc.State]++
		if inc.State != incident.Fixed {
			oldest = max(oldest, c.now().Sub(inc.Since))
		}
	}
	for _, state := range []incident.State{incident.Walking, incident.Stopped, incident.Applying, incident.Verifying, incident.Fixed, incident.NotFixed} {
		gauge(c.open, float64(states[state]), string(state))
	}
	gauge(c.age, oldest.Seconds())
}
