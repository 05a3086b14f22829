package alerts_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"redis-session-bot/internal/alerts"
	"redis-session-bot/internal/evidence"
	"redis-session-bot/internal/incident"
)

// received is what Alertmanager 0.25 sends, to the byte.
const received = `{"receiver":"redis-session-bot","status":"firing","alerts":[{"status":"firing","labels":{"alertname":"RedisSessionStoreDown","instance":"10.88.0.5:9121","job":"redis-session","severity":"critical"},"annotations":{"summary":"The Redis session store is down."},"startsAt":"2026-01-02T02:41:00.5Z","endsAt":"0001-01-01T00:00:00Z","generatorURL":"http://p:9090/graph","fingerprint":"d9fbf7a3e1ab1b8d"}],"groupLabels":{"alertname":"RedisSessionStoreDown"},"commonLabels":{},"commonAnnotations":{},"externalURL":"http://a:9093","version":"4","groupKey":"{}:{alertname=\"RedisSessionStoreDown\"}","truncatedAlerts":0}` + "\n"

type incidents struct {
	notices []incident.Notice
	fails   error
}

func (i *incidents) Alerted(_ context.Context, notice incident.Notice) error {
	i.notices = append(i.notices, notice)
	return i.fails
}

func handler() (*alerts.Handler, *incidents) {
	told := &incidents{}
	return &alerts.Handler{Token: "s3cret", Runbook: "redis-session", Known: []string{"RedisSessionStoreDown", "SessionStoreErrors"},
		Targets: []evidence.Target{{Name: "production", Namespace: "langgraph-agent"}, {Name: "eu", Namespace: "sessions"}, {Name: "us", Namespace: "sessions", Context: "us"}},
		Rules:   []alerts.Rule{{Label: "cluster", Value: "us-1", Target: "us"}}, Place: func(context.Context) (incident.Place, error) { return incident.Place{Channel: "C1"}, nil },
		Incidents: told, Log: slog.New(slog.DiscardHandler)}, told
}

func send(h http.Handler, change func(r *http.Request), body string) *httptest.ResponseRecorder {
	request := httptest.NewRequest(http.MethodPost, alerts.Path, strings.NewReader(body))
	request.Header.Set("Authorization", "Bearer s3cret")
	request.Header.Set("Content-Type", "application/json")
	if change != nil {
		change(request)
	}
	answer := httptest.NewRecorder()
	h.ServeHTTP(answer, request)
	return answer
}

func TestANotificationIsHandedOn(t *testing.T) {
	h, told := handler()
	if answer := send(h, nil, received); answer.Code != http.StatusOK || answer.Body.String() != "Taken: 1 of 1.\n" {
		t.Fatalf("%d %s", answer.Code, answer.Body)
	}
	want := []incident.Notice{{Runbook: "redis-session", Target: h.Targets[0], Place: incident.Place{Channel: "C1"}, Alerts: []incident.Alert{{
		Fingerprint: "d9fbf7a3e1ab1b8d", Name: "RedisSessionStoreDown", StartsAt: time.Date(2026, 1, 2, 2, 41, 0, 5e8, time.UTC),
		Labels: map[string]string{"instance": "10.88.0.5:9121", "job": "redis-session", "severity": "critical"}, Says: "The Redis session store is down."}}}}
	if diff := cmp.Diff(want, told.notices); diff != "" {
		t.Errorf("want (-), told (+):\n%s", diff)
	}
}

// body is a notification of alerts that are written as NAME or NAME LABEL=VALUE.
func body(t *testing.T, written ...string) string {
	t.Helper()
	var all []map[string]any
	for n, one := range written {
		words := strings.Fields(one)
		labels := map[string]string{"alertname": words[0]}
		for _, word := range words[1:] {
			name, value, _ := strings.Cut(word, "=")
			labels[name] = value
		}
		all = append(all, map[string]any{"status": "firing", "labels": labels, "startsAt": "2026-01-02T02:41:00Z", "endsAt": "0001-01-01T00:00:00Z", "fingerprint": fmt.Sprint(n)})
	}
	data, err := json.Marshal(map[string]any{"version": "4", "alerts": all})
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func TestLabelsSayWhichTarget(t *testing.T) {
	tests := map[string]struct {
		alerts []string
		want   string // targets with the number of their alerts
	}{
		"nothing said":           {[]string{"RedisSessionStoreDown"}, "production 1"},
		"a namespace":            {[]string{"RedisSessionStoreDown namespace=sessions"}, "eu 1"},
		"another namespace":      {[]string{"RedisSessionStoreDown namespace=monitoring"}, "production 1"},
		"a rule goes first":      {[]string{"RedisSessionStoreDown namespace=langgraph-agent cluster=us-1"}, "us 1"},
		"a rule that fits not":   {[]string{"RedisSessionStoreDown namespace=sessions cluster=eu-1"}, "eu 1"},
		"several":                {[]string{"RedisSessionStoreDown", "SessionStoreErrors namespace=sessions", "SessionStoreErrors"}, "production 2, eu 1"},
		"beside one of nobody's": {[]string{"DiskFull", "SessionStoreErrors"}, "production 1"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			h, told := handler()
			if answer := send(h, nil, body(t, test.alerts...)); answer.Code != http.StatusOK {
				t.Fatalf("%d %s", answer.Code, answer.Body)
			}
			var got []string
			for _, notice := range told.notices {
				got = append(got, fmt.Sprint(notice.Target.Name, " ", len(notice.Alerts)))
			}
			if strings.Join(got, ", ") != test.want {
				t.Errorf("%s, want %s", strings.Join(got, ", "), test.want)
			}
		})
	}
}

