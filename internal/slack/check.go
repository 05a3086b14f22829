package slack

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"

	"github.com/slack-go/slack"

	"redis-session-bot/internal/incident"
)

// needed are the scopes of the bot's token, and what each is for.
var needed = []struct{ scope, why string }{
	{"commands", "to be asked by a slash command"},
	{"chat:write", "to post and edit its messages"},
	{"app_mentions:read", "to be asked in a thread"},
	{"files:write", "to attach long output"},
	{"channels:read", "to see the names of channels"},
	{"channels:history", "to find its own messages after a restart"},
	{"users:read", "to see who is a guest"},
	{"usergroups:read", "to see who is in a user group"},
}

// scopes keeps what Slack says of the bot token's scopes.
type scopes struct {
	mu      sync.Mutex
	granted []string
}

func (s *scopes) note(path string, headers http.Header) {
	if path != "auth.test" {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.granted = strings.FieldsFunc(headers.Get("X-Oauth-Scopes"), func(r rune) bool { return r == ',' || r == ' ' })
}

func (s *scopes) list() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.granted)
}

// Check asks Slack whether everything that the bot needs is there: tokens,
// scopes, Socket Mode and channels. Each error is one sentence with the mend.
func (a *App) Check(ctx context.Context) []error {
	if wrong := a.checkTokens(); len(wrong) > 0 {
		return wrong
	}
	self, err := a.api.AuthTestContext(ctx)
	if err != nil {
		return []error{a.explain("SLACK_BOT_TOKEN", err)}
	}
	a.people.is(self)
	var wrong []error
	granted := a.scopes.list()
	for _, need := range needed {
		if len(granted) > 0 && !slices.Contains(granted, need.scope) {
			wrong = append(wrong, fmt.Errorf("the bot token lacks the scope %s (%s): add it under OAuth & Permissions and install the app again", need.scope, need.why))
		}
	}
	if _, _, err := a.socket.OpenContext(ctx); err != nil {
		wrong = append(wrong, a.explain("SLACK_APP_TOKEN", err))
	}
	return append(wrong, a.checkChannels(ctx, self.User, a.kinds())...)
}

// kinds are those of channels that the token lets the bot see.
func (a *App) kinds() []string {
	if slices.Contains(a.scopes.list(), "groups:read") {
		return []string{"public_channel", "private_channel"}
	}
	return []string{"public_channel"}
}

func (a *App) checkTokens() []error {
	var wrong []error
	for _, token := range []struct{ name, value, prefix, other string }{
		{"SLACK_BOT_TOKEN", a.options.BotToken, "xoxb-", "xapp-"},
		{"SLACK_APP_TOKEN", a.options.AppToken, "xapp-", "xoxb-"},
	} {
		switch {
		case token.value == "":
			wrong = append(wrong, fmt.Errorf("%s is not set: it begins with %s", token.name, token.prefix))
		case strings.HasPrefix(token.value, token.other):
			wrong = append(wrong, fmt.Errorf("%s holds the other token (%s…): swap the two", token.name, token.other))
		case !strings.HasPrefix(token.value, token.prefix):
			wrong = append(wrong, fmt.Errorf("%s does not begin with %s", token.name, token.prefix))
		}
	}
	return wrong
}

// explain turns an answer of Slack's about a token into a sentence.
func (a *App) explain(token string, err error) error {
	var answer slack.SlackErrorResponse
	if !errors.As(err, &answer) {
		return fmt.Errorf("no answer from Slack: %w", a.withoutTokens(err))
	}
	switch answer.Err {
	case "invalid_auth", "not_authed", "token_revoked", "token_expired", "account_inactive":
		return fmt.Errorf("%s is refused by Slack (%s): copy it again from the app's settings", token, answer.Err)
	case "missing_scope":
		return fmt.Errorf("%s lacks the scope %s", token, answer.Needed)
	case "not_allowed_token_type":
		return fmt.Errorf("%s is of the wrong kind for this call", token)
	}
	return fmt.Errorf("%s is refused by Slack: %s (is Socket Mode switched on for the app?)", token, answer.Err)
}

// checkChannels looks for the configured channels that are not patterns.
func (a *App) checkChannels(ctx context.Context, self string, kinds []string) []error {
	if len(a.options.Channels) == 0 {
		return []error{errors.New("slack.channels is empty: name the channels where the bot answers")}
	}
	byName, err := a.list(ctx, kinds)
	if err != nil {
		return []error{err}
	}
	private := ": invite it there, if the channel is private"
	if !slices.Contains(kinds, "private_channel") {
		private = ": a private one needs the scopes groups:read and groups:history"
	}
	var wrong []error
	for _, pattern := range a.options.Channels {
		name := strings.TrimPrefix(pattern, "#")
		if strings.ContainsAny(name, "*?[") {
			continue
		}
		channel, there := byName[name]
		switch {
		case !there:
			wrong = append(wrong, fmt.Errorf("there is no channel %s that the bot can see%s", pattern, private))
		case !channel.IsMember:
			wrong = append(wrong, fmt.Errorf("the bot is not in #%s: invite it there with /invite @%s", channel.Name, self))
		}
	}
	return wrong
}

// list gives the channels that the bot can see, by their names and by their IDs.
func (a *App) list(ctx context.Context, kinds []string) (map[string]slack.Channel, error) {
	known := map[string]slack.Channel{}
	cursor := ""
	for {
		page, next, err := a.api.GetConversationsContext(ctx, &slack.GetConversationsParameters{Cursor: cursor, ExcludeArchived: true, Limit: 200, Types: kinds})
		if err != nil {
			return nil, fmt.Errorf("list the channels: %w", a.withoutTokens(err))
		}
		for _, channel := range page {
			known[channel.Name], known[channel.ID] = channel, channel
		}
		if cursor = next; cursor == "" {
			return known, nil
		}
	}
}

// Place finds the channel of that name or ID, where incidents can be shown by
// themselves: the bot is in it, and answers there. Its error is one sentence
// with the mend.
func (a *App) Place(ctx context.Context, name string) (incident.Place, error) {
	known, err := a.list(ctx, a.kinds())
	if err != nil {
		return incident.Place{}, err
	}
	channel, there := known[strings.TrimPrefix(name, "#")]
	switch {
	case !there:
		return incident.Place{}, fmt.Errorf("there is no channel %s that the bot can see", name)
	case !channel.IsMember:
		return incident.Place{}, fmt.Errorf("the bot is not in #%s: invite it there", channel.Name)
	case a.channels.refusal(ctx, channel.ID, channel.Name) != "":
		return incident.Place{}, fmt.Errorf("the bot does not answer in #%s: add it to slack.channels", channel.Name)
	}
	return incident.Place{Channel: channel.ID}, nil
}
