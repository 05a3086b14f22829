package slacktest

import (
	"cmp"
	"time"
)

// Options says what the workspace is like. The zero value, with Listen set, is the workspace that the bot expects: every
// scope that it needs, two channels that it is in and one that it is not in, and Slack's own limits.
type Options struct {
	// Listen is a host:port on loopback; port 0 takes a free one. Empty means 127.0.0.1:0.
	Listen string
	// Forward is the host:port at which somebody else takes connections for Listen, such as on a bridge that pods reach:
	// the app is told that address. Empty: there is nobody.
	Forward string
	// Now is the clock for timestamps, rate limits, triggers and response URLs; nil means time.Now. Waiting (for
	// acknowledgements, pings, redelivery) always goes by the real clock.
	Now func() time.Time
	// Scopes are what the bot's token may do; nil means DefaultScopes.
	Scopes []string
	// Commands are the registered slash commands; nil means /redis-session.
	Commands []Command
	// Users are the people; nil means DefaultUsers.
	Users []User
	// Channels are the channels; nil means DefaultChannels.
	Channels []Channel
	// Groups are the user groups; nil means DefaultGroups.
	Groups []Group
	// Events are the event types that the app is subscribed to; nil means app_mention.
	Events []string
	// NoSocketMode switches Socket Mode off for the app: apps.connections.open refuses.
	NoSocketMode bool
	// Guide leads a newcomer through the page, a line at a time; nil: there is none.
	Guide []Advice
	// Facts are the points on which reports about Slack differ.
	Facts Facts
	// Limits are the limits and timings; a zero field means Slack's own.
	Limits Limits
}

// Advice is a line of the page's guide.
type Advice struct {
	When string `json:"when"` // what the newest message of a channel says once it is time for it; empty for the first
	Says string `json:"says"` // what to do now
}

// Facts are behaviours of Slack that users report and no document promises. An app should pass with both values of each.
type Facts struct {
	// NoRedelivery leaves an envelope that nobody acknowledged alone, instead of delivering it again.
	NoRedelivery bool
	// FreshEnvelopes gives a redelivery an envelope_id of its own, instead of the first one's.
	FreshEnvelopes bool
	// BlockActionsTakePayload sets accepts_response_payload on block_actions.
	BlockActionsTakePayload bool
	// DropWhileDisconnected loses what comes while nobody is connected, instead of delivering it on reconnect.
	DropWhileDisconnected bool
}

// Limits are the workspace's limits. The defaults are Slack's; tests shorten what they would wait for.
type Limits struct {
	AckWithin        time.Duration // an acknowledgement later than this is a violation; 3 s
	RedeliverAfter   time.Duration // how long an envelope stays unacknowledged before it is sent again; 4 s
	Redeliveries     int           // how often it is sent again; 3
	PingEvery        time.Duration // pause between WebSocket pings; 5 s
	WarnAhead        time.Duration // from a "warning" to the end of the connection; 10 s
	Connections      int           // Socket Mode connections at a time; 10
	TicketLives      time.Duration // how long a WebSocket URL can be dialed; 30 s
	AckBytes         int           // an acknowledgement of this size or more closes the connection; 20,480
	DialEvery        time.Duration // sane pause between dials, once DialBurst is spent; 3 s
	DialBurst        int           // dials that may follow each other at once; 10
	TriggerLives     time.Duration // life of a trigger_id; 3 s
	ResponseURLLives time.Duration // life of a response_url; 30 min
	ResponseURLUses  int           // uses of a response_url; 5
	PostEvery        time.Duration // chat.postMessage in one channel; 1 s
	PostBurst        int           // messages that may follow each other at once in one channel; 5
	BlocksChars      int           // code points of a message's blocks as JSON; 13,000
	RetryGrace       time.Duration // calls already under way when a 429 was answered are no violation; 250 ms
	NoRates          bool          // switches every rate limit off
}

func (l Limits) withDefaults() Limits {
	l.AckWithin = cmp.Or(l.AckWithin, 3*time.Second)
	l.RedeliverAfter = cmp.Or(l.RedeliverAfter, 4*time.Second)
	l.Redeliveries = cmp.Or(l.Redeliveries, 3)
	l.PingEvery = cmp.Or(l.PingEvery, 5*time.Second)
	l.WarnAhead = cmp.Or(l.WarnAhead, 10*time.Second)
	l.Connections = cmp.Or(l.Connections, 10)
	l.TicketLives = cmp.Or(l.TicketLives, 30*time.Second)
	l.AckBytes = cmp.Or(l.AckBytes, 20480)
	l.DialEvery = cmp.Or(l.DialEvery, 3*time.Second)
	l.DialBurst = cmp.Or(l.DialBurst, 10)
	l.TriggerLives = cmp.Or(l.TriggerLives, 3*time.Second)
	l.ResponseURLLives = cmp.Or(l.ResponseURLLives, 30*time.Minute)
	l.ResponseURLUses = cmp.Or(l.ResponseURLUses, 5)
	l.PostEvery = cmp.Or(l.PostEvery, time.Second)
	l.PostBurst = cmp.Or(l.PostBurst, 5)
	l.BlocksChars = cmp.Or(l.BlocksChars, 13000)
	l.RetryGrace = cmp.Or(l.RetryGrace, 250*time.Millisecond)
	return l
}

func (o Options) withDefaults() Options {
	if o.Listen == "" {
		o.Listen = "127.0.0.1:0"
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Scopes == nil {
		o.Scopes = DefaultScopes()
	}
	if o.Commands == nil {
		o.Commands = []Command{{Name: "/redis-session", UsageHint: "diagnose [target] | status | help", Description: "Diagnose and repair the Redis session store"}}
	}
	if o.Users == nil {
		o.Users = DefaultUsers()
	}
	if o.Channels == nil {
		o.Channels = DefaultChannels()
	}
	if o.Groups == nil {
		o.Groups = DefaultGroups()
	}
	if o.Events == nil {
		o.Events = []string{"app_mention"}
	}
	o.Limits = o.Limits.withDefaults()
	return o
}

// DefaultScopes are the bot scopes that cover every method of this workspace.
func DefaultScopes() []string {
	return []string{
		"app_mentions:read", "channels:history", "channels:join", "channels:read", "chat:write", "commands", "files:write",
		"im:history", "im:read", "im:write", "pins:write", "reactions:write", "usergroups:read", "users:read",
	}
}
