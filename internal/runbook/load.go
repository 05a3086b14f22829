package runbook

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/yuin/goldmark"
	gast "github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/text"
	"go.yaml.in/yaml/v3"
)

// Load reads a document. Its error is Problems: all of them, not only the
// first. file is only for messages.
func Load(file string, source []byte, vocabulary Vocabulary) (*Runbook, error) {
	lang, err := newLanguage()
	if err != nil {
		return nil, err
	}
	l := &loader{file: file, source: source, lang: lang, vocabulary: vocabulary,
		runbook: &Runbook{File: file}}
	l.read()
	if len(l.problems) == 0 {
		l.lint() // the whole is only worth a look once each part can be read
	}
	if len(l.problems) > 0 {
		return nil, l.problems
	}
	return l.runbook, nil
}

type loader struct {
	file       string
	source     []byte
	lang       *language
	vocabulary Vocabulary
	runbook    *Runbook
	problems   Problems
}

func (l *loader) problem(line int, hint, format string, args ...any) {
	l.problems = append(l.problems, Problem{File: l.file, Line: line, Says: fmt.Sprintf(format, args...), Hint: hint})
}

// section is one third-level heading with what stands under it.
type section struct {
	title    string
	line     int
	prose    []string
	warnings []string
	cautions []string
	block    []byte // the yaml block; nil for none
	at       int    // the line before the block's first
}

// read walks the document once and hands each section to its reader.
func (l *loader) read() {
	body, offset := l.frontMatter()
	document := goldmark.DefaultParser().Parse(text.NewReader(body))
	part, current := "", (*section)(nil)
	finish := func() {
		if current != nil {
			l.section(part, *current)
			current = nil
		}
	}
	lineOf := func(at int) int { return offset + 1 + bytes.Count(body[:at], []byte("\n")) }
	for node := document.FirstChild(); node != nil; node = node.NextSibling() {
		switch n := node.(type) {
		case *gast.Heading:
			title, line := plain(n, body), offset+1
			if n.Lines().Len() > 0 {
				line = lineOf(n.Lines().At(0).Start)
			}
			switch n.Level {
			case 1:
				l.runbook.Title = title
			case 2:
				finish()
				part = title
			case 3:
				finish()
				current = &section{title: title, line: line}
			}
		case *gast.FencedCodeBlock:
			if current == nil || string(n.Language(body)) != "yaml" || !hasSchema(part) {
				continue
			}
			line := lineOf(n.Info.Segment.Start)
			if current.block != nil {
				l.problem(line, "put it under a heading of its own, or make it a ```text block", "a second yaml block under %q", current.title)
				continue
			}
			current.block, current.at = n.Lines().Value(body), line
		case *gast.Blockquote:
			if current != nil {
				current.quote(quoted(n, body))
			}
		default:
			l.prose(part, current, node, body)
		}
	}
	finish()
}

// prose keeps running text: of a section, or of the Impact part.
func (l *loader) prose(part string, current *section, node gast.Node, body []byte) {
	written := strings.TrimSpace(string(node.Lines().Value(body)))
	if written == "" {
		return
	}
	written = strings.Join(strings.Fields(written), " ")
	if current != nil {
		current.prose = append(current.prose, written)
		return
	}
	if part == "Impact" {
		l.runbook.Impact = strings.TrimSpace(l.runbook.Impact + "\n" + written)
	}
}

// quote keeps a > [!WARNING] or > [!CAUTION].
func (s *section) quote(written string) {
	if rest, ok := strings.CutPrefix(written, "[!WARNING]"); ok {
		s.warnings = append(s.warnings, strings.TrimSpace(rest))
	}
	if rest, ok := strings.CutPrefix(written, "[!CAUTION]"); ok {
		s.cautions = append(s.cautions, strings.TrimSpace(rest))
	}
}

func quoted(quote *gast.Blockquote, body []byte) string {
	var lines []string
	for node := quote.FirstChild(); node != nil; node = node.NextSibling() {
		lines = append(lines, string(node.Lines().Value(body)))
	}
	return strings.Join(strings.Fields(strings.Join(lines, " ")), " ")
}

// plain gives a heading's text as written.
func plain(heading *gast.Heading, body []byte) string {
	return strings.TrimSpace(string(heading.Lines().Value(body)))
}

// frontMatter reads what stands between the first two --- lines and returns
// the rest with the number of lines before it.
func (l *loader) frontMatter() (body []byte, lines int) {
	rest, ok := bytes.CutPrefix(l.source, []byte("---\n"))
	if !ok {
		l.problem(1, "begin with ---, alert: and command:, ---", "no front matter")
		return l.source, 0
	}
	front, body, ok := bytes.Cut(rest, []byte("\n---\n"))
	if !ok {
		l.problem(1, "close it with a line ---", "the front matter does not end")
		return l.source, 0
	}
	r := l.runbook
	var delay string
	l.yaml(front, 1, map[string]field{
		"alert":         words(&r.Alert),
		"command":       words(&r.Command),
		"severity":      words(&r.Severity),
		"escalateAfter": words(&delay),
		"target":        structure(&r.Target),
	})
	if delay != "" {
		parsed, err := time.ParseDuration(delay)
		if err != nil || parsed <= 0 {
			l.problem(1, "write it like 30m", "escalateAfter: %q is not a duration", delay)
		}
		r.EscalateAfter = parsed
	}
	return body, 2 + bytes.Count(front, []byte("\n")) + 1
}

// yaml reads one block; at is the line of the document before its first.
func (l *loader) yaml(block []byte, at int, fields map[string]field) {
	var node yaml.Node
	err := yaml.Unmarshal(block, &node)
	if err == nil && node.Kind == 0 {
		l.problem(at, "", "the block is empty")
		return
	}
	if err == nil {
		err = mapping(&node, fields)
	}
	var where *lineError
	switch {
	case errors.As(err, &where):
		l.problem(at+where.line, where.hint, "%s", where.says)
	case err != nil:
		l.problem(at, "", "%s", strings.TrimPrefix(err.Error(), "yaml: "))
	}
}