func TestAnythingElseIsRefused(t *testing.T) {
	edit := func(old, now string) string { return strings.Replace(received, old, now, 1) }
	header := func(name, value string) func(*http.Request) {
		return func(r *http.Request) { r.Header.Set(name, value) }
	}
	tests := map[string]struct {
		change func(*http.Request)
		body   string
		status int
		says   string
	}{
		"a GET":                     {func(r *http.Request) { r.Method = http.MethodGet }, received, 405, "POST"},
		"no token":                  {func(r *http.Request) { r.Header.Del("Authorization") }, received, 401, "bearer token"},
		"another token":             {header("Authorization", "Bearer s3cre"), received, 401, "bearer token"},
		"an empty token":            {header("Authorization", "Bearer "), received, 401, "bearer token"},
		"the token as a password":   {header("Authorization", "Basic s3cret"), received, 401, "bearer token"},
		"no content type":           {func(r *http.Request) { r.Header.Del("Content-Type") }, received, 415, "application/json"},
		"a form":                    {header("Content-Type", "application/x-www-form-urlencoded"), received, 415, "application/json"},
		"too much":                  {nil, strings.Repeat(" ", 9<<20), 413, "max_alerts"},
		"nothing":                   {nil, "", 400, "not its JSON"},
		"half of it":                {nil, received[:200], 400, "not its JSON"},
		"two of them":               {nil, received + received, 400, "behind"},
		"another version":           {nil, edit(`"version":"4"`, `"version":"5"`), 400, `version is "5"`},
		"an alert of another type":  {nil, edit(`"status":"firing","labels"`, `"status":1,"labels"`), 400, "not its JSON"},
		"an alert of another state": {nil, edit(`"status":"firing","labels"`, `"status":"pending","labels"`), 400, "neither firing nor resolved"},
		"an alert without a name":   {nil, edit(`"alertname":"RedisSessionStoreDown",`, ``), 400, "no label alertname"},
		"an alert of no one":        {nil, edit(`"fingerprint":"d9fbf7a3e1ab1b8d"`, `"fingerprint":""`), 400, "no fingerprint"},
		"an alert of no time":       {nil, edit(`2026-01-02T02:41:00.5Z`, `0001-01-01T00:00:00Z`), 400, "when it began"},
		"an end before the start":   {nil, edit(`"status":"firing","labels"`, `"status":"resolved","labels"`), 400, "before it began"},
		"no alerts":                 {nil, `{"version":"4","alerts":[]}`, 400, "no alert"},
		"alerts of nobody's":        {nil, edit(`"alertname":"RedisSessionStoreDown"`, `"alertname":"DiskFull"`), 422, "No runbook here is for DiskFull. Route only these here: RedisSessionStoreDown, SessionStoreErrors."},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			h, told := handler()
			answer := send(h, test.change, test.body)
			if answer.Code != test.status || !strings.Contains(answer.Body.String(), test.says) {
				t.Errorf("%d %q, want %d with %q", answer.Code, answer.Body, test.status, test.says)
			}
			if len(told.notices) != 0 || strings.Contains(answer.Body.String(), "s3cret") {
				t.Errorf("told %d notices, answered %q", len(told.notices), answer.Body)
			}
		})
	}
}

func TestWithoutATokenNobodyMaySend(t *testing.T) {
	h, told := handler()
	h.Token = ""
	answer := send(h, func(r *http.Request) { r.Header.Set("Authorization", "Bearer ") }, received)
	if answer.Code != http.StatusUnauthorized || len(told.notices) != 0 {
		t.Errorf("%d, %d notices", answer.Code, len(told.notices))
	}
}

func TestWhatIsNotStoredIsSentAgain(t *testing.T) {
	h, told := handler()
	told.fails = errors.New("the disk is full")
	if answer := send(h, nil, received); answer.Code != http.StatusInternalServerError || strings.Contains(answer.Body.String(), "disk") {
		t.Errorf("%d %s", answer.Code, answer.Body)
	}
}

// TestWhileTheChannelIsNotKnownAlertmanagerSendsAgain: Slack did not answer yet.
func TestWhileTheChannelIsNotKnownAlertmanagerSendsAgain(t *testing.T) {
	h, told := handler()
	h.Place = func(context.Context) (incident.Place, error) {
		return incident.Place{}, errors.New("no answer from Slack")
	}
	if answer := send(h, nil, received); answer.Code != http.StatusServiceUnavailable || len(told.notices) != 0 {
		t.Errorf("%d %s, %d notices", answer.Code, answer.Body, len(told.notices))
	}
}

// FuzzReceive: whatever the body is, it is answered, and no alert comes through
// without what an incident goes by.
func FuzzReceive(f *testing.F) {
	f.Add(received)
	f.Add(`{"version":"4","alerts":[{}]}`)
	f.Fuzz(func(t *testing.T, body string) {
		h, told := handler()
		answer := send(h, nil, body)
		if answer.Code >= 500 || answer.Code == 200 != (len(told.notices) > 0) {
			t.Errorf("%d, %d notices", answer.Code, len(told.notices))
		}
		for _, notice := range told.notices {
			for _, alert := range notice.Alerts {
				if alert.Fingerprint == "" || alert.StartsAt.Unix() <= 0 || !alert.EndsAt.IsZero() && alert.EndsAt.Before(alert.StartsAt) || len(alert.Labels) > 20 {
					t.Errorf("came through: %+v", alert)
				}
			}
		}
	})
}
