package alerts

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"time"
	"unicode/utf8"

	"redis-session-bot/internal/incident"
)

// notification is the body of a webhook of version 4, as far as it is read:
// https://prometheus.io/docs/alerting/latest/configuration/#webhook_config
type notification struct {
	Version string `json:"version"`
	Alerts  []struct {
		Status      string            `json:"status"` // firing or resolved
		Labels      map[string]string `json:"labels"`
		Annotations map[string]string `json:"annotations"`
		StartsAt    time.Time         `json:"startsAt"`
		EndsAt      time.Time         `json:"endsAt"`
		Fingerprint string            `json:"fingerprint"`
	} `json:"alerts"`
}

// Bounds of what is kept of one alert, whose words are whatever somebody wrote
// into a rule.
const (
	maxLabels = 20
	maxWord   = 200 // runes of a name or value
	maxSays   = 500 // runes
)

// read reads a notification. Its error is for whoever set the receiver up.
func read(body []byte) ([]incident.Alert, error) {
	var n notification
	decoder := json.NewDecoder(bytes.NewReader(body))
	if err := decoder.Decode(&n); err != nil {
		return nil, fmt.Errorf("not its JSON: %w", err)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("something stands behind its JSON")
	}
	if n.Version != "4" {
		return nil, fmt.Errorf("its version is %.20q", n.Version)
	}
	if len(n.Alerts) == 0 {
		return nil, errors.New("it holds no alert")
	}
	all := make([]incident.Alert, 0, len(n.Alerts))
	for i, one := range n.Alerts {
		alert := incident.Alert{Fingerprint: one.Fingerprint, Name: one.Labels["alertname"], StartsAt: one.StartsAt.UTC(), Labels: bounded(one.Labels)}
		switch {
		case alert.Name == "" || utf8.RuneCountInString(alert.Name) > maxWord:
			return nil, fmt.Errorf("alert %d has no label alertname", i+1)
		case alert.Fingerprint == "" || len(alert.Fingerprint) > maxWord:
			return nil, fmt.Errorf("alert %d has no fingerprint", i+1)
		case alert.StartsAt.Unix() <= 0:
			return nil, fmt.Errorf("alert %d does not say when it began", i+1)
		case one.Status == "resolved" && one.EndsAt.Before(one.StartsAt):
			return nil, fmt.Errorf("alert %d was resolved before it began", i+1)
		case one.Status == "resolved":
			alert.EndsAt = one.EndsAt.UTC()
		case one.Status != "firing":
			return nil, fmt.Errorf("alert %d is neither firing nor resolved", i+1)
		}
		for _, key := range []string{"summary", "description", "message"} {
			if alert.Says == "" {
				alert.Says = cut(one.Annotations[key], maxSays)
			}
		}
		all = append(all, alert)
	}
	return all, nil
}

// bounded keeps the labels that say more than the alert's name, in the order
// of their names.
func bounded(labels map[string]string) map[string]string {
	kept := map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(labels)) {
		if name != "alertname" && len(kept) < maxLabels {
			kept[cut(name, maxWord)] = cut(labels[name], maxWord)
		}
	}
	return kept
}

func cut(text string, n int) string {
	if runes := []rune(text); len(runes) > n {
		return string(runes[:n-1]) + "…"
	}
	return text
}
