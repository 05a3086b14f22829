package slack

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/slack-go/slack"

	"redis-session-bot/internal/preflight"
)

// channels looks whether the bot is where it answers and where it calls people.
func (c *checking) channels(ctx context.Context, self string) {
	o := c.app.options
	if len(o.Channels) == 0 {
		c.wrong("channels", "slack.channels is empty", "name the channels where the bot answers")
	}
	var names []string
	for _, name := range slices.Concat(o.Channels, o.Pages) {
		if name = strings.TrimPrefix(name, "#"); !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	if c.lacks("channels:read") {
		c.skip("that takes the scope channels:read", each("channel #", names)...)
		return
	}
	byName, err := c.app.channels.list(ctx, c.app.seesPrivate())
	switch {
	case err != nil && !final(err):
		c.silent("channels", err)
		return
	case err != nil:
		c.wrong("channels", fmt.Sprintf("list the channels: %s", c.app.withoutTokens(err)), "")
		return
	}
	for _, name := range names {
		if strings.ContainsAny(name, "*?[") {
			c.pattern(name, byName, self)
		} else {
			c.channel(name, byName, self)
		}
	}
}

func each(kind string, names []string) (all []string) {
	for _, name := range names {
		all = append(all, kind+name)
	}
	return all
}

func (c *checking) channel(name string, byName map[string]slack.Channel, self string) {
	channel, there := byName[name]
	what := "channel #" + orElse(channel.Name, name)
	switch {
	case !there && !c.app.seesPrivate() && usesOf(c.app.options, c.app.scopes.list()).Private:
		c.skip("to see a private one takes the scope groups:read", what)
	case !there && c.app.seesPrivate():
		c.wrong(what, fmt.Sprintf("there is no channel %s that the bot can see", name), "invite it there, if the channel is private")
	case !there:
		c.wrong(what, fmt.Sprintf("there is no channel %s that the bot can see", name), "a private one needs the scopes groups:read and groups:history")
	case !channel.IsMember:
		c.wrong(what, fmt.Sprintf("the bot is not in #%s", channel.Name), "invite it there with /invite @"+self)
	default:
		c.ok(what, "joined")
	}
}

// pattern looks for one channel that it stands for.
func (c *checking) pattern(pattern string, byName map[string]slack.Channel, self string) {
	what := "channels #" + pattern
	var joined []string
	for _, name := range slices.Sorted(maps.Keys(byName)) {
		if matched, err := path.Match(pattern, name); err == nil && matched && byName[name].IsMember && name == byName[name].Name {
			joined = append(joined, "#"+name)
		}
	}
	const shown = 5
	switch {
	case len(joined) == 0:
		c.minded(what, fmt.Sprintf("the bot is in no channel %s", pattern), "invite it with /invite @"+self)
	case len(joined) > shown:
		c.ok(what, "joined: %s and %d more", strings.Join(joined[:shown], ", "), len(joined)-shown)
	default:
		c.ok(what, "joined: %s", strings.Join(joined, ", "))
	}
}

// groups looks whether the user groups that the configuration names can be read.
func (c *checking) groups(ctx context.Context) {
	groups := c.app.options.groups()
	if c.lacks("usergroups:read") {
		if len(groups) > 0 {
			c.skip("that takes the scope usergroups:read", each("user group ", groups)...)
		}
		return
	}
	for _, group := range groups {
		what := "user group " + group
		members, err := c.app.people.members(ctx, group)
		switch {
		case err == nil && len(members) == 0:
			c.minded(what, "nobody is in it", "add people to it, or name others in the configuration")
		case err == nil:
			c.ok(what, "readable, members: %d", len(members))
		case final(err) || errors.Is(err, errNoGroup):
			c.minded(what, c.app.withoutTokens(err).Error(), "correct its name in the configuration, or make it in Slack")
		default:
			c.unread(what, err)
		}
	}
}

// unread is a group that Slack says nothing of just now. The bot starts without:
// what it is for is refused until Slack answers.
func (c *checking) unread(what string, err error) {
	c.found = append(c.found, preflight.Finding{About: about, What: what, Status: preflight.Unknown, Says: c.app.withoutTokens(err).Error(), Mend: "ask again"})
}
