// Package prometheus reads what Prometheus kept about a store over the last
// hours, and adds it to what is read of the cluster.
//
// It owns the queries. It judges nothing, and Prometheus is only asked, never
// told.
package prometheus

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/prometheus/client_golang/api"
	v1 "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/prometheus/common/model"

	"redis-session-bot/internal/evidence"
	"redis-session-bot/internal/incident"
)

// Reader asks one Prometheus.
type Reader struct {
	URL      string // of its API, without /api/v1
	Token    string // bearer token; empty: none
	Selector string // labels of the store's series, such as job="redis-session"; $namespace and $workload are the target's
	Hours    time.Duration
	Now      func() time.Time
}

// samples is how many values a series has at most.
const samples = 360

// Read gives the series of a target. Its error is a sentence for people.
func (r *Reader) Read(ctx context.Context, target evidence.Target) (*evidence.Prometheus, error) {
	client, err := api.NewClient(api.Config{Address: r.URL, RoundTripper: bearer{r.Token}})
	if err != nil {
		return nil, fmt.Errorf("prometheus.url: %w", err)
	}
	now := r.Now().UTC()
	over := v1.Range{Start: now.Add(-r.Hours), End: now, Step: max(r.Hours/samples, time.Second).Round(time.Second)}
	selector := strings.NewReplacer("$namespace", target.Namespace, "$workload", target.Workload).Replace(r.Selector)
	var read evidence.Prometheus
	for _, series := range []struct {
		query string
		into  *[]evidence.Sample
	}{
		{"min(up{%s})", &read.Up},
		{"min(redis_up{%s})", &read.RedisUp},
		{"max(sum without (db) (redis_db_keys{%s}))", &read.Keys},
		{"max(redis_memory_used_bytes{%s})", &read.Memory},
		{"max(redis_memory_max_bytes{%s})", &read.MaxMemory},
	} {
		if *series.into, err = query(ctx, v1.NewAPI(client), fmt.Sprintf(series.query, selector), over); err != nil {
			return nil, err
		}
	}
	return &read, nil
}

func query(ctx context.Context, server v1.API, text string, over v1.Range) ([]evidence.Sample, error) {
	value, _, err := server.QueryRange(ctx, text, over)
	var answer *v1.Error
	var unreachable *url.Error
	switch {
	case errors.As(err, &answer):
		return nil, fmt.Errorf("prometheus refuses %s: %s", text, answer.Msg)
	case errors.As(err, &unreachable): // without the address, which may hold a password
		return nil, fmt.Errorf("prometheus does not answer: %w", unreachable.Err)
	case err != nil:
		return nil, fmt.Errorf("prometheus does not answer: %w", err)
	}
	matrix, ok := value.(model.Matrix)
	if !ok {
		return nil, fmt.Errorf("prometheus answers %s with a %s", text, value.Type())
	}
	var all []evidence.Sample
	for _, series := range matrix { // the queries leave one at most
		for _, sample := range series.Values {
			all = append(all, evidence.Sample{At: sample.Timestamp.Time().UTC(), Value: float64(sample.Value)})
		}
	}
	return all, nil
}

// bearer sends a token.
type bearer struct{ token string }

// RoundTrip implements http.RoundTripper.
func (b bearer) RoundTrip(r *http.Request) (*http.Response, error) {
	if b.token != "" {
		r = r.Clone(r.Context())
		r.Header.Set("Authorization", "Bearer "+b.token)
	}
	return http.DefaultTransport.RoundTrip(r)
}

// Cluster is another Cluster whose check of the usage also brings what
// Prometheus kept. Where Prometheus says nothing, the rest is read all the same.
type Cluster struct {
	incident.Cluster
	Reader *Reader
	Check  string // the check that brings it
}

// Look begins one round of reading.
func (c Cluster) Look(target evidence.Target) incident.Look {
	return look{c.Cluster.Look(target), c, target}
}

type look struct {
	incident.Look
	cluster Cluster
	target  evidence.Target
}

// Check runs one check.
func (l look) Check(ctx context.Context, check string) (evidence.Bundle, error) {
	if check != l.cluster.Check {
		return l.Look.Check(ctx, check)
	}
	type answer struct {
		kept *evidence.Prometheus
		err  error
	}
	asked := make(chan answer, 1)
	go func() {
		kept, err := l.cluster.Reader.Read(ctx, l.target)
		asked <- answer{kept, err}
	}()
	part, err := l.Look.Check(ctx, check)
	kept := <-asked
	part.Prometheus = kept.kept
	if kept.err != nil {
		if part.Missing == nil {
			part.Missing = map[string]string{}
		}
		part.Missing[evidence.FilePrometheus] = kept.err.Error()
	}
	return part, err
}
