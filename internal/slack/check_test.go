package slack_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"redis-session-bot/internal/preflight"
	"redis-session-bot/internal/slack"
	"redis-session-bot/internal/slack/slacktest"
)

// checked asks a workspace like this one, and looks that no token is told.
func checked(t *testing.T, like slacktest.Options, spoil func(*slack.Options)) ([]preflight.Finding, error) {
	t.Helper()
	workspace, err := slacktest.Start(t.Context(), like)
	if err != nil {
		t.Fatal(err)
	}
	defer workspace.Close()
	options := (&office{t: t, workspace: workspace}).options()
	options.Channels, options.Pages = []string{"inc-redis"}, []string{"#sre-escalations"}
	if spoil != nil {
		spoil(&options)
	}
	findings, unanswered := slack.New(options).Preflight(t.Context())
	ready := workspace.Ready()
	if all := fmt.Sprint(findings, unanswered); strings.Contains(all, ready.BotToken) || strings.Contains(all, ready.AppToken) {
		t.Error("a token is told")
	}
	return findings, unanswered
}

func wrongOf(findings []preflight.Finding) (names []string) {
	for _, one := range (preflight.Report{Findings: findings}).With(preflight.Wrong) {
		names = append(names, one.What)
	}
	return names
}

// names are those of scopes, but for one.
func names(scopes []slack.Scope, but string) (all []string) {
	for _, one := range scopes {
		if one.Name != but {
			all = append(all, one.Name)
		}
	}
	return all
}

// TestPreflightNamesTheOneScope that is taken away, and nothing else.
func TestPreflightNamesTheOneScope(t *testing.T) {
	private := append(slacktest.DefaultChannels(), slacktest.Channel{ID: "C_SECRET", Name: "inc-secret", Private: true, BotMember: true})
	for _, uses := range []slack.Uses{{}, {Groups: true}, {Private: true, Groups: true}} {
		for _, scope := range append([]slack.Scope{{}}, slack.Scopes(uses)...) {
			t.Run(fmt.Sprintf("%+v without %s", uses, scope.Name), func(t *testing.T) {
				findings, err := checked(t, slacktest.Options{Scopes: names(slack.Scopes(uses), scope.Name), Channels: private}, func(o *slack.Options) {
					if !uses.Groups {
						o.Approvers = []string{"U_APPROVER"}
					}
					if uses.Private {
						o.Channels = append(o.Channels, "inc-secret")
					}
				})
				if err != nil {
					t.Fatal(err)
				}
				var want []string
				if scope.Name != "" {
					want = []string{"scope " + scope.Name}
				}
				if got := wrongOf(findings); !slices.Equal(got, want) {
					t.Fatalf("wrong is %q, want %q", got, want)
				}
				if scope.Name == "" {
					return
				}
				one := (preflight.Report{Findings: findings}).With(preflight.Wrong)[0]
				if want := fmt.Sprintf("the bot token lacks the scope %s (%s): add it under OAuth & Permissions and install the app again", scope.Name, scope.Why); one.Sentence() != want {
					t.Errorf("says %q", one.Sentence())
				}
				refused := slack.Refusals(findings, nil)
				if starts := strings.HasPrefix(scope.Name, "groups:"); starts != (len(refused) == 0) {
					t.Errorf("refused: %v", refused)
				}
			})
		}
	}
}

