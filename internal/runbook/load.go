package runbook

import (
	"bytes"
	"fmt"
	"maps"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"github.com/yuin/goldmark"
	gast "github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/text"
	"go.yaml.in/yaml/v3"
	"golang.org/x/sync/errgroup"
)

// Load reads a document. Its error is Problems: all of them, not only the
// first. file is only for messages.
func Load(file string, source []byte, vocabulary Vocabulary) (*Runbook, error) {
	lang, err := newLanguage()
	if err != nil {
		return nil, err
	}
	l := newLoader(file, source)
	l.lang, l.vocabulary = lang, vocabulary
	if l.read() {
		l.lint()
	}
	if len(l.problems) > 0 {
		slices.SortStableFunc(l.problems, func(a, b Problem) int { return a.Line - b.Line })
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
	broken     map[int]bool // the lines of sections that could not be read in full: nothing more is asked of them
}

func newLoader(file string, source []byte) *loader {
	return &loader{file: file, source: bytes.ReplaceAll(source, []byte("\r\n"), []byte("\n")), runbook: &Runbook{File: file}, broken: map[int]bool{}}
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
	broken   bool   // its block cannot be found
}

// placed is a section with the part that it stands in.
type placed struct {
	part    string
	section section
}

// read walks the document once and hands each section to its reader. It is
// false where the document cannot be told from its front matter.
func (l *loader) read() bool {
	body, offset := l.frontMatter()
	if body == nil {
		return false
	}
	w := &walk{loader: l, body: body, offset: offset}
	document := goldmark.DefaultParser().Parse(text.NewReader(body))
	for node := document.FirstChild(); node != nil; node = node.NextSibling() {
		switch n := node.(type) {
		case *gast.Heading:
			w.heading(n)
		case *gast.FencedCodeBlock:
			w.fence(n)
		case *gast.Blockquote:
			if w.current != nil {
				w.current.quote(quoted(n, body))
			}
			w.hidden(n)
		default:
			l.prose(w.part, w.current, node, body)
			w.hidden(n)
		}
	}
	w.finish()
	l.sections(w.found)
	return true
}

// sections reads all of them at once, on as many processors as there are:
// most of the time of a load goes into their expressions, and no section
// knows of another. What they say is put together in the document's order.
func (l *loader) sections(found []placed) {
	parts := make([]*loader, len(found))
	var readers errgroup.Group
	readers.SetLimit(runtime.GOMAXPROCS(0))
	for i, one := range found {
		part := &loader{file: l.file, lang: l.lang, vocabulary: l.vocabulary, runbook: &Runbook{}, broken: map[int]bool{}}
		parts[i] = part
		readers.Go(func() error {
			part.section(one.part, one.section)
			return nil
		})
	}
	_ = readers.Wait() // what is wrong is among each reader's problems
	for _, part := range parts {
		r := part.runbook
		l.runbook.Steps = append(l.runbook.Steps, r.Steps...)
		l.runbook.Scenarios = append(l.runbook.Scenarios, r.Scenarios...)
		l.runbook.Measures = append(l.runbook.Measures, r.Measures...)
		l.runbook.Verification = append(l.runbook.Verification, r.Verification...)
		l.runbook.Letters = append(l.runbook.Letters, r.Letters...)
		l.problems = append(l.problems, part.problems...)
		maps.Copy(l.broken, part.broken)
	}
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

// yaml reads one block; at is the line of the document before its first. It
// is false where something is wrong with it.
func (l *loader) yaml(block []byte, at int, fields map[string]field) bool {
	var node yaml.Node
	if err := yaml.Unmarshal(block, &node); err != nil {
		line, says := yamlError(err)
		l.problem(at+line, "", "%s", says)
		return false
	}
	if node.Kind == 0 {
		l.problem(at, "", "the block is empty")
		return false
	}
	err := mapping(&node, fields)
	for _, one := range lineErrors(err) {
		l.problem(at+one.line, one.hint, "%s", one.says)
	}
	return err == nil
}

var yamlLine = regexp.MustCompile(`^yaml: line (\d+): `)

// yamlError takes the line, from 1, out of the words of a YAML syntax error.
func yamlError(err error) (int, string) {
	match := yamlLine.FindStringSubmatch(err.Error())
	if match == nil {
		return 1, "not YAML: " + strings.TrimPrefix(err.Error(), "yaml: ")
	}
	line, _ := strconv.Atoi(match[1])
	return line, "not YAML: " + strings.TrimPrefix(err.Error(), match[0])
}
