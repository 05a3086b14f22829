package config

import (
	"fmt"
	"net"
	"slices"

	"redis-session-bot/internal/evidence"
)

// wrong says what cannot be meant, by key.
func (a Alerts) wrong(targets []evidence.Target) map[string]string {
	wrong := map[string]string{}
	if !slices.Contains([]string{"auto", "offer"}, a.Diagnose) {
		wrong["diagnose"] = fmt.Sprintf("%q is not known; use auto or offer", a.Diagnose)
	}
	if a.ReopenWithin < 0 {
		wrong["reopen_within"] = fmt.Sprintf("%s is not a time; write it like 30m, or 0s for never", a.ReopenWithin)
	}
	names := []string{"default"} // of the runbook's target
	if len(targets) > 0 {
		names = nil
	}
	for _, target := range targets {
		names = append(names, target.Name)
	}
	for i, rule := range a.Targets {
		key := fmt.Sprintf("targets[%d]", i)
		switch {
		case rule.Label == "" || rule.Value == "":
			wrong[key] = "name a label and its value"
		case !slices.Contains(names, rule.Target):
			wrong[key] = fmt.Sprintf("there is no target %q", rule.Target)
		}
	}
	if a.Listen == "" {
		return wrong
	}
	if _, _, err := net.SplitHostPort(a.Listen); err != nil {
		wrong["listen"] = fmt.Sprintf("%q is no address; write it like :9097 or 127.0.0.1:9097", a.Listen)
	}
	if a.Token == "" {
		wrong["token_file"] = "the webhook needs a token, so that nobody else opens incidents; set ALERTS_TOKEN or name a file"
	}
	if a.Channel == "" {
		wrong["channel"] = "name the channel where an alert opens its incident"
	}
	return wrong
}
