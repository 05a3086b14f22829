package slack

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/slack-go/slack"

	"redis-session-bot/internal/incident"
	"redis-session-bot/internal/preflight"
)

// about is what the findings of this package are about.
const about = "Slack"

// ErrNoAnswer is in an error of Preflight that says nothing of the configuration:
// Slack could not be asked, and may answer later.
var ErrNoAnswer = errors.New("no answer from Slack")

// Refusals are why the bot does not start, after what Preflight gave: tokens,
// scopes, Socket Mode and channels. Each error is one sentence with the mend.
func Refusals(findings []preflight.Finding, err error) (wrong []error) {
	if err != nil {
		return []error{err}
	}
	for _, one := range findings {
		if one.Vital && one.Status == preflight.Wrong {
			wrong = append(wrong, errors.New(one.Sentence()))
		}
	}
	return wrong
}

// Preflight asks Slack whether everything that the bot needs is there. Its error
// is that Slack could not be asked; the findings say so, too.
func (a *App) Preflight(ctx context.Context) ([]preflight.Finding, error) {
	c := &checking{app: a}
	bot, app := c.kind("SLACK_BOT_TOKEN", a.options.BotToken, "xoxb-", "xapp-"), c.kind("SLACK_APP_TOKEN", a.options.AppToken, "xapp-", "xoxb-")
	if !bot || !app { // swapped ones are two lines, and nothing else is worth asking
		c.skip("a token is not there", "scopes", "Socket Mode", "channels", "user groups", "clock")
		return c.found, nil
	}
	if self := c.token(ctx); self != nil {
		parts := []*checking{{app: a}, {app: a}, {app: a}}
		var asked sync.WaitGroup
		asked.Go(func() { parts[0].socket(ctx) })
		asked.Go(func() { parts[1].channels(ctx, self.User) })
		asked.Go(func() { parts[2].groups(ctx) })
		asked.Wait()
		for _, part := range parts {
			c.found = append(c.found, part.found...)
			c.unanswered = errors.Join(c.unanswered, part.unanswered)
		}
	}
	c.roles()
	c.found = append(c.found, a.ways()...)
	return c.found, c.unanswered
}

// checking collects findings.
type checking struct {
	app        *App
	found      []preflight.Finding
	unanswered error
}

func (c *checking) ok(what, says string, args ...any) {
	c.found = append(c.found, preflight.Finding{About: about, What: what, Status: preflight.OK, Says: fmt.Sprintf(says, args...)})
}

// wrong is what the bot does not start without.
func (c *checking) wrong(what, says, mend string) {
	c.found = append(c.found, preflight.Finding{About: about, What: what, Status: preflight.Wrong, Says: says, Mend: mend, Vital: true})
}

// minded is wrong, and the bot starts all the same.
func (c *checking) minded(what, says, mend string) {
	c.found = append(c.found, preflight.Finding{About: about, What: what, Status: preflight.Wrong, Says: says, Mend: mend})
}

// skip is not asked, since something else is missing.
func (c *checking) skip(why string, what ...string) {
	for _, one := range what {
		c.found = append(c.found, preflight.Finding{About: about, What: one, Status: preflight.Unknown, Says: "not asked: " + why})
	}
}

// silent is that Slack has not answered.
func (c *checking) silent(what string, err error) {
	err = c.app.withoutTokens(err)
	c.unanswered = errors.Join(c.unanswered, fmt.Errorf("%w: %w", ErrNoAnswer, err))
	c.found = append(c.found, preflight.Finding{About: about, What: what, Status: preflight.Wrong, Says: fmt.Sprintf("no answer from Slack: %s", err),
		Mend: "look at the way out to slack.com (proxy, DNS), and at slack-status.com"})
}

// kind judges a token by how it begins. It reports whether it may be used.
func (c *checking) kind(name, value, prefix, other string) bool {
	switch {
	case value == "":
		c.wrong(name, name+" is not set", "set it, or name a file that holds it; it begins with "+prefix)
	case strings.HasPrefix(value, other):
		c.wrong(name, fmt.Sprintf("%s holds the other token (%s…)", name, other), "swap the two")
	case !strings.HasPrefix(value, prefix):
		c.wrong(name, fmt.Sprintf("%s does not begin with %s", name, prefix), "copy it again from the app's settings")
	default:
		return true
	}
	return false
}

