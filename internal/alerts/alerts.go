// Package alerts takes what Alertmanager sends to a webhook (version 4) and
// hands it to the incidents of the targets that it is about.
//
// It owns the way in: who may send, what a notification looks like, and which
// target an alert is about. It decides nothing about an incident, asks no
// cluster and changes none.
package alerts

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"mime"
	"net/http"
	"slices"
	"strings"

	"redis-session-bot/internal/evidence"
	"redis-session-bot/internal/incident"
)

// Path is where the webhook listens.
const Path = "/alerts"

// maxBody bounds a notification, in bytes: some thousand alerts.
const maxBody = 8 << 20

// Incidents are told of alerts. Package incident fills it.
type Incidents interface {
	// Alerted takes a notice. An error means that it has to be told again.
	Alerted(ctx context.Context, notice incident.Notice) error
}

// Handler is the webhook.
type Handler struct {
	Token   string   // that Alertmanager sends; empty: nobody may send
	Runbook string   // the command of the runbook that the alerts are of
	Known   []string // names of alerts that the runbook speaks of; others are left out

	Targets []evidence.Target // the first is the default
	Rules   []Rule            // the first that fits decides
	// Place is where a new incident is shown. While it cannot be known,
	// Alertmanager is asked to send again.
	Place func(ctx context.Context) (incident.Place, error)

	Incidents Incidents
	Log       *slog.Logger
}

// Rule says that alerts with a label of that value are about a target.
type Rule struct{ Label, Value, Target string }

// ServeHTTP takes one notification. It answers 2xx once it is stored, and 5xx
// where Alertmanager shall send it again.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	status, says := h.take(w, r)
	if status >= 400 {
		h.Log.Warn("notification of Alertmanager's", "status", status, "says", says, "from", r.RemoteAddr)
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_, _ = fmt.Fprintln(w, says) // nobody is left to be told
}

func (h *Handler) take(w http.ResponseWriter, r *http.Request) (status int, says string) {
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		return http.StatusMethodNotAllowed, "Send a POST, as Alertmanager's webhook_configs do."
	}
	if !h.authorized(r) {
		w.Header().Set("WWW-Authenticate", "Bearer")
		return http.StatusUnauthorized, "The bearer token is missing or wrong: set http_config.authorization.credentials in Alertmanager's receiver."
	}
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		return http.StatusUnsupportedMediaType, "Send application/json."
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return http.StatusRequestEntityTooLarge, fmt.Sprintf("A notification has at most %d bytes: set max_alerts in Alertmanager's receiver.", maxBody)
	case err != nil:
		return http.StatusBadRequest, "The body could not be read to its end."
	}
	all, err := read(body)
	if err != nil {
		return http.StatusBadRequest, "This is no notification of a webhook of version 4: " + err.Error() + "."
	}
	notices, strangers := h.sort(all)
	if len(notices) == 0 {
		return http.StatusUnprocessableEntity, fmt.Sprintf("No runbook here is for %s. Route only these here: %s.", strings.Join(strangers, ", "), strings.Join(h.Known, ", "))
	}
	place, err := h.Place(r.Context())
	if err != nil {
		h.Log.Error("where alerts open incidents", "err", err)
		return http.StatusServiceUnavailable, "The channel of incidents is not known yet. Send the alerts again."
	}
	taken := 0
	for _, notice := range notices {
		notice.Place = place
		if err := h.Incidents.Alerted(r.Context(), notice); err != nil {
			h.Log.Error("take alerts", "target", notice.Target.String(), "err", err)
			return http.StatusInternalServerError, "The alerts could not be stored. Send them again."
		}
		taken += len(notice.Alerts)
	}
	return http.StatusOK, fmt.Sprintf("Taken: %d of %d.", taken, len(all))
}

// authorized compares hashes, so that the time it takes tells nothing of the
// token, not even its length.
func (h *Handler) authorized(r *http.Request) bool {
	scheme, given, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	want, got := sha256.Sum256([]byte(h.Token)), sha256.Sum256([]byte(strings.TrimSpace(given)))
	same := subtle.ConstantTimeCompare(want[:], got[:]) == 1
	return same && h.Token != "" && strings.EqualFold(scheme, "Bearer")
}

// sort makes one notice for each target. It names the alerts that are left out.
func (h *Handler) sort(all []incident.Alert) (notices []incident.Notice, strangers []string) {
	at := map[evidence.Target]int{}
	for _, alert := range all {
		if !slices.Contains(h.Known, alert.Name) {
			if !slices.Contains(strangers, alert.Name) {
				strangers = append(strangers, alert.Name)
			}
			continue
		}
		target := h.target(alert.Labels)
		n, seen := at[target]
		if !seen {
			n = len(notices)
			at[target] = n
			notices = append(notices, incident.Notice{Runbook: h.Runbook, Target: target})
		}
		notices[n].Alerts = append(notices[n].Alerts, alert)
	}
	return notices, strangers
}

// target is what an alert is about: what a rule says, else the target of its
// namespace, else the first.
func (h *Handler) target(labels map[string]string) evidence.Target {
	for _, rule := range h.Rules {
		at := slices.IndexFunc(h.Targets, func(t evidence.Target) bool { return t.Name == rule.Target })
		if at >= 0 && labels[rule.Label] == rule.Value {
			return h.Targets[at]
		}
	}
	for _, target := range h.Targets {
		if labels["namespace"] == target.Namespace {
			return target
		}
	}
	return h.Targets[0]
}
