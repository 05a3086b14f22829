package slack

import (
	"encoding/json"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/slack-go/slack"

	"redis-session-bot/internal/commands"
)

// Limits of Slack, with some room below them. Lengths are code points.
const (
	maxBlocks   = 50
	maxHeader   = 150
	maxText     = 2900   // of one block
	maxMessage  = 9_000  // of all texts of a message
	maxJSON     = 10_000 // of all blocks but the buttons: Slack refuses a message of about 13,000
	maxNote     = 500    // of one note: escaping makes up to five of one
	maxSummary  = 2_900  // of the plain text beside the blocks
	maxButton   = 75
	maxActions  = 25
	maxTitle    = 100
	maxQuestion = 300
	maxAnswer   = 30
	maxValue    = 500 // Slack takes 2,000; IDs are short
)

// Blocks draws a View in Block Kit, and gives its plain text. All running
// text goes into rich text, where nothing that it says can format or mention.
func Blocks(view commands.View) ([]slack.Block, string) {
	d := &drawing{left: maxMessage}
	for _, part := range view.Parts {
		d.part(part)
	}
	if d.full {
		d.blocks = append(d.blocks, plainContext("… more than fits into one message."))
	}
	return d.blocks, escape(cut(view.Summary, maxSummary))
}

// drawing is the blocks so far, and how much text they may still hold.
type drawing struct {
	blocks []slack.Block
	left   int  // code points of text
	size   int  // code points of JSON so far
	full   bool // something was left out
}

// add puts a block into the message, while there is room for it. Buttons are
// the way on: they have room of their own.
func (d *drawing) add(block slack.Block) {
	data, err := json.Marshal(block)
	size := utf8.RuneCount(data)
	_, buttons := block.(*slack.ActionBlock)
	if err != nil || len(d.blocks) >= maxBlocks-2 || !buttons && d.size+size > maxJSON {
		d.full = true
		return
	}
	d.size += size
	d.blocks = append(d.blocks, block)
}

func (d *drawing) part(part commands.Part) {
	switch p := part.(type) {
	case commands.Heading:
		if text := d.take(p.Text, maxHeader); strings.TrimSpace(text) != "" {
			d.add(slack.NewHeaderBlock(slack.NewTextBlockObject(slack.PlainTextType, text, true, false)))
		}
	case commands.Paragraph:
		if elements := d.elements(p.Text); len(elements) > 0 {
			d.add(slack.NewRichTextBlock("", slack.NewRichTextSection(elements...)))
		}
	case commands.Note:
		d.note(p)
	case commands.Code:
		d.code(p)
	case commands.Rule:
		d.add(slack.NewDividerBlock())
	case commands.Buttons:
		d.buttons(p)
	}
}

// take cuts a text to a block's limit and to what the message may still hold.
func (d *drawing) take(text string, limit int) string {
	text = cut(clean(text), min(limit, d.left))
	d.left -= len([]rune(text))
	return text
}

// elements draws the spans of a text.
func (d *drawing) elements(text commands.Text) []slack.RichTextSectionElement {
	var elements []slack.RichTextSectionElement
	room := maxText
	for _, span := range text {
		element, size := d.element(span, room)
		if element == nil {
			continue
		}
		room -= size
		elements = append(elements, element)
	}
	return elements
}

func (d *drawing) element(span commands.Span, room int) (slack.RichTextSectionElement, int) {
	switch span.Kind {
	case commands.Emoji:
		return slack.NewRichTextSectionEmojiElement(span.Text, 0, nil), 1
	case commands.Person:
		return slack.NewRichTextSectionUserElement(span.Text, nil), 1
	case commands.Channel:
		return slack.NewRichTextSectionChannelElement(span.Text, nil), 1
	case commands.Clock:
		fallback := span.At.UTC().Format("15:04 UTC")
		return slack.NewRichTextSectionDateElement(span.At.Unix(), "{time}", nil, &fallback), 1
	}
	written := d.take(span.Text, room)
	if written == "" {
		return nil, 0
	}
	size := len([]rune(written))
	if span.Kind == commands.Link {
		return slack.NewRichTextSectionLinkElement(span.URL, written, nil), size
	}
	var style *slack.RichTextSectionTextStyle
	switch span.Kind {
	case commands.Strong:
		style = &slack.RichTextSectionTextStyle{Bold: true}
	case commands.Soft:
		style = &slack.RichTextSectionTextStyle{Italic: true}
	case commands.Mono:
		style = &slack.RichTextSectionTextStyle{Code: true}
	}
	return slack.NewRichTextSectionTextElement(written, style), size
}

