package slack

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/slack-go/slack"
	"go.yaml.in/yaml/v3"
)

// Command is a slash command of the app.
type Command struct {
	Name        string // without the slash
	Description string
	UsageHint   string
}

// The app as Slack shows it.
const (
	appName = "redis-session-bot"
	appSays = "Walks responders through a runbook, names the cause, proposes the fix, and applies it after a click."
)

// manifestHead is the comment at the top of a manifest.
const manifestHead = `The Slack app of redis-session-bot, as "bot manifest" prints it. Make the app at
https://api.slack.com/apps: Create New App, From a manifest, paste this. Then
install it to the workspace, which gives SLACK_BOT_TOKEN (xoxb-…), and make an
app-level token with the scope ` + "%s" + ` under Basic Information: that is
SLACK_APP_TOKEN (xapp-…). "bot check" tells whether all of it is so.`

// Manifest is the Slack app that the bot needs, with the least scopes, as YAML
// for Slack's page. A comment at each scope says what it is for.
func Manifest(commands []Command, uses Uses) ([]byte, error) {
	manifest := slack.Manifest{
		Display:  slack.Display{Name: appName, Description: appSays},
		Features: slack.Features{BotUser: slack.BotUser{DisplayName: appName}},
		Settings: slack.Settings{
			EventSubscriptions: &slack.EventSubscriptions{BotEvents: []string{"app_mention"}},
			Interactivity:      &slack.Interactivity{IsEnabled: true},
			SocketModeEnabled:  true,
		},
	}
	for _, one := range commands {
		manifest.Features.SlashCommands = append(manifest.Features.SlashCommands,
			slack.ManifestSlashCommand{Command: "/" + one.Name, Description: one.Description, UsageHint: one.UsageHint})
	}
	scopes := Scopes(uses)
	for _, one := range scopes {
		manifest.OAuthConfig.Scopes.Bot = append(manifest.OAuthConfig.Scopes.Bot, one.Name)
	}
	var document yaml.Node
	if err := document.Encode(manifest); err != nil {
		return nil, fmt.Errorf("write the manifest: %w", err)
	}
	document.HeadComment = fmt.Sprintf(manifestHead, scopeOfApp.Name)
	list := valueAt(&document, "oauth_config", "scopes", "bot")
	for i, one := range scopes {
		list.Content[i].LineComment = one.Why
	}
	if !uses.Private {
		list.FootComment = "for private channels: bot manifest --private adds " + strings.Join(added(uses), " and ")
	}
	for path, why := range map[string]string{"socket_mode_enabled": "the bot connects to Slack; nothing has to reach it",
		"interactivity": "buttons and forms", "event_subscriptions": "being asked in a thread"} {
		comment(valueAt(&document, "settings"), path, why)
	}
	var out bytes.Buffer
	encoder := yaml.NewEncoder(&out)
	encoder.SetIndent(2)
	if err := encoder.Encode(&document); err != nil {
		return nil, fmt.Errorf("write the manifest: %w", err)
	}
	return out.Bytes(), encoder.Close()
}

// added are the scopes that private channels take besides the others.
func added(uses Uses) (names []string) {
	for _, one := range needed {
		if one.when != nil && !one.when(uses) && one.when(Uses{Private: true, Groups: uses.Groups}) {
			names = append(names, one.Name)
		}
	}
	return names
}

// valueAt is the value of nested keys, which are there.
func valueAt(node *yaml.Node, keys ...string) *yaml.Node {
	for _, key := range keys {
		for i := 0; i+1 < len(node.Content); i += 2 {
			if node.Content[i].Value == key {
				node = node.Content[i+1]
				break
			}
		}
	}
	return node
}

// comment says above a key what it is for.
func comment(node *yaml.Node, key, why string) {
	for i := 0; i+1 < len(node.Content); i += 2 {
		if node.Content[i].Value == key {
			node.Content[i].HeadComment = why
		}
	}
}
