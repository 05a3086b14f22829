package slack_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"redis-session-bot/internal/slack"
	"redis-session-bot/internal/slack/slacktest"
)

func TestCheckNamesWhatIsWrong(t *testing.T) {
	without := func(scope string) slacktest.Options {
		return slacktest.Options{Scopes: slices.DeleteFunc(slacktest.DefaultScopes(), func(s string) bool { return s == scope })}
	}
	tests := map[string]struct {
		workspace slacktest.Options
		spoil     func(*slack.Options)
		want      string
	}{
		"no bot token":          {spoil: func(o *slack.Options) { o.BotToken = "" }, want: "SLACK_BOT_TOKEN is not set"},
		"tokens swapped":        {spoil: func(o *slack.Options) { o.BotToken, o.AppToken = o.AppToken, o.BotToken }, want: "swap the two"},
		"another kind of token": {spoil: func(o *slack.Options) { o.AppToken = "xoxp-1" }, want: "SLACK_APP_TOKEN does not begin with xapp-"},
		"a wrong channel":       {spoil: func(o *slack.Options) { o.Channels = []string{"inc-rediss"} }, want: "there is no channel inc-rediss"},
		"not in the channel":    {spoil: func(o *slack.Options) { o.Channels = []string{"#general"} }, want: "the bot is not in #general: invite it there with /invite @"},
		"no channel":            {spoil: func(o *slack.Options) { o.Channels = nil }, want: "slack.channels is empty"},
		"without files:write":   {workspace: without("files:write"), want: "lacks the scope files:write (to attach long output)"},
		"without users:read":    {workspace: without("users:read"), want: "lacks the scope users:read"},
		"Socket Mode is off":    {workspace: slacktest.Options{NoSocketMode: true}, want: "SLACK_APP_TOKEN"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			workspace, err := slacktest.Start(t.Context(), test.workspace)
			if err != nil {
				t.Fatal(err)
			}
			defer workspace.Close()
			o := &office{t: t, workspace: workspace}
			options := o.options()
			options.Channels = []string{"inc-redis"}
			if test.spoil != nil {
				test.spoil(&options)
			}
			wrong := slack.New(options).Check(t.Context())
			if !slices.ContainsFunc(wrong, func(err error) bool { return strings.Contains(err.Error(), test.want) }) {
				t.Errorf("want %q, got %v", test.want, wrong)
			}
			if ready := workspace.Ready(); strings.Contains(fmt.Sprint(wrong), ready.BotToken) || strings.Contains(fmt.Sprint(wrong), ready.AppToken) {
				t.Error("a token is told")
			}
		})
	}
}