// token asks Slack who the bot is, and looks at its scopes and at its clock.
// It is nil where nothing more can be asked.
func (c *checking) token(ctx context.Context) *slack.AuthTestResponse {
	const name = "SLACK_BOT_TOKEN"
	sent := c.app.options.Now()
	self, err := c.app.api.AuthTestContext(ctx)
	switch {
	case err != nil && !final(err):
		c.silent(name, err)
		c.skip("Slack does not answer", "scopes", "SLACK_APP_TOKEN", "channels", "user groups", "clock")
		return nil
	case err != nil:
		says, mend := refused(name, err)
		c.wrong(name, says, mend)
		c.skip("Slack refuses the bot token", "scopes", "SLACK_APP_TOKEN", "channels", "user groups", "clock")
		return nil
	}
	c.app.people.is(self)
	c.ok(name, "a bot token (xoxb-…), of @%s in %s", self.User, self.Team)
	c.scopes()
	header, at := c.app.scopes.dated()
	c.found = append(c.found, preflight.Clock(about, "Slack", sent, at, header))
	return self
}

func (c *checking) scopes() {
	granted := c.app.scopes.list()
	if len(granted) == 0 {
		c.found = append(c.found, preflight.Finding{About: about, What: "scopes", Status: preflight.Unknown, Says: "Slack did not say which the bot token has"})
		return
	}
	for _, need := range Scopes(usesOf(c.app.options, granted)) {
		what := "scope " + need.Name
		if slices.Contains(granted, need.Name) {
			c.ok(what, "%s", need.Why)
			continue
		}
		c.wrong(what, fmt.Sprintf("the bot token lacks the scope %s (%s)", need.Name, need.Why), "add it under OAuth & Permissions and install the app again")
		c.found[len(c.found)-1].Vital = !strings.HasPrefix(need.Name, "groups:") // the other channels work all the same
	}
}

// lacks reports whether Slack has said that the token has not this scope.
func (c *checking) lacks(scope string) bool {
	granted := c.app.scopes.list()
	return len(granted) > 0 && !slices.Contains(granted, scope)
}

// socket asks for a connection, unless there is one.
func (c *checking) socket(ctx context.Context) {
	const token, mode = "SLACK_APP_TOKEN", "Socket Mode"
	kind, scope := "an app-level token (xapp-…)", "scope "+scopeOfApp.Name
	if connected, why := c.app.State(); connected {
		c.ok(token, "%s", kind)
		c.ok(scope, "%s; of the app token", scopeOfApp.Why)
		c.ok(mode, "on, and connected")
		return
	} else if c.app.ended() {
		says, mend, _ := strings.Cut(why, ": ")
		c.minded(mode, says, mend)
		return
	}
	_, _, err := c.app.socket.OpenContext(ctx)
	var answer slack.SlackErrorResponse
	switch {
	case err == nil:
		c.ok(token, "%s", kind)
		c.ok(scope, "%s; of the app token", scopeOfApp.Why)
		c.ok(mode, "on")
	case !final(err) || !errors.As(err, &answer):
		c.silent(token, err)
		c.skip("Slack does not answer", scope, mode)
	case answer.Err == "missing_scope":
		c.ok(token, "%s", kind)
		c.wrong(scope, fmt.Sprintf("%s lacks the scope %s (%s)", token, orElse(answer.Needed, scopeOfApp.Name), scopeOfApp.Why), "make one that has it, under Basic Information")
		c.skip("the app token lacks the scope for it", mode)
	case isOfToken(answer.Err):
		says, mend := refused(token, err)
		c.wrong(token, says, mend)
		c.skip("Slack refuses the app token", scope, mode)
	default:
		c.ok(token, "%s", kind)
		c.ok(scope, "%s; of the app token", scopeOfApp.Why)
		c.wrong(mode, fmt.Sprintf("Slack opens no connection for SLACK_APP_TOKEN (%s)", answer.Err), "switch Socket Mode on in the app's settings")
	}
}

// isOfToken reports whether an answer is about the token itself.
func isOfToken(answer string) bool {
	return slices.Contains([]string{"invalid_auth", "not_authed", "token_revoked", "token_expired", "account_inactive", "not_allowed_token_type"}, answer)
}

// refused turns Slack's no to a token into a sentence and its mend.
func refused(token string, err error) (says, mend string) {
	var answer slack.SlackErrorResponse
	errors.As(err, &answer)
	switch {
	case answer.Err == "not_allowed_token_type":
		return token + " is of the wrong kind for this call", "copy it again from the app's settings"
	case answer.Err == "missing_scope":
		return fmt.Sprintf("%s lacks the scope %s", token, answer.Needed), "add it and install the app again"
	}
	return fmt.Sprintf("%s is refused by Slack (%s)", token, answer.Err), "copy it again from the app's settings"
}

// roles says whether anybody may do anything.
func (c *checking) roles() {
	o := c.app.options
	switch {
	case len(o.Approvers) == 0 && len(o.Responders) == 0:
		c.minded("roles", "nobody may ask the bot for anything", "set roles.responders and roles.approvers")
	case len(o.Approvers) == 0:
		c.minded("roles", "nobody may apply a plan", "set roles.approvers")
	default:
		c.ok("roles", "%s may apply; they and %s may diagnose", strings.Join(o.Approvers, ", "), orElse(strings.Join(o.Responders, ", "), "nobody else"))
	}
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
