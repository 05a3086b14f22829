package report

import (
	"fmt"
	"net/url"
	"strings"
	"unicode"

	"redis-session-bot/internal/incident"
)

// page is Markdown that is being written. What comes from people or a cluster
// goes through text, mono, fence or link: it stays what it is.
type page struct{ strings.Builder }

// line writes one block of a line. Its arguments are Markdown already.
func (p *page) line(format string, args ...any) { fmt.Fprintf(p, format+"\n\n", args...) }

func (p *page) heading(level int, format string, args ...any) {
	p.line("%s "+format, append([]any{strings.Repeat("#", level)}, args...)...)
}

// list writes one item a line.
func (p *page) list(items []string) {
	for _, item := range items {
		fmt.Fprintf(p, "- %s\n", item)
	}
	if len(items) > 0 {
		p.WriteString("\n")
	}
}

// table writes rows of cells, the first of them the head.
func (p *page) table(rows [][]string) {
	for n, row := range rows {
		fmt.Fprintf(p, "| %s |\n", strings.Join(row, " | "))
		if n == 0 {
			fmt.Fprintf(p, "|%s\n", strings.Repeat(" --- |", len(row)))
		}
	}
	p.WriteString("\n")
}

// fence writes lines as they are, in a fence that they cannot close.
func (p *page) fence(language, content string) {
	content = strings.Map(func(r rune) rune {
		if r != '\n' && r != '\t' && (unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r)) {
			return -1
		}
		return r
	}, strings.ToValidUTF8(strings.ReplaceAll(content, "\r\n", "\n"), "�"))
	marks := strings.Repeat("`", max(3, longestRun(content)+1))
	p.line("%s%s\n%s\n%s", marks, language, strings.Trim(content, "\n"), marks)
}

func longestRun(content string) int {
	longest, run := 0, 0
	for _, r := range content {
		if r != '`' {
			run = 0
			continue
		}
		run++
		longest = max(longest, run)
	}
	return longest
}

// text is words in one line, without any meaning in Markdown.
func text(words string) string {
	words = strings.TrimSpace(incident.Line(words, 0))
	runes := []rune(words)
	digits := 0
	for digits < len(runes) && unicode.IsDigit(runes[digits]) {
		digits++
	}
	var b strings.Builder
	for at, r := range runes {
		if marks(runes, at) || at == 0 && strings.ContainsRune("#+-=:", r) || at == digits && digits > 0 && (r == '.' || r == ')') {
			b.WriteByte('\\')
		}
		b.WriteRune(r)
	}
	return b.String()
}

// marks reports whether a character may mean something in the middle of a line.
func marks(runes []rune, at int) bool {
	word := func(n int) bool {
		return n >= 0 && n < len(runes) && (unicode.IsLetter(runes[n]) || unicode.IsDigit(runes[n]))
	}
	switch r := runes[at]; r {
	case '\\', '`', '*', '[', ']', '<', '>', '|', '~', '&', '$':
		return true
	case '#': // it would close a heading
		return at > 0 && runes[at-1] == ' '
	case '_':
		return !word(at-1) || !word(at+1)
	case '/': // an address becomes no link
		return at > 0 && (runes[at-1] == ':' || runes[at-1] == '/')
	case '@':
		return word(at - 1)
	case '.':
		return at >= 3 && strings.EqualFold(string(runes[at-3:at]), "www")
	}
	return false
}

// mono is words in the type of a terminal. It cannot stand in a table.
func mono(words string) string {
	words = strings.TrimSpace(incident.Line(words, 0))
	if words == "" {
		return ""
	}
	marks := strings.Repeat("`", longestRun(words)+1)
	if strings.HasPrefix(words, "`") || strings.HasSuffix(words, "`") {
		words = " " + words + " "
	}
	return marks + words + marks
}

// link is an address that leads there, where it is one of the web's.
func link(address string) string {
	parsed, err := url.Parse(address)
	if err != nil || parsed.Scheme != "https" && parsed.Scheme != "http" || strings.ContainsAny(address, "<>|\\") || strings.ContainsFunc(address, unicode.IsSpace) {
		return text(address)
	}
	return "<" + address + ">"
}
