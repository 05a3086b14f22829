package commands

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"redis-session-bot/internal/incident"
)

// say begins a Text with plain words.
func say(format string, args ...any) Text {
	if format == "" {
		return nil
	}
	return Text{{Text: fmt.Sprintf(format, args...)}}
}

func (t Text) say(format string, args ...any) Text {
	return append(t, Span{Text: fmt.Sprintf(format, args...)})
}

func (t Text) strong(text string) Text { return append(t, Span{Kind: Strong, Text: text}) }
func (t Text) mono(text string) Text   { return append(t, Span{Kind: Mono, Text: text}) }
func (t Text) emoji(name string) Text  { return append(t, Span{Kind: Emoji, Text: name}) }
func (t Text) clock(at time.Time) Text { return append(t, Span{Kind: Clock, At: at}) }

// who mentions a person of the chat; anybody else is named.
func (t Text) who(actor incident.Actor) Text {
	if actor.Team == "" {
		return t.say("%s", actor.Name)
	}
	return append(t, Span{Kind: Person, Text: actor.ID})
}

// String is the text without any markup.
func (t Text) String() string {
	var b strings.Builder
	for _, span := range t {
		switch span.Kind {
		case Emoji:
			b.WriteString(emojiText[span.Text])
		case Clock:
			b.WriteString(span.At.UTC().Format("15:04 UTC"))
		case Person:
			b.WriteString("@" + span.Text)
		case Group:
			b.WriteString("@" + strings.TrimPrefix(span.Text, "@"))
		default:
			b.WriteString(span.Text)
		}
	}
	return b.String()
}

// emojiText is what a terminal shows for the status emoji.
var emojiText = map[string]string{
	emojiOK: "✔", emojiWarn: "!", emojiFail: "✘", emojiUnknown: "?", emojiRunning: "…", emojiPending: "·", emojiSkipped: "»", emojiLoss: "!!",
}

// The emoji that stand for a status; nothing else has one.
const (
	emojiOK      = "white_check_mark"
	emojiWarn    = "warning"
	emojiFail    = "x"
	emojiUnknown = "grey_question"
	emojiRunning = "hourglass_flowing_sand"
	emojiPending = "white_medium_small_square"
	emojiSkipped = "fast_forward"
	emojiLoss    = "rotating_light"
)

// sayOnly is a View of one paragraph.
func sayOnly(text Text) View {
	return View{Summary: text.String(), Parts: []Part{Paragraph{text}}}
}

// whisper is a Reply of one paragraph for one person.
func whisper(format string, args ...any) Reply {
	view := sayOnly(say(format, args...))
	return Reply{Whisper: &view}
}

// ordinary makes the first letter a capital and adds a full stop.
func ordinary(sentence string) string {
	sentence = strings.TrimSpace(sentence)
	if sentence == "" {
		return ""
	}
	runes := []rune(sentence)
	return stop(strings.ToUpper(string(runes[:1])) + string(runes[1:]))
}

// stop adds a full stop where no sentence ends.
func stop(text string) string {
	text = strings.TrimSpace(text)
	if text == "" {
		return ""
	}
	if !strings.ContainsAny(text[len(text)-1:], ".!?:") {
		text += "."
	}
	return text
}

// thousands writes a count as people read it: 48,210.
func thousands(n int64) string {
	text := strconv.FormatInt(n, 10)
	for at := len(text) - 3; at > 0 && text[at-1] != '-'; at -= 3 {
		text = text[:at] + "," + text[at:]
	}
	return text
}

func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}
