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

// ErrNoAnswer is in an error of Check that says nothing of the configuration:
// Slack could not be asked, and may answer later.
var ErrNoAnswer = errors.New("no answer from Slack")

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
	return append(wrong, a.checkChannels(ctx, self.User)...)
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

// seesPrivate reports whether the token may list private channels, too.
func (a *App) seesPrivate() bool { return slices.Contains(a.scopes.list(), "groups:read") }

// channelID gives the ID of a channel by its name, or by the ID itself.
func (a *App) channelID(ctx context.Context, name string) (string, error) {
	if isID(name, "CG") {
		return name, nil
	}
	if id := a.channels.known(name); id != "" {
		return id, nil
	}
	if _, err := a.people.bot(ctx); err != nil { // what the token may do is known from this
		return "", err
	}
	byName, err := a.channels.list(ctx, a.seesPrivate())
	if err != nil {
		return "", fmt.Errorf("list the channels: %w", err)
	}
	channel, there := byName[name]
	if !there {
		return "", slack.SlackErrorResponse{Err: "channel_not_found"}
	}
	return channel.ID, nil
}

// explain turns an answer of Slack's about a token into a sentence.
func (a *App) explain(token string, err error) error {
	var answer slack.SlackErrorResponse
	if !errors.As(err, &answer) || !final(err) {
		return fmt.Errorf("%w: %w", ErrNoAnswer, a.withoutTokens(err))
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
func (a *App) checkChannels(ctx context.Context, self string) []error {
	if len(a.options.Channels) == 0 {
		return []error{errors.New("slack.channels is empty: name the channels where the bot answers")}
	}
	byName, err := a.channels.list(ctx, a.seesPrivate())
	switch {
	case err != nil && final(err):
		return []error{fmt.Errorf("list the channels: %w", a.withoutTokens(err))}
	case err != nil:
		return []error{fmt.Errorf("%w: list the channels: %w", ErrNoAnswer, a.withoutTokens(err))}
	}
	private := ": invite it there, if the channel is private"
	if !a.seesPrivate() {
		private = ": a private one needs the scopes groups:read and groups:history"
	}
	var wrong []error
	for _, pattern := range slices.Concat(a.options.Channels, a.options.Pages) {
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

// Place finds the channel of that name or ID, where incidents can be shown by
// themselves: the bot is in it, and answers there. Its error is one sentence
// with the mend.
func (a *App) Place(ctx context.Context, name string) (incident.Place, error) {
	byName, err := a.channels.list(ctx, a.seesPrivate())
	if err != nil {
		return incident.Place{}, fmt.Errorf("list the channels: %w", a.withoutTokens(err))
	}
	channel, there := byName[strings.TrimPrefix(name, "#")]
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
