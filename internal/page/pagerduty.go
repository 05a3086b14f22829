package page

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"redis-session-bot/internal/incident"
)

// PagerDutyURL is where PagerDuty takes events.
const PagerDutyURL = "https://events.pagerduty.com/v2/enqueue"

// Limits of the Events API v2, in characters.
const (
	maxSummary  = 1024
	maxDedupKey = 255
	maxDetail   = 1000 // of one text; the whole event may have 512 KB
	maxDetails  = 10   // of one list
)

// PagerDuty sends events to one service by the Events API v2.
// https://developer.pagerduty.com/docs/events-api-v2/trigger-events/
type PagerDuty struct {
	URL        string
	RoutingKey string // 32 characters
	Sender     *Sender
}

type event struct {
	RoutingKey string   `json:"routing_key"`
	Action     string   `json:"event_action"`
	DedupKey   string   `json:"dedup_key"`
	Client     string   `json:"client,omitempty"`
	ClientURL  string   `json:"client_url,omitempty"`
	Links      []link   `json:"links,omitempty"`
	Payload    *payload `json:"payload,omitempty"`
}

type link struct {
	Href string `json:"href"`
	Text string `json:"text"`
}

type payload struct {
	Summary   string  `json:"summary"`
	Source    string  `json:"source"`
	Severity  string  `json:"severity"`
	Timestamp string  `json:"timestamp"`
	Component string  `json:"component"`
	Group     string  `json:"group"`
	Class     string  `json:"class"`
	Details   details `json:"custom_details"`
}

type details struct {
	Incident string   `json:"incident"`
	State    string   `json:"state"`
	Impact   string   `json:"impact,omitempty"`
	Since    string   `json:"since"`
	Verdict  string   `json:"verdict"`
	Because  []string `json:"because,omitempty"`
	Tried    []string `json:"tried,omitempty"`
	Walker   string   `json:"walked_by,omitempty"`
	AskedBy  string   `json:"asked_by,omitempty"`
	Thread   string   `json:"thread,omitempty"`
	Text     string   `json:"text,omitempty"`
}

// Call implements incident.Pager.
func (p *PagerDuty) Call(ctx context.Context, s incident.Summons) (string, error) {
	event := event{RoutingKey: p.RoutingKey, Action: "trigger", DedupKey: incident.Cut(s.Key, maxDedupKey)}
	switch s.Act {
	case incident.Acknowledge:
		event.Action = "acknowledge"
	case incident.Resolve:
		event.Action = "resolve"
	default:
		event.Client, event.Payload = client, payloadOf(s)
		if isWeb(s.Link) {
			event.ClientURL, event.Links = s.Link, []link{{Href: s.Link, Text: "The thread of " + s.Incident}}
		}
	}
	body, err := encode(event)
	if err != nil {
		return "", err
	}
	return event.DedupKey, p.Sender.post(ctx, p.URL, http.Header{}, body, p.RoutingKey)
}

func payloadOf(s incident.Summons) *payload {
	return &payload{Summary: incident.Cut(s.Summary, maxSummary), Source: s.Target.String(), Severity: severityOf(s.Severity),
		Timestamp: s.Since.UTC().Format(time.RFC3339), Component: s.Target.Workload, Group: s.Target.Namespace, Class: s.Runbook,
		Details: details{Incident: s.Incident, State: s.State, Impact: incident.Cut(s.Impact, maxDetail), Since: sinceOf(s),
			Verdict: incident.Cut(s.Verdict, maxDetail), Because: few(s.Because, maxDetails, maxDetail), Tried: few(s.Tried, maxDetails, maxDetail),
			Walker: s.Walker, AskedBy: s.By.Name, Thread: s.Link, Text: incident.Cut(s.Text, 3*maxDetail)}}
}

// sinceOf is when it began, and for how long it goes on.
func sinceOf(s incident.Summons) string {
	return fmt.Sprintf("%s (%d min)", s.Since.UTC().Format(time.RFC3339), int(s.At.Sub(s.Since).Minutes()))
}

// severityOf is one of the four that PagerDuty has; a page is critical where
// the runbook says nothing that it knows.
func severityOf(severity string) string {
	switch word := strings.ToLower(severity); word {
	case "error", "warning", "info":
		return word
	}
	return "critical"
}
