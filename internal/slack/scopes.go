package slack

import (
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// Uses are what of a configuration asks for scopes of its own.
type Uses struct {
	Private bool // the bot answers in private channels
	Groups  bool // user groups are among the roles, or are called by a page
}

// Scope is what the bot's token may do, and why it has to.
type Scope struct{ Name, Why string }

// needed are the scopes of the bot's token, and what each is for. The manifest and
// the check are made of it. A page into a channel needs none of its own: it is a
// message.
var needed = []struct {
	Scope
	when func(Uses) bool // nil: always
}{
	{Scope{"commands", "to be asked by a slash command"}, nil},
	{Scope{"chat:write", "to post and edit its messages"}, nil},
	{Scope{"app_mentions:read", "to be asked in a thread"}, nil},
	{Scope{"files:write", "to attach long output"}, nil},
	{Scope{"channels:read", "to see the names of channels"}, nil},
	{Scope{"channels:history", "to find its own messages after a restart"}, nil},
	{Scope{"groups:read", "to see the names of private channels"}, Uses.private},
	{Scope{"groups:history", "to find its own messages in private channels"}, Uses.private},
	{Scope{"users:read", "to see who is a guest"}, nil},
	{Scope{"usergroups:read", "to see who is in a user group"}, Uses.groups},
}

func (u Uses) private() bool { return u.Private }
func (u Uses) groups() bool  { return u.Groups }

// Scopes are the least that the bot's token needs.
func Scopes(uses Uses) (all []Scope) {
	for _, one := range needed {
		if one.when == nil || one.when(uses) {
			all = append(all, one.Scope)
		}
	}
	return all
}

// scopeOfApp is what the app-level token needs.
var scopeOfApp = Scope{"connections:write", "to open Socket Mode connections"}

// scopes keeps what Slack says of the bot token's scopes, and of the time.
type scopes struct {
	now func() time.Time

	mu      sync.Mutex
	granted []string
	date    string    // the header of the answer
	at      time.Time // when it came
}

func (s *scopes) note(path string, headers http.Header) {
	if path != "auth.test" {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.granted = strings.FieldsFunc(headers.Get("X-Oauth-Scopes"), func(r rune) bool { return r == ',' || r == ' ' })
	s.date, s.at = headers.Get("Date"), s.now()
}

func (s *scopes) list() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.granted)
}

func (s *scopes) dated() (header string, at time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.date, s.at
}

// usesOf is what an app's options ask for. Whoever has granted a part of what
// private channels need means to use them.
func usesOf(o Options, granted []string) Uses {
	return Uses{Private: slices.Contains(granted, "groups:read") || slices.Contains(granted, "groups:history"), Groups: len(o.groups()) > 0}
}

// groups are the user groups that the options name.
func (o Options) groups() (all []string) {
	for _, who := range slices.Concat(o.Responders, o.Approvers, o.Called) {
		if who != "" && !isUser(who) && !slices.Contains(all, who) {
			all = append(all, who)
		}
	}
	return all
}

// NamesGroups reports whether a user group is among those names of people.
func NamesGroups(names []string) bool { return len(Options{Called: names}.groups()) > 0 }
