package slack

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/slack-go/slack"

	"redis-session-bot/internal/incident"
)

// people knows the workspace's users and groups, and says who may do what.
type people struct {
	api        *slack.Client
	responders []string
	approvers  []string
	now        func() time.Time

	mu     sync.Mutex
	own    string // ID of the bot's own workspace
	users  map[string]cached[*slack.User]
	groups map[string]cached[[]string] // members by group ID
	ids    cached[map[string]string]   // group ID by handle
}

type cached[T any] struct {
	value T
	until time.Time
}

// A changed role counts within a minute, a changed name within five.
const (
	groupsLive = time.Minute
	usersLive  = 5 * time.Minute
)

func newPeople(api *slack.Client, o Options) *people {
	return &people{api: api, responders: o.Responders, approvers: o.Approvers, now: o.Now,
		users: map[string]cached[*slack.User]{}, groups: map[string]cached[[]string]{}}
}

func (p *people) team() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.own
}

func (p *people) setTeam(id string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.own = id
}

// user asks Slack for a user.
func (p *people) user(ctx context.Context, id string) (*slack.User, error) {
	p.mu.Lock()
	kept, ok := p.users[id]
	p.mu.Unlock()
	if ok && p.now().Before(kept.until) {
		return kept.value, nil
	}
	user, err := p.api.GetUserInfoContext(ctx, id)
	if err != nil {
		return nil, fmt.Errorf("ask Slack about user %s: %w", id, err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.users[id] = cached[*slack.User]{user, p.now().Add(usersLive)}
	return user, nil
}

// name is how people call a user; the ID where Slack does not say.
func (p *people) name(ctx context.Context, id string) string {
	user, err := p.user(ctx, id)
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

// Allows implements incident.Roles. Whoever cannot be looked up may not.
func (p *people) Allows(ctx context.Context, actor incident.Actor, role incident.Role) error {
	user, err := p.user(ctx, actor.ID)
	if err != nil {
		return &incident.Refusal{Says: "Slack does not tell me who you are just now, so I do nothing. Try again in a minute.", Err: err}
	}
	if says := p.outsider(user); says != "" {
		return &incident.Refusal{Says: says}
	}
	lists := [][]string{p.approvers}
	if role == incident.Responder {
		lists = append(lists, p.responders)
	}
	for _, list := range lists {
		member, err := p.isIn(ctx, user.ID, list)
		if err != nil {
			return &incident.Refusal{Says: "Slack does not tell me who is in the user groups just now, so I do nothing. Try again in a minute.", Err: err}
		}
		if member {
			return nil
		}
	}
	return p.deny(ctx, user.ID, role)
}

// outsider says why a user may never do anything; "" for a member.
func (p *people) outsider(user *slack.User) string {
	switch {
	case user.Deleted:
		return "This account is deactivated."
	case user.IsBot:
		return "A bot may not ask me for anything."
	case user.IsRestricted || user.IsUltraRestricted:
		return "Guests may not use me. Ask a responder."
	case user.IsStranger || p.team() != "" && user.TeamID != "" && user.TeamID != p.team():
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

func isUser(id string) bool { return strings.HasPrefix(id, "U") || strings.HasPrefix(id, "W") }

// isIn reports whether a user is in a list of user IDs, group IDs and handles.
func (p *people) isIn(ctx context.Context, user string, list []string) (bool, error) {
	if slices.Contains(list, user) {
		return true, nil
	}
	for _, who := range list {
		if isUser(who) {
			continue
		}
		members, err := p.members(ctx, who)
		if err != nil {
			return false, err
		}
		if slices.Contains(members, user) {
			return true, nil
		}
	}
	return false, nil
}

// members lists a group by its ID or @handle.
func (p *people) members(ctx context.Context, group string) ([]string, error) {
	if handle, ok := strings.CutPrefix(group, "@"); ok {
		ids, err := p.handles(ctx)
		if err != nil {
			return nil, err
		}
		if group, ok = ids[handle]; !ok {
			return nil, fmt.Errorf("there is no user group @%s", handle)
		}
	}
	p.mu.Lock()
	kept, ok := p.groups[group]
	p.mu.Unlock()
	if ok && p.now().Before(kept.until) {
		return kept.value, nil
	}
	members, err := p.api.GetUserGroupMembersContext(ctx, group)
	if err != nil {
		return nil, fmt.Errorf("ask Slack for the members of %s: %w", group, err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.groups[group] = cached[[]string]{members, p.now().Add(groupsLive)}
	return members, nil
}

func (p *people) handles(ctx context.Context) (map[string]string, error) {
	p.mu.Lock()
	kept := p.ids
	p.mu.Unlock()
	if p.now().Before(kept.until) {
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
	p.ids = cached[map[string]string]{ids, p.now().Add(groupsLive)}
	return ids, nil
}
