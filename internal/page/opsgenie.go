package page

import (
	"context"
	"net/http"
	"net/url"
	"strings"

	"redis-session-bot/internal/incident"
)

// OpsgenieURL is where Opsgenie's API is; in Europe it is https://api.eu.opsgenie.com.
const OpsgenieURL = "https://api.opsgenie.com"

// Limits of the Alert API, in characters.
const (
	maxMessage     = 130
	maxAlias       = 512
	maxDescription = 15_000
	maxEntity      = 512
	maxNote        = 25_000
	maxProperty    = 500 // all properties of an alert have 8,000 together
)

// Opsgenie creates alerts by the Alert API.
// https://docs.opsgenie.com/docs/alert-api
type Opsgenie struct {
	URL        string
	Key        string // of an API integration
	Responders []Responder
	Sender     *Sender
}

// Responder is who is called.
type Responder struct {
	Type     string `json:"type"` // team, user, escalation or schedule
	Name     string `json:"name,omitempty"`
	Username string `json:"username,omitempty"` // of a user
}

// ParseResponder reads team:sre, user:ada@example.com, schedule:… or
// escalation:…; false for anything else.
func ParseResponder(text string) (Responder, bool) {
	kind, name, _ := strings.Cut(text, ":")
	switch {
	case name == "":
		return Responder{}, false
	case kind == "user":
		return Responder{Type: kind, Username: name}, true
	case kind == "team" || kind == "schedule" || kind == "escalation":
		return Responder{Type: kind, Name: name}, true
	}
	return Responder{}, false
}

type alert struct {
	Message     string            `json:"message"`
	Alias       string            `json:"alias"`
	Description string            `json:"description"`
	Responders  []Responder       `json:"responders,omitempty"`
	Details     map[string]string `json:"details"`
	Entity      string            `json:"entity"`
	Source      string            `json:"source"`
	Priority    string            `json:"priority"`
}

type action struct {
	Source string `json:"source"`
	Note   string `json:"note,omitempty"`
}

// Call implements incident.Pager.
func (o *Opsgenie) Call(ctx context.Context, s incident.Summons) (string, error) {
	alias := incident.Cut(s.Key, maxAlias)
	path, content := "/v2/alerts", any(o.alert(s, alias))
	switch s.Act {
	case incident.Acknowledge:
		path, content = aliased(alias, "acknowledge"), action{client, incident.Cut("by "+s.By.Name, maxNote)}
	case incident.Resolve:
		path, content = aliased(alias, "close"), action{client, incident.Cut(s.Summary, maxNote)}
	}
	body, err := encode(content)
	if err != nil {
		return "", err
	}
	header := http.Header{"Authorization": {"GenieKey " + o.Key}}
	return alias, o.Sender.post(ctx, strings.TrimRight(o.URL, "/")+path, header, body, o.Key)
}

// aliased is the address of what is done to an alert.
func aliased(alias, what string) string {
	return "/v2/alerts/" + url.PathEscape(alias) + "/" + what + "?identifierType=alias"
}

func (o *Opsgenie) alert(s incident.Summons, alias string) alert {
	properties := map[string]string{"incident": s.Incident, "state": s.State, "since": sinceOf(s), "impact": s.Impact,
		"verdict": s.Verdict, "because": strings.Join(few(s.Because, maxDetails, maxProperty), "; "), "tried": strings.Join(few(s.Tried, maxDetails, maxProperty), "; "), "walked_by": s.Walker, "thread": s.Link}
	for name, text := range properties {
		if properties[name] = incident.Cut(text, maxProperty); text == "" {
			delete(properties, name)
		}
	}
	return alert{Message: incident.Cut(s.Summary, maxMessage), Alias: alias, Description: incident.Cut(s.Text, maxDescription), Responders: o.Responders,
		Details: properties, Entity: incident.Cut(s.Target.String(), maxEntity), Source: client, Priority: priorityOf(s.Severity)}
}

func priorityOf(severity string) string {
	return map[string]string{"critical": "P1", "error": "P2", "warning": "P3", "info": "P5"}[severityOf(severity)]
}
