package commands

import (
	"time"

	"redis-session-bot/internal/incident"
)

// Request is one thing that a person asked for: a slash command, a mention, a
// button or a filled-in Form.
type Request struct {
	Actor    incident.Actor
	Zone     *time.Location // of the actor's clock; nil where it is not known
	Place    incident.Place
	Thread   string            // of a mention or a button in a thread; "" elsewhere
	Command  string            // the slash command without its slash; "" for anything else
	Text     string            // after the slash command or the mention
	Action   string            // of the button or Form; Text is empty then
	Value    string            // of the button or Form
	Answers  map[string]string // of a Form, by input; nil for anything else
	Incident string            // of the thread that words were typed in, where known
	Dedup    string            // identifies the request itself: a repeat carries the same
	// Meanwhile shows where it was asked what is underway, until the Post of the
	// Reply takes its place; nil shows nothing.
	Meanwhile func(View)
}

// Reply is the direct answer; what changes in an incident shows by itself.
type Reply struct {
	Whisper *View    // only to the person who asked; nil for nothing
	Post    *Message // to everybody where it was asked, once, with its files; nil for nothing
	Form    *Form    // asked back; nil for nothing
	// Wrong is what does not fit in the answers of a Form, by input; "" is for
	// all of them together. The Form stays open then.
	Wrong map[string]string
	// Outcome is how it ended, for those who count.
	Outcome Outcome
}

// Outcome is how a request ended.
type Outcome int

// The outcomes.
const (
	Done    Outcome = iota
	Refused         // the person was told why not
	Failed          // by a fault of the bot's or of what it needs
)
