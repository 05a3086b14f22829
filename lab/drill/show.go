package drill

import (
	"fmt"
	"strings"

	"github.com/slack-go/slack"
)

// Title names a drill for a heading.
func (c Card) Title() string {
	return fmt.Sprintf("Drill of %s: %s on %s", c.Began.UTC().Format("2 January 2006 15:04 UTC"), c.Fault, c.Target)
}

// measures are the lines of a card that a clock has measured.
func (c Card) measures() [][2]string {
	return [][2]string{
		{"Acknowledged", span(c.Acknowledged)},
		{"Right verdict", span(c.Right)},
		{"Verified fix", span(c.Fixed)},
	}
}

// turns are the wrong ones as lines.
func (c Card) turns() []string {
	switch {
	case c.Incident == "":
		return []string{"no incident was opened"}
	case len(c.Wrong) == 0:
		return []string{"none"}
	}
	return c.Wrong
}

// Markdown is the card for a file.
func (c Card) Markdown() string {
	var b strings.Builder
	fmt.Fprintf(&b, "## %s\n\n", c.Title())
	if c.Incident != "" {
		fmt.Fprintf(&b, "Incident %s.\n\n", c.Incident)
	}
	b.WriteString("| What | When |\n| --- | --- |\n")
	for _, one := range c.measures() {
		fmt.Fprintf(&b, "| %s | %s |\n", one[0], one[1])
	}
	b.WriteString("\nWrong turns:\n\n")
	for _, turn := range c.turns() {
		fmt.Fprintf(&b, "- %s\n", cell(turn))
	}
	return b.String()
}

// Blocks is the card for the channel. Everything in it is plain text.
func (c Card) Blocks() []slack.Block {
	plain := func(text string) *slack.TextBlockObject {
		return slack.NewTextBlockObject(slack.PlainTextType, cut(text, 1900), false, false)
	}
	var fields []*slack.TextBlockObject
	for _, one := range c.measures() {
		fields = append(fields, plain(one[0]), plain(one[1]))
	}
	turns := "Wrong turns:"
	for _, turn := range c.turns() {
		turns += "\n • " + cut(strings.Join(strings.Fields(turn), " "), 250)
	}
	blocks := []slack.Block{
		slack.NewHeaderBlock(slack.NewTextBlockObject(slack.PlainTextType, cut(c.Title(), 150), false, false)),
		slack.NewSectionBlock(nil, fields, nil),
		slack.NewSectionBlock(plain(turns), nil, nil),
	}
	if c.Incident != "" {
		blocks = append(blocks, slack.NewContextBlock("", plain("What was done is in "+c.Incident+".")))
	}
	return blocks
}

// Table is the drills over time, the newest first.
func Table(cards []Card) string {
	var b strings.Builder
	b.WriteString("# Drills\n\n| Began | Fault | Target | Acknowledged | Right verdict | Verified fix | Wrong turns |\n| --- | --- | --- | --- | --- | --- | --- |\n")
	for i := len(cards) - 1; i >= 0; i-- {
		c := cards[i]
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s | %s | %d |\n", c.Began.UTC().Format("2006-01-02 15:04"), cell(c.Fault), cell(c.Target),
			span(c.Acknowledged), span(c.Right), span(c.Fixed), len(c.Wrong))
	}
	return b.String()
}

// cell is text that breaks no table.
func cell(text string) string {
	return strings.ReplaceAll(strings.Join(strings.Fields(text), " "), "|", `\|`)
}

// cut shortens a text to at most n characters.
func cut(text string, n int) string {
	if runes := []rune(text); len(runes) > n {
		return string(runes[:n-1]) + "…"
	}
	return text
}
