package telemetry_test

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"redis-session-bot/internal/commands"
	"redis-session-bot/internal/evidence"
	"redis-session-bot/internal/incident"
	"redis-session-bot/internal/runbook"
	"redis-session-bot/internal/telemetry"
)

// cluster answers as its errors say.
type cluster struct {
	incident.Cluster
	check, apply error
}

func (c cluster) Look(evidence.Target) incident.Look { return c }

func (c cluster) Check(context.Context, string) (evidence.Bundle, error) {
	return evidence.Bundle{}, c.check
}

func (c cluster) Prepare(context.Context, incident.Wanted) (incident.Prepared, error) {
	return incident.Prepared{}, nil
}

func (c cluster) Apply(context.Context, evidence.Target, incident.Write, incident.Actor) (string, error) {
	return "", c.apply
}

// clock moves by a second whenever it is looked at.
func clock() func() time.Time {
	now := time.Date(2026, 1, 2, 3, 0, 0, 0, time.UTC)
	return func() time.Time { now = now.Add(time.Second); return now }
}

func scrape(t *testing.T, handler http.Handler) string {
	t.Helper()
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	if w.Code != http.StatusOK {
		t.Fatalf("%d: %s", w.Code, w.Body)
	}
	return w.Body.String()
}

func mustHave(t *testing.T, text string, lines ...string) {
	t.Helper()
	for _, line := range lines {
		if !strings.Contains(text, line+"\n") {
			t.Errorf("%s is not there", line)
		}
	}
}

// pager answers so.
type pager struct{ err error }

func (p pager) Call(context.Context, incident.Summons) (string, error) { return "", p.err }

// doEverything does once, or a few times, whatever is counted.
func doEverything(t *testing.T, m *telemetry.Telemetry) {
	t.Helper()
	ctx := t.Context()
	wrapped := func(c cluster) incident.Cluster { return telemetry.Cluster{Cluster: c, Telemetry: m} }
	write := incident.Write{Verb: incident.Update, Changes: []runbook.Change{{Kind: "restart"}}}
	for _, apply := range []error{nil, nil, &incident.Refusal{Says: "no"}, &incident.Drift{Says: "changed"}, errors.New("connection lost")} {
		_, _ = wrapped(cluster{apply: apply}).Apply(ctx, evidence.Target{}, write, incident.Actor{})
	}
	_, _ = wrapped(cluster{}).Look(evidence.Target{}).Check(ctx, "pods")
	_, _ = wrapped(cluster{check: errors.New("gone")}).Look(evidence.Target{}).Check(ctx, "pods")
	_, _ = wrapped(cluster{}).Prepare(ctx, incident.Wanted{Changes: write.Changes})
	handler := telemetry.Handler{Telemetry: m, Handler: &commands.Handler{Incidents: &incident.Service{}, Command: "queue", Targets: []evidence.Target{{Name: "default"}}, Log: slog.New(slog.DiscardHandler)}}
	handler.Incidents.Runbooks = map[string]*runbook.Runbook{"queue": {}}
	for _, text := range []string{"help", "diagnose moon", "<!channel> 1234"} {
		handler.Handle(ctx, commands.Request{Command: "queue", Text: text})
	}
	for _, answer := range []error{nil, incident.ErrNotTaken, errors.New("no answer in time")} {
		_, _ = telemetry.Pager{Pager: pager{answer}, Name: "duty", Telemetry: m}.Call(ctx, incident.Summons{})
	}
}

func TestWhatIsDoneIsCounted(t *testing.T) {
	m := telemetry.New("v1", clock())
	doEverything(t, m)
	mustHave(t, scrape(t, m.Metrics()),
		`redis_session_bot_pages_total{outcome="ok",pager="duty"} 1`,
		`redis_session_bot_pages_total{outcome="refused",pager="duty"} 1`,
		`redis_session_bot_pages_total{outcome="unknown",pager="duty"} 1`,
		`redis_session_bot_build_info{version="v1"} 1`,
		`redis_session_bot_changes_total{change="restart",outcome="ok"} 2`,
		`redis_session_bot_changes_total{change="restart",outcome="refused"} 2`,
		`redis_session_bot_changes_total{change="restart",outcome="unknown"} 1`,
		`redis_session_bot_change_duration_seconds_sum{change="restart"} 5`,
		`redis_session_bot_checks_total{check="pods",outcome="failed"} 1`,
		`redis_session_bot_checks_total{check="pods",outcome="ok"} 1`,
		`redis_session_bot_plans_total{change="restart",outcome="ok"} 1`,
		`redis_session_bot_commands_total{name="help",outcome="ok"} 1`,
		`redis_session_bot_commands_total{name="diagnose",outcome="refused"} 1`,
		`redis_session_bot_commands_total{name="other",outcome="ok"} 1`)
}

// list is a store of these incidents.
type list struct {
	all []incident.Incident
	err error
}

func (l list) Recent(context.Context, time.Time) ([]incident.Incident, error) { return l.all, l.err }

func TestWhatIsOpenIsTold(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 0, 0, 0, time.UTC)
	at := func(state incident.State, ago time.Duration) incident.Incident {
		return incident.Incident{State: state, Since: now.Add(-ago)}
	}
	m := telemetry.New("v1", func() time.Time { return now })
	m.Incidents(list{all: []incident.Incident{at(incident.Closed, 9*time.Hour), at(incident.Fixed, 5*time.Hour), at(incident.Walking, time.Minute), at(incident.NotFixed, time.Hour)}})
	m.Slack(func() bool { return true })
	mustHave(t, scrape(t, m.Metrics()), `redis_session_bot_open_incidents{state="walking"} 1`, `redis_session_bot_open_incidents{state="applying"} 0`,
		`redis_session_bot_open_incidents{state="fixed"} 1`, `redis_session_bot_oldest_open_incident_age_seconds 3600`, `redis_session_bot_store_readable 1`,
		`redis_session_bot_slack_connected 1`)
	broken := telemetry.New("v1", func() time.Time { return now })
	broken.Incidents(list{err: errors.New("disk")})
	if text := scrape(t, broken.Metrics()); !strings.Contains(text, "redis_session_bot_store_readable 0\n") || strings.Contains(text, "open_incidents{") {
		t.Error("a store that cannot be read looks like one without incidents")
	}
}

func TestReady(t *testing.T) {
	good := telemetry.Condition{Name: "store", Holds: func(context.Context) error { return nil }}
	bad := telemetry.Condition{Name: "slack", Holds: func(context.Context) error { return errors.New("connecting") }}
	for _, test := range []struct {
		conditions []telemetry.Condition
		code       int
		slack      string
	}{{nil, 200, ""}, {[]telemetry.Condition{good}, 200, ""}, {[]telemetry.Condition{good, bad}, 503, "connecting"}} {
		w := httptest.NewRecorder()
		telemetry.Ready(test.conditions).ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/readyz", nil))
		var got map[string]string
		if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil || w.Code != test.code || got["slack"] != test.slack {
			t.Errorf("%d %v %v, want %d", w.Code, got, err, test.code)
		}
	}
}
