package page

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"redis-session-bot/internal/incident"
	"redis-session-bot/internal/redact"
)

// A receiver has no test mode. What comes nearest to it is to resolve what was
// never triggered: the key is looked at, and nothing else happens.
// https://developer.pagerduty.com/docs/events-api-v2/resolve-events

// nothing is what no page was ever sent for.
func nothing() incident.Summons {
	return incident.Summons{Act: incident.Resolve, Key: client + "-check-" + rand.Text(), Summary: "The bot looks whether it can page. Nothing has to be done."}
}

// Try looks whether PagerDuty would take a page, and pages nobody. It says how
// far that was tried.
func (p *PagerDuty) Try(ctx context.Context) (string, error) {
	_, err := p.Call(ctx, nothing())
	return "took the resolving of nothing with its routing key; nobody was paged", err
}

// Try looks whether Opsgenie would take a page, and pages nobody. It says how far
// that was tried.
func (o *Opsgenie) Try(ctx context.Context) (string, error) {
	_, err := o.Call(ctx, nothing())
	return "took the closing of nothing with its key; nobody was paged", err
}

// Try looks whether somebody answers at the address: whoever listens there could
// take any request of ours for a page. It says how far that was tried.
func (w *Webhook) Try(ctx context.Context) (string, error) {
	status, err := w.Sender.look(ctx, w.URL, w.Key)
	return fmt.Sprintf("its address answers (%s to HEAD); its key is not tried, since that would page", status), err
}

// look asks an address for nothing but its headers, once.
func (s *Sender) look(ctx context.Context, address string, secrets ...string) (status string, err error) {
	ctx, cancel := context.WithTimeout(ctx, tryWithin)
	defer cancel()
	words := redact.New(append(secrets, address)...)
	request, err := http.NewRequestWithContext(ctx, http.MethodHead, address, nil)
	if err != nil {
		return "", notTaken("the address is none")
	}
	request.Header.Set("User-Agent", client)
	to := &http.Client{Transport: s.Transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	response, err := to.Do(request)
	if err != nil {
		return "", unanswered(ctx, err, 0, words)
	}
	if err := response.Body.Close(); err != nil {
		return "", maybe(errors.New(words.Text(err.Error())))
	}
	status = strings.TrimSpace(fmt.Sprintf("%d %s", response.StatusCode, http.StatusText(response.StatusCode)))
	if response.StatusCode >= http.StatusInternalServerError {
		return "", maybe(fmt.Errorf("it answers %s", status))
	}
	return status, nil
}
