package slack

import (
	"net/url"
	"strings"
)

// id keeps the letters of an ID, so that nothing else can stand in a mention.
func id(text string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '_' {
			return r
		}
		return -1
	}, text)
}

// emojiName keeps the letters of an emoji's short name.
func emojiName(text string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || strings.ContainsRune("_+-", r) {
			return r
		}
		return -1
	}, text)
}

// isWeb reports whether an address is one that a link may lead to.
func isWeb(address string) bool {
	parsed, err := url.Parse(address)
	return err == nil && len(address) <= maxURL && parsed.Host != "" && (parsed.Scheme == "https" || parsed.Scheme == "http")
}

// harmless escapes a text for mrkdwn, and breaks the marks that would format
// it, or become an emoji or a quotation, with a joiner that nobody sees.
func harmless(text string) string {
	return strings.NewReplacer("*", "*\u2060", "_", "_\u2060", "~", "~\u2060", "`", "`\u2060", ":", ":\u2060",
		"&", "&amp;", "<", "&lt;", ">", "\u2060&gt;").Replace(text)
}

// escape is what Slack asks for in text: no tag can begin.
func escape(text string) string {
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(clean(text))
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
