package commands_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"redis-session-bot/internal/commands"
	"redis-session-bot/internal/incident"
	"redis-session-bot/internal/preflight"
)

// found is a report with one finding of every kind, some of it from a cluster.
func found() preflight.Report {
	return preflight.Report{At: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), Findings: []preflight.Finding{
		{About: "Slack", What: "SLACK_BOT_TOKEN", Status: preflight.OK, Says: "a bot token (xoxb-…), of @redis-session-bot in Acme"},
		{About: "Slack", What: "SLACK_APP_TOKEN", Status: preflight.Wrong, Says: "SLACK_APP_TOKEN is not set", Mend: "set it"},
		{About: "Slack", What: "scope files:write", Status: preflight.Wrong, Says: "the bot token lacks the scope files:write (to attach long output)",
			Mend: "add it under OAuth & Permissions and install the app again", Vital: true},
		{About: "Slack", What: "interactivity", Status: preflight.Unknown, Says: "Slack does not tell a bot, and it was not used since the bot was started",
			Mend: "press a button; where Slack shows an error, switch it on under Interactivity & Shortcuts", Minor: true},
		{About: "permissions in langgraph-agent", What: "get pods/log", Status: preflight.OK, Says: "granted"},
		{About: "permissions in langgraph-agent", What: "list pods", Status: preflight.OK, Says: "granted"},
		{About: "cluster", What: "Redis of langgraph-agent/redis-session", Status: preflight.Unknown, Says: "no answer within 10s", Mend: "ask again"},
	}}
}

// TestCheckedIsAsTheGoldenShows: in full, as a terminal shows it, and short, as
// a chat does.
func TestCheckedIsAsTheGoldenShows(t *testing.T) {
	golden(t, "check", printed([]commands.Message{{Key: "full", View: commands.Checked(found())}, {Key: "short", View: commands.ShortChecked(found())},
		{Key: "asking", View: commands.Asking(preflight.Progress{Answered: 2, All: 9, Waiting: []string{"API server", "duty", "store", "Redis of a/b"}})}}))
}

// TestManyFindingsFitIntoAMessage: where nothing is granted, the first are shown
// and the others counted.
func TestManyFindingsFitIntoAMessage(t *testing.T) {
	var report preflight.Report
	for n := range 40 {
		report.Findings = append(report.Findings, preflight.Finding{About: "permissions in a", What: fmt.Sprintf("list thing%d", n), Status: preflight.Wrong, Says: "no", Mend: "grant it"})
	}
	text := printed([]commands.Message{{View: commands.ShortChecked(report)}})
	if strings.Count(text, "grant it") != 7 || !strings.Contains(text, "33 more; bot check in a terminal shows them all") {
		t.Errorf("%s", text)
	}
	if full := printed([]commands.Message{{View: commands.Checked(report)}}); strings.Count(full, "grant it") != 40 {
		t.Errorf("%s", full)
	}
}

// TestCheck: a responder is told, and sees meanwhile for whom it waits; nobody
// else is.
func TestCheck(t *testing.T) {
	h := handler()
	h.Incidents.Roles = roles{}
	h.Preflight = func(_ context.Context, tell func(preflight.Progress)) preflight.Report {
		tell(preflight.Progress{Answered: 1, All: 2, Waiting: []string{"API server"}})
		return found()
	}
	var meanwhile []string
	request := commands.Request{Actor: ada, Command: "redis-session", Text: "check", Meanwhile: func(v commands.View) { meanwhile = append(meanwhile, v.Summary) }}
	reply := h.Handle(t.Context(), request)
	if reply.Post == nil || !strings.Contains(reply.Post.View.Summary, "3 of 7 are right. 2 to mend. 1 not known") {
		t.Errorf("%+v", reply)
	}
	if len(meanwhile) != 1 || !strings.Contains(meanwhile[0], "1 of 2 answered; waiting for API server.") {
		t.Errorf("meanwhile: %q", meanwhile)
	}
	request.Meanwhile = nil
	if reply := h.Handle(t.Context(), request); reply.Post == nil {
		t.Error("nobody can wait without being told")
	}
	request.Actor = incident.Actor{ID: "U_EVE", Name: "Eve", Team: "T1"}
	if reply := h.Handle(t.Context(), request); reply.Post != nil || reply.Outcome != commands.Refused {
		t.Errorf("somebody without a role: %+v", reply)
	}
	h.Preflight = nil
	request.Actor = ada
	if reply := h.Handle(t.Context(), request); reply.Whisper == nil || !strings.Contains(reply.Whisper.Summary, `I do not know "check"`) {
		t.Errorf("a bot that cannot be checked: %+v", reply)
	}
}