// TestPreflightNamesTheOneSetting that is not right. The bot does not start
// without some of them.
func TestPreflightNamesTheOneSetting(t *testing.T) {
	tests := map[string]struct {
		workspace slacktest.Options
		spoil     func(*slack.Options)
		what      []string
		says      string
		starts    bool
	}{
		"nothing":               {starts: true},
		"no bot token":          {spoil: func(o *slack.Options) { o.BotToken = "" }, what: []string{"SLACK_BOT_TOKEN"}, says: "SLACK_BOT_TOKEN is not set: set it, or name a file that holds it; it begins with xoxb-"},
		"tokens swapped":        {spoil: func(o *slack.Options) { o.BotToken, o.AppToken = o.AppToken, o.BotToken }, what: []string{"SLACK_BOT_TOKEN", "SLACK_APP_TOKEN"}, says: "swap the two"},
		"another kind of token": {spoil: func(o *slack.Options) { o.AppToken = "xoxp-1" }, what: []string{"SLACK_APP_TOKEN"}, says: "SLACK_APP_TOKEN does not begin with xapp-"},
		"a stale bot token":     {spoil: func(o *slack.Options) { o.BotToken = "xoxb-stale" }, what: []string{"SLACK_BOT_TOKEN"}, says: "SLACK_BOT_TOKEN is refused by Slack (invalid_auth): copy it again from the app's settings"},
		"a stale app token":     {spoil: func(o *slack.Options) { o.AppToken = "xapp-stale" }, what: []string{"SLACK_APP_TOKEN"}, says: "SLACK_APP_TOKEN is refused by Slack (invalid_auth): copy it again from the app's settings"},
		"a wrong channel":       {spoil: func(o *slack.Options) { o.Channels = []string{"inc-rediss"} }, what: []string{"channel #inc-rediss"}, says: "there is no channel inc-rediss that the bot can see: a private one needs the scopes groups:read and groups:history"},
		"not in the channel":    {spoil: func(o *slack.Options) { o.Channels = []string{"#general"} }, what: []string{"channel #general"}, says: "the bot is not in #general: invite it there with /invite @"},
		"not where it pages":    {spoil: func(o *slack.Options) { o.Pages = []string{"#general"} }, what: []string{"channel #general"}, says: "the bot is not in #general: invite it there with /invite @"},
		"in no such channel":    {spoil: func(o *slack.Options) { o.Channels = []string{"gen*"} }, what: []string{"channels #gen*"}, says: "the bot is in no channel gen*: invite it with /invite @", starts: true},
		"no channel":            {spoil: func(o *slack.Options) { o.Channels = nil }, what: []string{"channels"}, says: "slack.channels is empty: name the channels where the bot answers"},
		"Socket Mode is off":    {workspace: slacktest.Options{NoSocketMode: true}, what: []string{"Socket Mode"}, says: "Slack opens no connection for SLACK_APP_TOKEN (socket_mode_not_enabled): switch Socket Mode on in the app's settings"},
		"no such group":         {spoil: func(o *slack.Options) { o.Approvers = []string{"@sre-gone"} }, what: []string{"user group @sre-gone"}, says: "there is no user group @sre-gone: correct its name in the configuration", starts: true},
		"no such called group":  {spoil: func(o *slack.Options) { o.Called = []string{"@sre-gone"} }, what: []string{"user group @sre-gone"}, says: "there is no user group @sre-gone", starts: true},
		"an empty group": {workspace: slacktest.Options{Groups: []slacktest.Group{{ID: "S_NOBODY", Handle: "sre-oncall"}}}, what: []string{"user group @sre-oncall"},
			says: "nobody is in it: add people to it", starts: true},
		"nobody may apply": {spoil: func(o *slack.Options) { o.Approvers = nil }, what: []string{"roles"}, says: "nobody may apply a plan: set roles.approvers", starts: true},
		"nobody may ask":   {spoil: func(o *slack.Options) { o.Approvers, o.Responders = nil, nil }, what: []string{"roles"}, says: "nobody may ask the bot for anything: set roles.responders and roles.approvers", starts: true},
		"a clock that is late": {spoil: func(o *slack.Options) { o.Now = func() time.Time { return time.Now().Add(-time.Hour) } }, what: []string{"clock"},
			says: "behind Slack's: set this machine's clock by NTP", starts: true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			findings, err := checked(t, test.workspace, test.spoil)
			if err != nil {
				t.Fatal(err)
			}
			if got := wrongOf(findings); !slices.Equal(got, test.what) {
				t.Errorf("wrong is %q, want %q", got, test.what)
			}
			says := ""
			for _, one := range (preflight.Report{Findings: findings}).With(preflight.Wrong) {
				says += one.Sentence() + "\n"
			}
			if !strings.Contains(says, test.says) {
				t.Errorf("it says %q, not %q", says, test.says)
			}
			if refused := slack.Refusals(findings, nil); test.starts != (len(refused) == 0) {
				t.Errorf("refused: %v", refused)
			}
		})
	}
}

// TestPreflightOfAnAppTokenWithoutItsScope: Slack says which one is missing.
func TestPreflightOfAnAppTokenWithoutItsScope(t *testing.T) {
	workspace, err := slacktest.Start(t.Context(), slacktest.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer workspace.Close()
	if err := workspace.Inject(slacktest.Fault{Kind: "error", Method: "apps.connections.open", Error: "missing_scope"}); err != nil {
		t.Fatal(err)
	}
	findings, err := slack.New((&office{t: t, workspace: workspace}).options()).Preflight(t.Context())
	if got := wrongOf(findings); err != nil || !slices.Equal(got, []string{"scope connections:write"}) {
		t.Errorf("%q, %v", got, err)
	}
}

// TestPreflightWithoutSlack says nothing of the configuration.
func TestPreflightWithoutSlack(t *testing.T) {
	findings, err := checked(t, slacktest.Options{}, func(o *slack.Options) { o.APIURL = "http://127.0.0.1:1/api/" })
	if !errors.Is(err, slack.ErrNoAnswer) || !slices.Equal(wrongOf(findings), []string{"SLACK_BOT_TOKEN"}) {
		t.Errorf("%v, %+v", err, findings)
	}
	refused := slack.Refusals(findings, err)
	if len(refused) != 1 || !errors.Is(refused[0], slack.ErrNoAnswer) {
		t.Errorf("refused: %v", refused)
	}
}

// TestPreflightSaysWhatCannotBeTold until it was used.
func TestPreflightSaysWhatCannotBeTold(t *testing.T) {
	o := open(t, slacktest.Options{})
	app := slack.New(o.options())
	for _, used := range []bool{false, true} {
		if used {
			o.run()
			o.command("U_RESPONDER", "C_INC", "check")
			o.until("the command came", func() bool { return len(o.handler.requests()) > 0 })
			app = o.app
		}
		findings, err := app.Preflight(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, what := range []string{"slash command /redis-session", "interactivity", "event app_mention"} {
			i := slices.IndexFunc(findings, func(f preflight.Finding) bool { return f.What == what })
			if i < 0 {
				t.Fatalf("%s is not there", what)
			}
			one := findings[i]
			known := used && what == "slash command /redis-session"
			if known != (one.Status == preflight.OK) || known == one.Minor || known == (one.Mend != "") {
				t.Errorf("used %t: %+v", used, one)
			}
		}
	}
}
