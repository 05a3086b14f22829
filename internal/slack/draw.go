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
	maxActions  = 25 // of one row
	maxTitle    = 100
	maxQuestion = 300
	maxAnswer   = 30
	maxValue    = 500    // Slack takes 2,000; IDs are short
	maxAll      = 12_500 // of all blocks
	maxURL      = 2_000
)

// Blocks draws a View in Block Kit, and gives its plain text. All running
// text goes into rich text, where nothing that it says can format or mention.
func Blocks(view commands.View) ([]slack.Block, string) {
	d := &drawing{left: maxMessage, rows: rowsIn(view.Parts)}
	for _, part := range view.Parts {
		d.part(part)
	}
	if d.full {
		d.blocks = append(d.blocks, plainContext("… more than fits into one message."))
	}
	return d.blocks, orElse(escape(cut(view.Summary, maxSummary)), "…")
}

// drawing is the blocks so far, and how much text they may still hold.
type drawing struct {
	blocks []slack.Block
	left   int  // code points of text
	size   int  // code points of JSON so far
	rows   int  // of buttons that are still to come
	full   bool // something was left out
}

// rowsIn counts the blocks that the buttons of a view take.
func rowsIn(parts []commands.Part) int {
	rows := 0
	for _, part := range parts {
		if buttons, ok := part.(commands.Buttons); ok {
			rows += (len(buttons.Buttons) + maxActions - 1) / maxActions
		}
	}
	return rows
}

// add puts a block into the message, while there is room for it. Buttons are
// the way on: room is kept for those that are still to come. One block is
// kept for the note that something was left out.
func (d *drawing) add(block slack.Block) {
	data, err := json.Marshal(block)
	size := utf8.RuneCount(data)
	kept, room := 1+min(d.rows, maxBlocks/2), maxJSON
	if _, buttons := block.(*slack.ActionBlock); buttons {
		kept, room = 1, maxAll
	}
	if err != nil || len(d.blocks)+kept >= maxBlocks || d.size+size > room {
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
			d.add(slack.NewHeaderBlock(slack.NewTextBlockObject(slack.PlainTextType, text, false, false)))
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
	text = clean(text)
	if d.left < limit && d.left < len([]rune(text)) {
		d.full = true
	}
	text = cut(text, min(limit, d.left))
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
		if name := emojiName(span.Text); name != "" {
			return slack.NewRichTextSectionEmojiElement(name, 0, nil), 1
		}
		return nil, 0
	case commands.Person:
		if who := id(span.Text); who != "" {
			return slack.NewRichTextSectionUserElement(who, nil), 1
		}
		return nil, 0
	case commands.Channel:
		if where := id(span.Text); where != "" {
			return slack.NewRichTextSectionChannelElement(where, nil), 1
		}
		return nil, 0
	case commands.Group:
		if isID(span.Text, "S") {
			return slack.NewRichTextSectionUserGroupElement(span.Text), 1
		}
		span.Text = "@" + strings.TrimPrefix(span.Text, "@") // a handle that Slack did not know
	case commands.Clock:
		fallback := span.At.UTC().Format("15:04 UTC")
		if span.At.Unix() <= 0 {
			return slack.NewRichTextSectionTextElement(fallback, nil), len(fallback)
		}
		return slack.NewRichTextSectionDateElement(span.At.Unix(), "{time}", nil, &fallback), 1
	}
	written := d.take(span.Text, room)
	if written == "" {
		return nil, 0
	}
	size := len([]rune(written))
	if span.Kind == commands.Link && isWeb(span.URL) {
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

// note is small print. With a person, a time or an emoji in it, it is mrkdwn
// of words that are escaped; otherwise plain text.
func (d *drawing) note(note commands.Note) {
	var marked, plain strings.Builder
	marks, room := false, maxNote
	mark := func(format string, args ...any) {
		marks = true
		fmt.Fprintf(&marked, format, args...)
	}
	for _, span := range note.Text {
		switch span.Kind {
		case commands.Person:
			if who := id(span.Text); who != "" {
				mark("<@%s>", who)
			}
		case commands.Channel:
			if where := id(span.Text); where != "" {
				mark("<#%s>", where)
			}
		case commands.Emoji:
			if name := emojiName(span.Text); name != "" {
				mark(":%s:", name)
			}
		case commands.Clock:
			fallback := span.At.UTC().Format("15:04 UTC")
			if span.At.Unix() <= 0 {
				mark("%s", fallback)
				continue
			}
			mark("<!date^%d^{time}|%s>", span.At.Unix(), fallback)
		default:
			written := d.take(span.Text, room)
			room -= len([]rune(written))
			plain.WriteString(written)
			marked.WriteString(harmless(written))
		}
	}
	switch {
	case strings.TrimSpace(marked.String()) == "":
	case marks: // verbatim: no address in it becomes a link by itself
		d.add(slack.NewContextBlock("", slack.NewTextBlockObject(slack.MarkdownType, marked.String(), false, true)))
	default:
		d.add(plainContext(plain.String()))
	}
}

func plainContext(text string) slack.Block {
	return slack.NewContextBlock("", slack.NewTextBlockObject(slack.PlainTextType, text, false, false))
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
		shown += fmt.Sprintf("\n… %d more lines", max(rest, 1))
	}
	d.add(slack.NewRichTextBlock("", &slack.RichTextPreformatted{Type: slack.RTEPreformatted,
		Elements: []slack.RichTextSectionElement{slack.NewRichTextSectionTextElement(shown, nil)}}))
}
