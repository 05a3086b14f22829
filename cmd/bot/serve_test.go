package main

import (
	"context"
	"encoding/json"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"redis-session-bot/internal/config"
	"redis-session-bot/internal/slack"
	"redis-session-bot/internal/slack/slacktest"
)

// TestServeWalksARecord: a recorded incident is walked in Slack to its verdict
// and its plan. The plan says that nobody was asked, and has no Apply.
func TestServeWalksARecord(t *testing.T) {
	walk := serveRecord(t, config.Alerts{})
	if answer := walk.workspace.Command(slacktest.TypedCommand{User: "U_RESPONDER", Channel: "C_INC", Command: "/redis-session", Text: "diagnose"}); !answer.OK {
		t.Fatalf("the command was not answered: %+v", answer)
	}
	walk.press("Run all")
	walk.plan()
	walk.asks()
}

// TestServeTakesAnAlert: Alertmanager posts, and the incident is there, walked,
// with nothing typed; a stranger's post is refused.
func TestServeTakesAnAlert(t *testing.T) {
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := free.Addr().String()
	if err := free.Close(); err != nil {
		t.Fatal(err)
	}
	walk := serveRecord(t, config.Alerts{Listen: address, Token: "s3cret", Channel: "inc-redis", Diagnose: "auto"})
	post := func(token string) int {
		body := `{"version":"4","alerts":[{"status":"firing","labels":{"alertname":"RedisSessionStoreDown"},"startsAt":"2026-01-02T02:41:00Z","fingerprint":"a"}]}`
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+address+"/alerts", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Authorization", "Bearer "+token)
		request.Header.Set("Content-Type", "application/json")
		answer, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		if err := answer.Body.Close(); err != nil {
			t.Fatal(err)
		}
		return answer.StatusCode
	}
	if status := post("guessed"); status != http.StatusUnauthorized {
		t.Errorf("a stranger is answered %d", status)
	}
	for range 3 { // Alertmanager repeats itself
		if status := post("s3cret"); status != http.StatusOK {
			t.Fatalf("Alertmanager is answered %d", status)
		}
	}
	walk.plan()
	if text := walk.text(); !strings.Contains(text, "Walked by Alertmanager") || strings.Contains(text, "INC-2") {
		t.Errorf("shown: %s", text)
	}
}

// serveRecord serves a recorded incident until the test ends.
func serveRecord(t *testing.T, alerts config.Alerts) *recordWalk {
	t.Helper()
	var least []string // a whole walk needs no scope that the manifest does not ask for
	for _, one := range slack.Scopes(slack.Uses{}) {
		least = append(least, one.Name)
	}
	workspace, err := slacktest.Start(context.Background(), slacktest.Options{Scopes: least})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ready := workspace.Ready()
	c := config.Config{Limits: config.Limits{Step: 10 * time.Second, PlanValid: time.Minute, Rollout: time.Minute, Verify: time.Minute}, Alerts: alerts}
	c.Slack.BotToken, c.Slack.AppToken, c.Slack.APIURL, c.Slack.Channels = ready.BotToken, ready.AppToken, ready.API, []string{"inc-redis"}
	c.Roles.Responders, c.Roles.Approvers = []string{"U_RESPONDER"}, []string{"U_RESPONDER"}
	c.Log.Level = "error"
	ended := make(chan error, 1)
	go func() { ended <- serve(ctx, c, "../../runbooks/testdata/bundles/config-error-deployment") }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		if violations := workspace.Violations(); len(violations) > 0 {
			t.Errorf("rules of Slack's broken: %+v", violations)
		}
		if err := workspace.Close(); err != nil {
			t.Error(err)
		}
	})
	connecting, enough := context.WithTimeout(ctx, time.Minute)
	defer enough()
	if err := workspace.Listening(connecting); err != nil {
		t.Fatal(err)
	}
	return &recordWalk{t: t, workspace: workspace}
}

// plan goes from the verdict to the plan that is only shown.
func (r *recordWalk) plan() {
	r.t.Helper()
	r.press("Plan: repair the configuration")
	r.until("the plan is shown", func() bool { return strings.Contains(r.text(), "no API server was asked") })
	for _, want := range []string{"Configuration error", "-active-defrag yes"} {
		if !strings.Contains(r.text(), want) {
			r.t.Errorf("nobody reads %q", want)
		}
	}
	if r.button("Apply") != nil {
		r.t.Error("a recorded plan can be applied")
	}
}

// asks asks for what people want to know of an incident, open and closed.
func (r *recordWalk) asks() {
	r.t.Helper()
	says := func(text, want string) {
		r.t.Helper()
		if answer := r.workspace.Command(slacktest.TypedCommand{User: "U_RESPONDER", Channel: "C_INC", Command: "/redis-session", Text: text}); !answer.OK {
			r.t.Fatalf("%s was not answered: %+v", text, answer)
		}
		r.until(text, func() bool { return strings.Contains(r.text(), want) })
	}
	says("timeline", "judged: Configuration error")
	says("status", "It is only shown.")
	says("check", "event app_mention: Slack does not tell a bot")
	says("report", "INC-1-report.md")
	r.press("Close")
	r.press("Report")
	r.until("the report of a closed incident", func() bool { return strings.Contains(r.text(), "INC-1-report-2.md") })
	says("history", "Closed without a verified fix.")
}

// recordWalk is a person in the incident channel.
type recordWalk struct {
	t         *testing.T
	workspace *slacktest.Workspace
}

// messages are those of the channel and of its threads.
func (r *recordWalk) messages() []map[string]any {
	r.t.Helper()
	all, err := r.workspace.Messages("U_RESPONDER", "C_INC", "")
	if err != nil {
		r.t.Fatal(err)
	}
	for _, message := range all {
		ts, _ := message["ts"].(string)
		replies, err := r.workspace.Messages("U_RESPONDER", "C_INC", ts)
		if err != nil {
			r.t.Fatal(err)
		}
		all = append(all, replies...)
	}
	return all
}

func (r *recordWalk) text() string {
	data, err := json.Marshal(r.messages())
	if err != nil {
		r.t.Fatal(err)
	}
	return string(data)
}

// button finds the newest one whose label begins so; nil for none.
func (r *recordWalk) button(label string) (found *slacktest.Press) {
	for _, message := range r.messages() {
		blocks, _ := message["blocks"].([]any)
		for _, one := range blocks {
			block, _ := one.(map[string]any)
			elements, _ := block["elements"].([]any)
			for _, element := range elements {
				e, _ := element.(map[string]any)
				text, _ := e["text"].(map[string]any)
				if says, _ := text["text"].(string); e["action_id"] != nil && strings.HasPrefix(says, label) {
					found = &slacktest.Press{User: "U_RESPONDER", Channel: "C_INC", TS: message["ts"].(string),
						BlockID: block["block_id"].(string), ActionID: e["action_id"].(string)}
				}
			}
		}
	}
	return found
}

func (r *recordWalk) press(label string) {
	r.t.Helper()
	r.until("there is a button "+label, func() bool { return r.button(label) != nil })
	if result := r.workspace.Click(*r.button(label)); !result.OK {
		r.t.Fatalf("%s: %+v", label, result)
	}
}

func (r *recordWalk) until(what string, done func() bool) {
	r.t.Helper()
	deadline := time.Now().Add(time.Minute)
	for !done() {
		if time.Now().After(deadline) {
			r.t.Fatalf("not within a minute: %s\n%s", what, r.text())
		}
		time.Sleep(50 * time.Millisecond) // people look again; there is no event to wait for
	}
}
