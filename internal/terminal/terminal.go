// Package terminal draws the bot's Views on a terminal, and a diagnosis as
// JSON, for when the chat is down.
//
// It draws; it decides nothing and asks no cluster.
package terminal

import (
	"fmt"
	"io"
	"strings"

	"redis-session-bot/internal/commands"
)

// Terminal draws Views as text. Colour is only used where it is asked for.
type Terminal struct {
	Out    io.Writer
	Colour bool
}

// The escape sequences of the few styles that are used.
const (
	bold  = "\x1b[1m"
	dim   = "\x1b[2m"
	red   = "\x1b[31m"
	green = "\x1b[32m"
	reset = "\x1b[0m"
)

// Draw writes one View. Buttons are left out: a terminal has commands.
func (t Terminal) Draw(view commands.View) {
	for _, part := range view.Parts {
		switch p := part.(type) {
		case commands.Heading:
			fmt.Fprintf(t.Out, "%s\n", t.style(bold, clean(p.Text)))
		case commands.Paragraph:
			fmt.Fprintf(t.Out, "%s\n", t.text(p.Text))
		case commands.Note:
			fmt.Fprintf(t.Out, "%s\n", t.style(dim, clean(p.Text.String())))
		case commands.Code:
			t.code(p)
		case commands.Rule:
			fmt.Fprintln(t.Out)
		}
	}
}

func (t Terminal) text(text commands.Text) string {
	var b strings.Builder
	for _, span := range text {
		plain := clean(commands.Text{span}.String())
		if span.Kind == commands.Strong {
			plain = t.style(bold, plain)
		}
		b.WriteString(plain)
	}
	return b.String()
}

func (t Terminal) code(code commands.Code) {
	for _, line := range strings.Split(strings.TrimRight(code.Text, "\n"), "\n") {
		line = clean(line)
		switch {
		case code.Diff && strings.HasPrefix(line, "+"):
			line = t.style(green, line)
		case code.Diff && strings.HasPrefix(line, "-"):
			line = t.style(red, line)
		}
		fmt.Fprintf(t.Out, "    %s\n", line)
	}
}

func (t Terminal) style(style, text string) string {
	if !t.Colour || text == "" {
		return text
	}
	return style + text + reset
}

// clean takes control characters out of what a cluster wrote: a log line must
// not move the cursor or set a title. Line ends and tabs stay.
func clean(text string) string {
	return strings.Map(func(r rune) rune {
		if r == '\n' || r == '\t' {
			return r
		}
		if r < 0x20 || r >= 0x7f && r < 0xa0 || r == 0x2028 || r == 0x202e {
			return -1
		}
		return r
	}, text)
}
