package runbook

import (
	"bytes"
	"regexp"
	"strings"

	gast "github.com/yuin/goldmark/ast"
)

// walk goes through the blocks of a document from top to bottom.
type walk struct {
	*loader
	body    []byte
	offset  int      // lines before body
	part    string   // the ## heading above
	current *section // the ### heading above, nil for none
	found   []placed // the sections that ended, in order
}

// line is the line of the document at which a byte of the body stands.
func (w *walk) line(at int) int {
	return w.offset + 1 + bytes.Count(w.body[:at], []byte("\n"))
}

// finish keeps the section that ends here for its reader.
func (w *walk) finish() {
	if w.current != nil {
		w.found = append(w.found, placed{part: w.part, section: *w.current})
		w.current = nil
	}
}

func (w *walk) heading(n *gast.Heading) {
	title, line := plain(n, w.body), w.offset+1
	if n.Lines().Len() > 0 {
		line = w.line(n.Lines().At(0).Start)
	}
	switch n.Level {
	case 1:
		if w.runbook.Title != "" {
			w.problem(line, "make it ## or ###", "a second title %q", title)
			return
		}
		w.runbook.Title = title
	case 2:
		w.finish()
		w.part = title
		if guess := closest(title, []string{partDiagnosis, partScenarios, partVerification}); guess != "" && !hasSchema(title) {
			w.problem(line, "make it ## "+guess+", or a name less like it", "the bot does not read ## %s", title)
			w.part = guess
		}
	case 3:
		w.finish()
		w.current = &section{title: title, line: line}
	default:
		if hasSchema(w.part) {
			w.problem(line, "make it ### "+title+", or bold text", "%s %s is no section: the bot reads ### headings", strings.Repeat("#", n.Level), title)
		}
	}
}

// closing is the line that ends a fence.
var closing = regexp.MustCompile("^ {0,3}(```+|~~~+)[ \t]*$")

// opening is a line inside a block that looks like the next block's first.
var opening = regexp.MustCompile("(?m)^ {0,3}(```|~~~)")

// fence reads a fenced block. One that has no language is for people.
func (w *walk) fence(n *gast.FencedCodeBlock) {
	if n.Info == nil {
		w.unclosed(n, w.line(n.Pos()))
		return
	}
	line, language := w.line(n.Info.Segment.Start), string(n.Language(w.body))
	open := w.unclosed(n, line)
	if !hasSchema(w.part) {
		return
	}
	switch yaml := language == "yaml"; {
	case !yaml && (strings.EqualFold(language, "yaml") || strings.EqualFold(language, "yml")):
		w.problem(line, "write ```yaml", "the bot does not read a ```%s block", language)
		if w.current != nil {
			w.current.broken = true
		}
	case !yaml:
	case w.current == nil:
		w.problem(line, "put it under a ### heading", "a yaml block under no ### heading of ## %s", w.part)
	case w.current.block != nil:
		w.problem(line, "put it under a heading of its own, or make it a ```text block", "a second yaml block under %q", w.current.title)
	default:
		w.current.block, w.current.at, w.current.broken = append([]byte{}, n.Lines().Value(w.body)...), line, w.current.broken || open
	}
}

// unclosed reports a fence that the document's end closes, or that goes on
// into the next one.
func (w *walk) unclosed(n *gast.FencedCodeBlock, line int) bool {
	end := n.Pos()
	if lines := n.Lines(); lines.Len() > 0 {
		end = lines.At(lines.Len() - 1).Stop
	} else if i := bytes.IndexByte(w.body[end:], '\n'); i >= 0 {
		end += i + 1
	}
	after, _, _ := bytes.Cut(w.body[min(end, len(w.body)):], []byte("\n"))
	swallows := string(n.Language(w.body)) == "yaml" && opening.Match(n.Lines().Value(w.body))
	if closing.Match(after) && !swallows {
		return false
	}
	w.problem(line, "end it with a line ```", "the block is not closed")
	return true
}

// hidden reports yaml blocks that stand inside a list or a quote, where the
// bot does not look.
func (w *walk) hidden(node gast.Node) {
	if w.current == nil || !hasSchema(w.part) {
		return
	}
	_ = gast.Walk(node, func(inner gast.Node, entering bool) (gast.WalkStatus, error) {
		if block, ok := inner.(*gast.FencedCodeBlock); ok && entering && block.Info != nil && string(block.Language(w.body)) == "yaml" {
			w.problem(w.line(block.Info.Segment.Start), "begin ```yaml at the start of the line", "a yaml block inside a list or a quote is not read")
			w.current.broken = true
		}
		return gast.WalkContinue, nil
	})
}
