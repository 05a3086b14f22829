package page_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"redis-session-bot/internal/evidence"
	"redis-session-bot/internal/incident"
	"redis-session-bot/internal/page"
	"redis-session-bot/internal/page/pagetest"
)

// The keys: none of them may ever be seen.
const (
	routingKey = "R0123456789abcdef0123456789ABCDE"
	genieKey   = "eb243592-canary-genie-key"
	signingKey = "whsec-canary"
)

func sender() *page.Sender { return &page.Sender{Now: time.Now, Pause: time.Millisecond} }

// summons is a page with everything in it, some of it from a cluster.
func summons(act incident.Act) incident.Summons {
	at := time.Date(2026, 1, 2, 2, 41, 0, 0, time.UTC)
	return incident.Summons{Act: act, Key: "redis-session-INC-7-20260102T024100Z", Number: 3, Incident: "INC-7", Runbook: "Redis session store down",
		Target: evidence.Target{Namespace: "langgraph-agent", Workload: "redis-session"}, Severity: "Critical", Level: 1, Who: "@sre-oncall", By: incident.Actor{ID: "U1", Name: "Ada"},
		At: at.Add(30 * time.Minute), Since: at, Summary: "Redis session store down: corrupt append-only file & <more>", Text: "Redis session store down\nImpact: all users",
		Impact: "Users are asked to sign in again.", State: "not fixed", Verdict: "Corrupt append-only file, certain", Because: []string{"it exits with 1 at every start"},
		Tried: []string{"plan 1, repair it: applied"}, Walker: "Ada", Link: "https://acme.slack.com/archives/C1/p1767321660000100"}
}

// ends are the three receivers, each with the pager that tells it.
func ends(t *testing.T) map[string]struct {
	end   *pagetest.End
	pager incident.Pager
} {
	t.Helper()
	duty, genie, hook := pagetest.PagerDuty(routingKey), pagetest.Opsgenie(genieKey), pagetest.Webhook(signingKey)
	for _, end := range []*pagetest.End{duty, genie, hook} {
		t.Cleanup(func() {
			end.Close()
			if wrong := end.Wrong(); len(wrong) > 0 {
				t.Errorf("not as published: %q", wrong)
			}
		})
	}
	responders := []page.Responder{{Type: "team", Name: "sre"}, {Type: "user", Username: "ada@example.com"}}
	return map[string]struct {
		end   *pagetest.End
		pager incident.Pager
	}{
		"PagerDuty": {duty, &page.PagerDuty{URL: duty.URL, RoutingKey: routingKey, Sender: sender()}},
		"Opsgenie":  {genie, &page.Opsgenie{URL: genie.URL + "/", Key: genieKey, Responders: responders, Sender: sender()}},
		"webhook":   {hook, &page.Webhook{URL: hook.URL, Key: signingKey, Sender: sender()}},
	}
}

func TestPageAcknowledgeResolve(t *testing.T) {
	for name, test := range ends(t) {
		t.Run(name, func(t *testing.T) {
			key := summons(incident.Trigger).Key
			for _, step := range []struct {
				act  incident.Act
				open map[string]bool
			}{
				{incident.Trigger, map[string]bool{key: false}},
				{incident.Trigger, map[string]bool{key: false}}, // a repeat is the same incident
				{incident.Acknowledge, map[string]bool{key: true}},
				{incident.Resolve, map[string]bool{}},
			} {
				if _, err := test.pager.Call(t.Context(), summons(step.act)); err != nil {
					t.Fatalf("%s: %v", step.act, err)
				}
				if diff := cmp.Diff(step.open, test.end.Open()); diff != "" {
					t.Errorf("after %s:\n%s", step.act, diff)
				}
			}
			told := test.end.Told()[0]
			if !strings.Contains(told.Text, "corrupt append-only file & <more>") {
				t.Errorf("the headline is %q", told.Text)
			}
			all := flat(told.Body)
			for _, want := range []string{"Users are asked to sign in again.", "2026-01-02T02:41:00Z", "Corrupt append-only file, certain", "it exits with 1 at every start",
				"plan 1, repair it: applied", "Ada", "https://acme.slack.com/archives/C1/p1767321660000100"} {
				if !strings.Contains(all, want) {
					t.Errorf("whoever wakes up does not read %q in %s", want, all)
				}
			}
		})
	}
}

