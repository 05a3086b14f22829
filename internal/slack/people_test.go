package slack_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"redis-session-bot/internal/incident"
	"redis-session-bot/internal/slack"
	"redis-session-bot/internal/slack/slacktest"
)

func TestRoles(t *testing.T) {
	users := append(slacktest.DefaultUsers(),
		slacktest.User{ID: "U_GONE", Name: "gone", Deleted: true}, slacktest.User{ID: "U_ULTRA", Name: "ultra", UltraRestricted: true},
		slacktest.User{ID: "U_ROBOT", Name: "robot", Bot: true}, slacktest.User{ID: "U_OTHER", Name: "other", TeamID: "T_OTHER"})
	everybody := []string{"U_GONE", "U_ULTRA", "U_ROBOT", "U_OTHER", "U_GUEST"}
	tests := map[string]struct {
		user       string
		role       incident.Role
		responders []string
		approvers  []string
		refused    string // a part of the sentence; "" for allowed
	}{
		"nobody is configured":           {"U_RESPONDER", incident.Responder, nil, nil, "Nobody is configured"},
		"nobody may apply":               {"U_RESPONDER", incident.Approver, []string{"U_RESPONDER"}, nil, "Nobody may apply"},
		"a responder by ID":              {"U_RESPONDER", incident.Responder, []string{"U_RESPONDER"}, nil, ""},
		"a responder does not apply":     {"U_RESPONDER", incident.Approver, []string{"U_RESPONDER"}, []string{"@sre-oncall"}, "You may diagnose, not apply. Nothing was changed. Ask an approver: @sre-oncall."},
		"an approver by handle":          {"U_APPROVER", incident.Approver, nil, []string{"@sre-oncall"}, ""},
		"an approver by group ID":        {"U_SECOND", incident.Approver, nil, []string{"S_APPROVERS"}, ""},
		"an approver diagnoses, too":     {"U_APPROVER", incident.Responder, nil, []string{"@sre-oncall"}, ""},
		"a member without a role":        {"U_MEMBER", incident.Responder, []string{"U_RESPONDER"}, nil, "You may not diagnose"},
		"a group that is not there":      {"U_MEMBER", incident.Responder, []string{"@nobody"}, nil, "Slack does not tell me"},
		"a guest, though configured":     {"U_GUEST", incident.Responder, everybody, everybody, "Guests may not"},
		"a single-channel guest":         {"U_ULTRA", incident.Approver, everybody, everybody, "Guests may not"},
		"a deactivated user":             {"U_GONE", incident.Approver, everybody, everybody, "deactivated"},
		"a bot":                          {"U_ROBOT", incident.Responder, everybody, everybody, "A bot may not"},
		"another workspace's user":       {"U_OTHER", incident.Responder, everybody, everybody, "other workspaces"},
		"somebody Slack does not know":   {"U_NOBODY", incident.Responder, []string{"U_NOBODY"}, nil, "Slack does not tell me who you are"},
		"a responder list with approver": {"U_MEMBER", incident.Approver, []string{"U_MEMBER"}, []string{"U_APPROVER"}, "Ask an approver: approver."},
	}
	o := open(t, slacktest.Options{Users: users, Limits: slacktest.Limits{DialBurst: 100}})
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			options := o.options()
			options.Responders, options.Approvers = test.responders, test.approvers
			app := slack.New(options)
			for _, wrong := range slack.Refusals(app.Preflight(t.Context())) {
				t.Fatalf("check: %v", wrong)
			}
			err := app.Roles().Allows(context.Background(), incident.Actor{ID: test.user, Team: slacktest.TeamID}, test.role)
			var refusal *incident.Refusal
			switch {
			case test.refused == "" && err != nil:
				t.Errorf("refused: %v", err)
			case test.refused != "" && (!errors.As(err, &refusal) || !strings.Contains(refusal.Says, test.refused)):
				t.Errorf("got %v, want a refusal with %q", err, test.refused)
			}
		})
	}
}

func TestAGroupThatIsNotThereTakesNothingFromOthers(t *testing.T) {
	o := open(t, slacktest.Options{Users: append(slacktest.DefaultUsers(), slacktest.User{ID: "U_OTHER", Name: "other", TeamID: "T_OTHER"})})
	options := o.options()
	options.Responders, options.Approvers = []string{"@gone", "U_OTHER", "sre-responders"}, []string{"@gone-too", "S_APPROVERS"}
	app := slack.New(options) // it was not checked, either
	for user, role := range map[string]incident.Role{"U_RESPONDER": incident.Responder, "U_APPROVER": incident.Approver} {
		if err := app.Roles().Allows(t.Context(), incident.Actor{ID: user}, role); err != nil {
			t.Errorf("%s: %v", user, err)
		}
	}
	if err := app.Roles().Allows(t.Context(), incident.Actor{ID: "U_OTHER"}, incident.Responder); err == nil {
		t.Error("a member of another workspace may")
	}
}
