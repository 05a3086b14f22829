// Package commands turns a slash command or a button into a call on an
// incident, and an incident into Views.
//
// It owns every sentence the bot says. It knows no chat vendor: package slack
// and package terminal draw the same Views.
package commands

import (
	"context"
	"time"
)

// View is one message, free of any vendor's markup.
type View struct {
	Summary string // one plain line: notifications, screen readers
	Parts   []Part
}

// Part is one block of a View: Heading, Paragraph, Note, Code, Rule, Buttons.
type Part interface{ part() }

// Heading is a short title line.
type Heading struct{ Text string }

// Paragraph is running text; its lines are kept.
type Paragraph struct{ Text Text }

// Note is small print.
type Note struct{ Text Text }

// Code is text as the cluster wrote it: untrusted, monospaced, in a fence
// that its content cannot close. Diff asks for diff colours where there are any.
type Code struct {
	Text string
	Diff bool
}

// Rule is a line across.
type Rule struct{}

// Buttons are drawn in one row.
type Buttons struct{ Buttons []Button }

func (Heading) part()   {}
func (Paragraph) part() {}
func (Note) part()      {}
func (Code) part()      {}
func (Rule) part()      {}
func (Buttons) part()   {}

// Text is a run of spans.
type Text []Span

// Span is a piece of text with one meaning. Text is always untrusted: the
// drawer escapes it.
type Span struct {
	Kind SpanKind
	Text string
	URL  string    // of a Link
	At   time.Time // of a Clock
}

// SpanKind is what a span means.
type SpanKind int

// The kinds of span.
const (
	Plain   SpanKind = iota
	Strong           // bold
	Soft             // italic
	Mono             // code
	Emoji            // Text is the short name, such as white_check_mark
	Person           // Text is a user's ID; this one does mention them
	Group            // Text is a user group's handle or ID; this one does mention it
	Channel          // Text is a channel's ID
	Link             // Text with URL
	Clock            // At, in the reader's time zone
)

// Button is one button. ID and Value name an action and its objects by their
// IDs; they never hold a command or a patch.
type Button struct {
	ID      string // action, such as "apply"
	Value   string // "INC-7 3 digest"
	Label   string
	Style   ButtonStyle
	Confirm *Confirm
}

// ButtonStyle is how much a button asks for attention.
type ButtonStyle int

// The styles.
const (
	Quiet   ButtonStyle = iota
	Primary             // the next step
	Danger              // loses something
)

// Confirm is a question before a button counts.
type Confirm struct {
	Title, Text, Yes, No string
}

// File is long output or a picture, shown as an attachment.
type File struct {
	Name  string // redis-session-logs.txt
	Title string
	Text  string
	Alt   string // says in words what a picture shows
	// Draw gives the bytes of a file that is no text, when it is posted. No bytes:
	// there is nothing to show any more, and nothing is posted. It is nil for a text.
	Draw func(ctx context.Context) ([]byte, error) `json:"-"`
}

// Message is one View in its place: the incident's own message, or one in its
// thread. Key is stable over the incident's life, so that the same message is
// edited in place.
type Message struct {
	Key    string // "incident", "step/logs", "plan/3"
	Thread bool
	View   View
	Files  []File // posted once, when Edition changes
	// Edition changes when the message is worth a new file, such as a step run again.
	Edition string
}