// flat is every text of a body.
func flat(value any) string {
	switch v := value.(type) {
	case string:
		return v + "\n"
	case []any:
		text := ""
		for _, item := range v {
			text += flat(item)
		}
		return text
	case map[string]any:
		text := ""
		for _, item := range v {
			text += flat(item)
		}
		return text
	}
	return ""
}

// TestLongTextsAreCut on the borders of characters: the ends take what is left.
func TestLongTextsAreCut(t *testing.T) {
	long := strings.Repeat("é😀 ", 50_000)
	for name, test := range ends(t) {
		s := summons(incident.Trigger)
		s.Summary, s.Text, s.Impact, s.Verdict, s.State = long, long, long, long, "not fixed"
		s.Because, s.Tried = []string{long, long, long}, make([]string, 1000)
		for n := range s.Tried {
			s.Tried[n] = long
		}
		s.Link = "javascript:alert(1)"
		if _, err := test.pager.Call(t.Context(), s); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestSentAgain(t *testing.T) {
	for name, test := range map[string]struct {
		faults   []pagetest.Fault
		tries    int
		taken    int
		says     string // "" for no error
		notTaken bool
	}{
		"it is busy, then takes it":      {faults: []pagetest.Fault{{Status: 503}, {Status: 500}, {Status: 429}}, tries: 4, taken: 1},
		"it asks for a pause":            {faults: []pagetest.Fault{{Status: 429, RetryAfter: 1}}, tries: 2, taken: 1},
		"only its answer is lost":        {faults: []pagetest.Fault{{Status: 502, Takes: true}}, tries: 2, taken: 2},
		"it is busy for good":            {faults: []pagetest.Fault{{Status: 503}, {Status: 503}, {Status: 503}, {Status: 503}}, tries: 4, says: "it answers 503 Service Unavailable"},
		"it refuses":                     {faults: []pagetest.Fault{{Status: 400, Says: "bad"}}, tries: 1, says: "it answers 400 Bad Request: bad", notTaken: true},
		"it does not know the key":       {faults: []pagetest.Fault{{Status: 403}}, tries: 1, says: "it answers 403 Forbidden", notTaken: true},
		"it leads elsewhere":             {faults: []pagetest.Fault{{Status: 302}}, tries: 1, says: "it answers 302 Found", notTaken: true},
		"it asks for more time than is":  {faults: []pagetest.Fault{{Status: 429, RetryAfter: 3600}}, tries: 1, says: "it answers 429 Too Many Requests", notTaken: true},
		"it tells the key in its answer": {faults: []pagetest.Fault{{Status: 401, Says: "no such key " + routingKey + genieKey + signingKey}}, tries: 1, says: "it answers 401 Unauthorized: no such key", notTaken: true},
	} {
		t.Run(name, func(t *testing.T) {
			for receiver, r := range ends(t) {
				r.end.Inject(test.faults...)
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				_, err := r.pager.Call(ctx, summons(incident.Trigger))
				cancel()
				keys := map[string]bool{}
				for _, told := range r.end.Told() {
					keys[told.Key] = true
				}
				if r.end.Tries() != test.tries || len(r.end.Told()) != test.taken || len(keys) > 1 {
					t.Errorf("%s: %d tries, %d taken under %d keys", receiver, r.end.Tries(), len(r.end.Told()), len(keys))
				}
				holdsNoSecret(t, receiver, r.end.URL, err)
				if test.says == "" {
					if err != nil {
						t.Errorf("%s: %v", receiver, err)
					}
					continue
				}
				var refusal *incident.Refusal
				if !errors.As(err, &refusal) || !strings.HasPrefix(refusal.Says, test.says) || errors.Is(err, incident.ErrNotTaken) != test.notTaken {
					t.Errorf("%s: %v", receiver, err)
				}
			}
		})
	}
}

func holdsNoSecret(t *testing.T, receiver, address string, err error) {
	t.Helper()
	if err == nil {
		return
	}
	for _, secret := range []string{routingKey, genieKey, signingKey, address} {
		// Each receiver knows its own: another one's in its answer is a canary of the test's.
		if own := map[string]string{"PagerDuty": routingKey, "Opsgenie": genieKey, "webhook": signingKey}[receiver]; secret != address && secret != own {
			continue
		}
		if strings.Contains(err.Error(), secret) {
			t.Errorf("%s: a secret in %q", receiver, err)
		}
	}
}

// TestAPauseIsKept: until it is over nothing more is sent.
func TestAPauseIsKept(t *testing.T) {
	now := time.Now()
	end := pagetest.PagerDuty(routingKey)
	defer end.Close()
	duty := &page.PagerDuty{URL: end.URL, RoutingKey: routingKey, Sender: &page.Sender{Now: func() time.Time { return now }, Pause: time.Millisecond}}
	end.Inject(pagetest.Fault{Status: 429, RetryAfter: 600})
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for range 2 {
		if _, err := duty.Call(ctx, summons(incident.Trigger)); !errors.Is(err, incident.ErrNotTaken) {
			t.Errorf("%v", err)
		}
	}
	if end.Tries() != 1 {
		t.Errorf("%d tries while it asks for a pause", end.Tries())
	}
	now = now.Add(10 * time.Minute)
	if _, err := duty.Call(ctx, summons(incident.Trigger)); err != nil {
		t.Error(err)
	}
}

// TestNobodyAnswers: the address is in no error, and the time is kept.
func TestNobodyAnswers(t *testing.T) {
	silent := make(chan struct{})
	deaf := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-silent }))
	defer deaf.Close()
	defer close(silent)
	gone := httptest.NewServer(nil)
	gone.Close()
	for name, test := range map[string]struct {
		address, says string
		notTaken      bool
		patience      time.Duration
	}{
		"it is silent":     {deaf.URL, "no answer in time", false, 100 * time.Millisecond},
		"it is not there":  {gone.URL, "no connection: dial tcp", true, time.Minute},
		"it is no address": {"http://[", "the address is none", true, time.Minute},
	} {
		hook := &page.Webhook{URL: test.address + "/hooks/secret-path", Key: signingKey, Sender: sender()}
		ctx, cancel := context.WithTimeout(t.Context(), test.patience)
		_, err := hook.Call(ctx, summons(incident.Trigger))
		cancel()
		if err == nil || !strings.HasPrefix(err.Error(), test.says) || errors.Is(err, incident.ErrNotTaken) != test.notTaken || strings.Contains(err.Error(), "secret-path") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestSeverities(t *testing.T) {
	for severity, want := range map[string][2]string{"": {"critical", "P1"}, "CRITICAL": {"critical", "P1"}, "page": {"critical", "P1"}, "error": {"error", "P2"}, "Warning": {"warning", "P3"}, "info": {"info", "P5"}} {
		s := summons(incident.Trigger)
		s.Severity = severity
		all := ends(t)
		for _, receiver := range all {
			if _, err := receiver.pager.Call(t.Context(), s); err != nil {
				t.Fatal(err)
			}
		}
		payload, _ := all["PagerDuty"].end.Told()[0].Body["payload"].(map[string]any)
		if payload["severity"] != want[0] || all["Opsgenie"].end.Told()[0].Body["priority"] != want[1] {
			t.Errorf("%q: %v, %v", severity, payload["severity"], all["Opsgenie"].end.Told()[0].Body["priority"])
		}
	}
}

func TestParseResponder(t *testing.T) {
	for text, want := range map[string]page.Responder{"team:sre": {Type: "team", Name: "sre"}, "user:a@b.c": {Type: "user", Username: "a@b.c"},
		"schedule:night: shift": {Type: "schedule", Name: "night: shift"}, "escalation:e": {Type: "escalation", Name: "e"}, "sre": {}, "team:": {}, "robot:r2": {}} {
		if got, ok := page.ParseResponder(text); got != want || ok != (want != page.Responder{}) {
			t.Errorf("%q: %+v, %t", text, got, ok)
		}
	}
}

// TestSign is what a receiver computes: the example of docs/paging.md.
func TestSign(t *testing.T) {
	if got := page.Sign("secret", "1767321660", []byte(`{"event":"page"}`)); got != "v1=741ea4cd2abef858ba3749c20283de48b65be9b7d850e0ace72ee2331ef8cd8d" {
		t.Errorf("%s", got)
	}
}