// note is small print. With a person or a time in it, it is mrkdwn of words
// that are escaped; otherwise plain text.
func (d *drawing) note(note commands.Note) {
	var b strings.Builder
	marked, room := false, maxNote
	for _, span := range note.Text {
		switch span.Kind {
		case commands.Person:
			marked = true
			fmt.Fprintf(&b, "<@%s>", id(span.Text))
		case commands.Channel:
			marked = true
			fmt.Fprintf(&b, "<#%s>", id(span.Text))
		case commands.Clock:
			marked = true
			fmt.Fprintf(&b, "<!date^%d^{time}|%s>", span.At.Unix(), span.At.UTC().Format("15:04 UTC"))
		default:
			written := d.take(span.Text, room)
			room -= len([]rune(written))
			b.WriteString(escape(harmless(written)))
		}
	}
	switch {
	case strings.TrimSpace(b.String()) == "":
	case marked:
		d.add(slack.NewContextBlock("", slack.NewTextBlockObject(slack.MarkdownType, b.String(), false, false)))
	default:
		d.add(plainContext(note.Text.String()))
	}
}

func plainContext(text string) slack.Block {
	return slack.NewContextBlock("", slack.NewTextBlockObject(slack.PlainTextType, cut(clean(text), maxText), false, false))
}

// id keeps the letters of an ID, so that nothing else can stand in a mention.
func id(text string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '_' {
			return r
		}
		return -1
	}, text)
}

// harmless breaks the marks of mrkdwn with a joiner that nobody sees.
func harmless(text string) string {
	return strings.NewReplacer("*", "*\u2060", "_", "_\u2060", "~", "~\u2060", "`", "`\u2060").Replace(text)
}

// escape is what Slack asks for in text: no tag can begin.
func escape(text string) string {
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(clean(text))
}

// code draws text as the cluster wrote it. Rich text has no fence that its
// content could close.
func (d *drawing) code(code commands.Code) {
	all := strings.TrimRight(code.Text, "\n")
	shown := d.take(all, maxText-60)
	if shown == "" {
		return
	}
	if rest := strings.Count(all, "\n") - strings.Count(shown, "\n"); len([]rune(all)) > len([]rune(shown)) {
		shown += fmt.Sprintf("\n… %d more lines in the file", max(rest, 1))
	}
	d.add(slack.NewRichTextBlock("", &slack.RichTextPreformatted{Type: slack.RTEPreformatted,
		Elements: []slack.RichTextSectionElement{slack.NewRichTextSectionTextElement(shown, nil)}}))
}

func (d *drawing) buttons(buttons commands.Buttons) {
	var elements []slack.BlockElement
	for i, button := range buttons.Buttons {
		if i == maxActions {
			break
		}
		drawn := slack.NewButtonBlockElement(button.ID, cut(button.Value, maxValue), slack.NewTextBlockObject(slack.PlainTextType, cut(orElse(strings.TrimSpace(clean(button.Label)), button.ID), maxButton), true, false))
		switch button.Style {
		case commands.Primary:
			drawn.Style = slack.StylePrimary
		case commands.Danger:
			drawn.Style = slack.StyleDanger
		}
		if c := button.Confirm; c != nil {
			plain := func(text string, limit int) *slack.TextBlockObject {
				return slack.NewTextBlockObject(slack.PlainTextType, cut(clean(text), limit), false, false)
			}
			drawn.Confirm = slack.NewConfirmationBlockObject(plain(c.Title, maxTitle), plain(c.Text, maxQuestion), plain(c.Yes, maxAnswer), plain(c.No, maxAnswer))
		}
		elements = append(elements, drawn)
	}
	if len(elements) > 0 {
		d.add(slack.NewActionBlock("", elements...))
	}
}

// cut shortens a text to n code points.
func cut(text string, n int) string {
	runes := []rune(text)
	if len(runes) <= n {
		return text
	}
	if n <= 1 {
		return ""
	}
	return string(runes[:n-1]) + "…"
}

// clean takes out what is no character, and controls that reorder text.
func clean(text string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t':
			return r
		case r < 0x20, r == 0x7f, r >= 0x202a && r <= 0x202e, r >= 0x2066 && r <= 0x2069:
			return -1
		}
		return r
	}, strings.ToValidUTF8(text, "�"))
}
