package commands

import "redis-session-bot/internal/incident"

// Request is one thing that a person asked for: a slash command, a mention or
// a button.
type Request struct {
	Actor    incident.Actor
	Place    incident.Place
	Thread   string // of a mention or a button in a thread; "" elsewhere
	Text     string // after the slash command or the mention
	Action   string // button ID; Text is empty then
	Value    string // the button's value
	Incident string // incident of the thread or message that it came from, where known
	Dedup    string // identifies the request itself: a repeat carries the same
}

// Reply is the direct answer; what changes in an incident shows by itself.
type Reply struct {
	Whisper *View // only to the person who asked; nil for nothing
}
