package slack

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/slack-go/slack"

	"redis-session-bot/internal/commands"
	"redis-session-bot/internal/incident"
)

// people knows the workspace's users and groups, and says who may do what.
type people struct {
	api        *slack.Client
	responders []string
	approvers  []string
	now        func() time.Time

	mu     sync.Mutex
	own    identity
	users  map[string]cached[*slack.User]
	groups map[string]cached[[]string] // members by group ID
	ids    cached[map[string]string]   // group ID by handle
}

// identity is who the bot is.
type identity struct{ team, user string }

// cached is something that Slack said, and when.
type cached[T any] struct {
	value T
	at    time.Time
}

// fresh reports whether it was said no longer than limit ago.
func (c cached[T]) fresh(now time.Time, limit time.Duration) bool {
	return !c.at.IsZero() && now.Sub(c.at) < limit
}

// A changed role counts within a minute, a changed name within five.
const (
	rolesLive = time.Minute
	namesLive = 5 * time.Minute
)

func newPeople(api *slack.Client, o Options) *people {
	return &people{api: api, responders: o.Responders, approvers: o.Approvers, now: o.Now,
		users: map[string]cached[*slack.User]{}, groups: map[string]cached[[]string]{}}
}

// bot asks Slack who the bot is, once.
func (p *people) bot(ctx context.Context) (identity, error) {
	p.mu.Lock()
	own := p.own
	p.mu.Unlock()
	if own.team != "" {
		return own, nil
	}
	answer, err := p.api.AuthTestContext(ctx)
	if err != nil {
		return identity{}, fmt.Errorf("ask Slack who the bot is: %w", err)
	}
	p.is(answer)
	return identity{answer.TeamID, answer.UserID}, nil
}

// is keeps what Slack says of the bot.
func (p *people) is(answer *slack.AuthTestResponse) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.own = identity{answer.TeamID, answer.UserID}
}

// self is the bot's user ID; "" when Slack does not say.
func (p *people) self(ctx context.Context) string {
	own, err := p.bot(ctx)
	if err != nil {
		return ""
	}
	return own.user
}

