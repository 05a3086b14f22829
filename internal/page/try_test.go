package page_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"redis-session-bot/internal/incident"
	"redis-session-bot/internal/page"
	"redis-session-bot/internal/page/pagetest"
)

// trier is a pager that can be tried.
type trier interface {
	Try(ctx context.Context) (string, error)
}

// TestTryPagesNobody, and leaves what is open as it is.
func TestTryPagesNobody(t *testing.T) {
	for name, test := range ends(t) {
		if name == "webhook" {
			continue // it is not even told: see TestTryAWebhook
		}
		if _, err := test.pager.Call(t.Context(), summons(incident.Trigger)); err != nil {
			t.Fatal(err)
		}
		says, err := test.pager.(trier).Try(t.Context())
		if err != nil || !strings.Contains(says, "nobody was paged") {
			t.Errorf("%s: %q, %v", name, says, err)
		}
		if told := test.end.Told(); len(told) != 1 || len(test.end.Open()) != 1 || test.end.Tries() != 2 {
			t.Errorf("%s: after %d tries it was told %+v", name, test.end.Tries(), told)
		}
	}
}

// TestTryNamesABadKey without telling it.
func TestTryNamesABadKey(t *testing.T) {
	duty, genie := pagetest.PagerDuty(routingKey), pagetest.Opsgenie(genieKey)
	defer duty.Close()
	defer genie.Close()
	stale := strings.Repeat("0", 32)
	for name, pager := range map[string]trier{
		"PagerDuty": &page.PagerDuty{URL: duty.URL, RoutingKey: stale, Sender: sender()},
		"Opsgenie":  &page.Opsgenie{URL: genie.URL, Key: stale, Sender: sender()},
	} {
		if _, err := pager.Try(t.Context()); err == nil || !strings.HasPrefix(err.Error(), "it answers 400 Bad Request") || strings.Contains(err.Error(), stale) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestTryAWebhook: it is asked for headers, never told of anything.
func TestTryAWebhook(t *testing.T) {
	for status, want := range map[int]string{200: "", 405: "", 404: "", 302: "", 503: "it answers 503 Service Unavailable"} {
		asked := ""
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			asked += r.Method + " "
			w.WriteHeader(status)
		}))
		says, err := (&page.Webhook{URL: server.URL + "/secret-path", Key: signingKey, Sender: sender()}).Try(t.Context())
		server.Close()
		if asked != "HEAD " {
			t.Errorf("%d: it was asked %q", status, asked)
		}
		var refusal *incident.Refusal
		if want == "" && (err != nil || !strings.Contains(says, http.StatusText(status)+" to HEAD")) || want != "" && (!errors.As(err, &refusal) || refusal.Says != want) {
			t.Errorf("%d: %q, %v", status, says, err)
		}
	}
	gone := httptest.NewServer(nil)
	gone.Close()
	if _, err := (&page.Webhook{URL: gone.URL + "/secret-path", Key: signingKey, Sender: sender()}).Try(t.Context()); err == nil ||
		!strings.HasPrefix(err.Error(), "no connection") || strings.Contains(err.Error(), "secret-path") {
		t.Errorf("%v", err)
	}
}
