package slacktest

import (
	"slices"
	"strings"
)

// The workspace's own identities. They are as constant as Slack's are for an installed app.
const (
	TeamID  = "T_LAB"
	BotUser = "U_BOT"
	BotID   = "B_BOT"
	AppID   = "A_BOT"
	BotName = "redis-session-bot"

	teamName   = "Session Lab"
	teamDomain = "session-lab"
)

// User is a person of the workspace.
type User struct {
	ID       string
	Name     string
	RealName string
	// Role is told on the page only; Slack knows nothing of it.
	Role            string
	TeamID          string // another workspace's user, when it is not TeamID; empty means TeamID
	Deleted         bool
	Restricted      bool // a multi-channel guest
	UltraRestricted bool // a single-channel guest
	Bot             bool
	TZ              string // IANA name; empty means Etc/UTC
}

// Channel is a public channel, unless Private. Everybody is a member of it, and the bot when BotMember.
type Channel struct {
	ID        string
	Name      string
	Topic     string
	BotMember bool
	Private   bool
	Archived  bool
	// Outsiders are users who are not members.
	Outsiders []string
}

// Group is a user group, mentioned as <!subteam^ID>.
type Group struct {
	ID     string
	Handle string
	Name   string
	Users  []string
}

// Command is a registered slash command; Name includes the slash.
type Command struct {
	Name        string
	UsageHint   string
	Description string
}

// DefaultUsers are two responders' colleagues, two approvers, somebody without a role, and a guest.
func DefaultUsers() []User {
	return []User{
		{ID: "U_RESPONDER", Name: "responder", RealName: "Rae Sponder", Role: "responder"},
		{ID: "U_APPROVER", Name: "approver", RealName: "Abel Prover", Role: "approver"},
		{ID: "U_SECOND", Name: "second", RealName: "Sandy Second", Role: "approver"},
		{ID: "U_MEMBER", Name: "member", RealName: "Mel Ember", Role: "no role"},
		{ID: "U_GUEST", Name: "guest", RealName: "Gus Guest", Role: "guest", Restricted: true},
	}
}

// DefaultChannels are the incident channel, the escalation channel, and one that the bot is not in.
func DefaultChannels() []Channel {
	return []Channel{
		{ID: "C_INC", Name: "inc-redis", Topic: "Incidents of the Redis session store", BotMember: true},
		{ID: "C_SRE", Name: "sre-escalations", Topic: "When the channel above is not enough", BotMember: true},
		{ID: "C_GEN", Name: "general", Topic: "Everything else"},
	}
}

// DefaultGroups are the responders and the people on call.
func DefaultGroups() []Group {
	return []Group{
		{ID: "S_RESPONDERS", Handle: "sre-responders", Name: "SRE responders", Users: []string{"U_RESPONDER", "U_APPROVER", "U_SECOND"}},
		{ID: "S_APPROVERS", Handle: "sre-oncall", Name: "SRE on call", Users: []string{"U_APPROVER", "U_SECOND"}},
	}
}

// room is a channel, or a direct message between the bot and one person.
type room struct {
	Channel
	im      string // the person of a direct message
	members []string
	pins    []string
}

func (r *room) public() bool { return r.im == "" && !r.Private }

func (r *room) has(user string) bool { return slices.Contains(r.members, user) }

func newRoom(c Channel, users []User) *room {
	r := &room{Channel: c}
	for _, u := range users {
		if !u.Deleted && !slices.Contains(c.Outsiders, u.ID) {
			r.members = append(r.members, u.ID)
		}
	}
	if c.BotMember {
		r.members = append(r.members, BotUser)
	}
	return r
}

func (w *Workspace) user(id string) (User, bool) {
	i := slices.IndexFunc(w.users, func(u User) bool { return u.ID == id })
	if i < 0 {
		return User{}, false
	}
	return w.users[i], true
}

// room finds a conversation by its id, or by a channel's name with or without the hash.
func (w *Workspace) room(ref string) *room {
	for _, r := range w.rooms {
		if r.ID == ref || (r.im == "" && r.Name == strings.TrimPrefix(ref, "#")) {
			return r
		}
	}
	return nil
}

// direct opens the bot's direct message with a person, once.
func (w *Workspace) direct(user string) *room {
	id := "D_" + strings.TrimPrefix(user, "U_")
	if r := w.room(id); r != nil {
		return r
	}
	r := &room{Channel: Channel{ID: id, BotMember: true, Private: true}, im: user, members: []string{user, BotUser}}
	w.rooms = append(w.rooms, r)
	return r
}

func (u User) zone() string {
	if u.TZ == "" {
		return "Etc/UTC"
	}
	return u.TZ
}

func (u User) team() string {
	if u.TeamID == "" {
		return TeamID
	}
	return u.TeamID
}

// json is the user object of the Web API.
func (u User) json() object {
	return object{
		"id": u.ID, "team_id": u.team(), "name": u.Name, "real_name": u.RealName, "deleted": u.Deleted, "color": "9f69e7",
		"tz": u.zone(), "tz_label": u.zone(), "tz_offset": 0,
		"profile": object{
			"real_name": u.RealName, "display_name": u.Name, "real_name_normalized": u.RealName,
			"display_name_normalized": u.Name, "team": u.team(),
		},
		"is_admin": false, "is_owner": false, "is_primary_owner": false, "is_restricted": u.Restricted,
		"is_ultra_restricted": u.UltraRestricted, "is_bot": u.Bot, "is_app_user": false, "is_email_confirmed": true,
		"is_stranger": u.team() != TeamID, "updated": 1,
	}
}

// json is the conversation object of the Web API.
func (r *room) json() object {
	if r.im != "" {
		return object{
			"id": r.ID, "created": 1, "is_im": true, "is_org_shared": false, "user": r.im, "is_archived": false,
			"is_user_deleted": false, "is_open": true, "priority": 0,
		}
	}
	return object{
		"id": r.ID, "name": r.Name, "name_normalized": r.Name, "created": 1, "creator": BotUser,
		"is_channel": !r.Private, "is_group": r.Private, "is_im": false, "is_mpim": false, "is_private": r.Private,
		"is_archived": r.Archived, "is_general": r.Name == "general", "is_shared": false, "is_ext_shared": false,
		"is_org_shared": false, "is_pending_ext_shared": false, "pending_shared": []any{}, "unlinked": 0,
		"is_member": r.has(BotUser), "context_team_id": TeamID, "shared_team_ids": []any{TeamID}, "num_members": len(r.members),
		"topic":          object{"value": r.Topic, "creator": "", "last_set": 0},
		"purpose":        object{"value": "", "creator": "", "last_set": 0},
		"previous_names": []any{},
	}
}