// user asks Slack for a user, unless it said so lately.
func (p *people) user(ctx context.Context, id string, lately time.Duration) (*slack.User, error) {
	p.mu.Lock()
	kept := p.users[id]
	p.mu.Unlock()
	if kept.fresh(p.now(), lately) {
		return kept.value, nil
	}
	user, err := p.api.GetUserInfoContext(ctx, id)
	if err != nil {
		return nil, fmt.Errorf("ask Slack about user %s: %w", id, err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.users[id] = cached[*slack.User]{user, p.now()}
	return user, nil
}

// name is how people call a user; the ID where Slack does not say.
func (p *people) name(ctx context.Context, id string) string {
	user, err := p.user(ctx, id, namesLive)
	if err != nil {
		return id
	}
	for _, name := range []string{user.Profile.DisplayName, user.RealName, user.Name} {
		if name != "" {
			return name
		}
	}
	return id
}

// zone is the zone of a user's clock; nil where Slack does not say, or says one
// that is not known here.
func (p *people) zone(ctx context.Context, id string) *time.Location {
	user, err := p.user(ctx, id, namesLive)
	if err != nil || user.TZ == "" {
		return nil
	}
	zone, err := time.LoadLocation(user.TZ)
	if err != nil {
		return nil
	}
	return zone
}

// Allows implements incident.Roles. Whoever cannot be looked up may not.
func (p *people) Allows(ctx context.Context, actor incident.Actor, role incident.Role) error {
	user, err := p.user(ctx, actor.ID, rolesLive)
	if err != nil {
		return &incident.Refusal{Says: "Slack does not tell me who you are just now, so I do nothing. Try again in a minute.", Err: err}
	}
	own, err := p.bot(ctx)
	if err != nil {
		return &incident.Refusal{Says: "Slack does not tell me which workspace is mine just now, so I do nothing. Try again in a minute.", Err: err}
	}
	if says := own.outsider(user); says != "" {
		return &incident.Refusal{Says: says}
	}
	lists := [][]string{p.approvers}
	if role == incident.Responder {
		lists = append(lists, p.responders)
	}
	var unknown error // a group that cannot be asked for takes nothing from those who are named elsewhere
	for _, list := range lists {
		member, err := p.isIn(ctx, user.ID, list)
		if member {
			return nil
		}
		unknown = errors.Join(unknown, err)
	}
	if unknown != nil {
		return &incident.Refusal{Says: "Slack does not tell me who is in the user groups just now, so I do nothing. Try again in a minute.", Err: unknown}
	}
	return p.deny(ctx, user.ID, role)
}

// outsider says why a user may never do anything; "" for a member.
func (own identity) outsider(user *slack.User) string {
	switch {
	case user.Deleted:
		return "This account is deactivated."
	case user.IsBot:
		return "A bot may not ask me for anything."
	case user.IsRestricted || user.IsUltraRestricted:
		return "Guests may not use me. Ask a responder."
	case user.IsStranger || user.TeamID != own.team:
		return "Members of other workspaces may not use me. Ask a responder."
	}
	return ""
}

// deny is the sentence for somebody without the role.
func (p *people) deny(ctx context.Context, id string, role incident.Role) error {
	if role == incident.Responder {
		if len(p.responders)+len(p.approvers) == 0 {
			return &incident.Refusal{Says: "Nobody is configured to use me: set roles.responders and roles.approvers."}
		}
		return &incident.Refusal{Says: "You may not diagnose. Ask a responder, or have yourself added to roles.responders."}
	}
	if len(p.approvers) == 0 {
		return &incident.Refusal{Says: "Nobody may apply a plan: set roles.approvers."}
	}
	may := "You may not apply."
	if ok, err := p.isIn(ctx, id, p.responders); err == nil && ok {
		may = "You may diagnose, not apply."
	}
	return &incident.Refusal{Says: fmt.Sprintf("%s Nothing was changed. Ask an approver: %s.", may, p.nameAll(ctx, p.approvers))}
}

// nameAll names people and groups without calling them.
func (p *people) nameAll(ctx context.Context, list []string) string {
	names := make([]string, len(list))
	for i, who := range list {
		names[i] = who
		if isUser(who) {
			names[i] = p.name(ctx, who)
		}
	}
	return strings.Join(names, ", ")
}

// isUser reports whether a name in a list is a user's ID: capitals and digits
// after the letter of its kind, which no handle has.
func isUser(name string) bool { return isID(name, "UW") }

func isID(name, kinds string) bool {
	return len(name) > 1 && strings.ContainsRune(kinds, rune(name[0])) && name == id(name)
}

// isIn reports whether a user is in a list of user IDs, group IDs and
// handles. An error means that a group of it could not be asked for.
func (p *people) isIn(ctx context.Context, user string, list []string) (bool, error) {
	if slices.Contains(list, user) {
		return true, nil
	}
	var unknown error
	for _, who := range list {
		if isUser(who) {
			continue
		}
		members, err := p.members(ctx, who)
		if slices.Contains(members, user) {
			return true, nil
		}
		unknown = errors.Join(unknown, err)
	}
	return false, unknown
}

// errNoGroup begins the sentence on a group that Slack does not know.
var errNoGroup = errors.New("there is no user group")

// members lists a group by its ID or handle, with or without its @.
func (p *people) members(ctx context.Context, group string) ([]string, error) {
	if !isID(group, "S") {
		handle := strings.TrimPrefix(group, "@")
		ids, err := p.handles(ctx)
		if err != nil {
			return nil, err
		}
		known := false
		if group, known = ids[handle]; !known {
			return nil, fmt.Errorf("%w @%s", errNoGroup, handle)
		}
	}
	p.mu.Lock()
	kept := p.groups[group]
	p.mu.Unlock()
	if kept.fresh(p.now(), rolesLive) {
		return kept.value, nil
	}
	members, err := p.api.GetUserGroupMembersContext(ctx, group)
	if err != nil {
		return nil, fmt.Errorf("ask Slack for the members of %s: %w", group, err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.groups[group] = cached[[]string]{members, p.now()}
	return members, nil
}

// handles gives the IDs of the groups that are in use, by handle.
func (p *people) handles(ctx context.Context) (map[string]string, error) {
	p.mu.Lock()
	kept := p.ids
	p.mu.Unlock()
	if kept.fresh(p.now(), rolesLive) {
		return kept.value, nil
	}
	all, err := p.api.GetUserGroupsContext(ctx)
	if err != nil {
		return nil, fmt.Errorf("ask Slack for the user groups: %w", err)
	}
	ids := map[string]string{}
	for _, group := range all {
		ids[group.Handle] = group.ID
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ids = cached[map[string]string]{ids, p.now()}
	return ids, nil
}

// identified is a view with the ID of every user group that it mentions: Slack
// calls nobody by a handle. A group that is not known stays a word.
func (p *people) identified(ctx context.Context, view commands.View) commands.View {
	view.Parts = slices.Clone(view.Parts)
	for i, part := range view.Parts {
		paragraph, ok := part.(commands.Paragraph)
		if !ok || !slices.ContainsFunc(paragraph.Text, func(s commands.Span) bool { return s.Kind == commands.Group }) {
			continue
		}
		ids, err := p.handles(ctx)
		if err != nil {
			return view
		}
		text := slices.Clone(paragraph.Text)
		for n, span := range text {
			if known, ok := ids[strings.TrimPrefix(span.Text, "@")]; ok && span.Kind == commands.Group {
				text[n].Text = known
			}
		}
		view.Parts[i] = commands.Paragraph{Text: text}
	}
	return view
}
