package report_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	extast "github.com/yuin/goldmark/extension/ast"
	"github.com/yuin/goldmark/text"

	"redis-session-bot/internal/incident"
)

// parsed reads Markdown as GitHub does.
func parsed(source string) (ast.Node, []byte) {
	data := []byte(source)
	return goldmark.New(goldmark.WithExtensions(extension.Table, extension.Linkify, extension.Strikethrough, extension.TaskList)).Parser().Parse(text.NewReader(data)), data
}

// shape is the tree of a document without its words.
func shape(node ast.Node) string {
	var b strings.Builder
	_ = ast.Walk(node, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		switch {
		case n.Kind() == ast.KindText || n.Kind() == ast.KindString:
		case entering:
			fmt.Fprintf(&b, "(%s", n.Kind())
			if heading, ok := n.(*ast.Heading); ok {
				fmt.Fprint(&b, heading.Level)
			}
		default:
			b.WriteString(")")
		}
		return ast.WalkContinue, nil
	})
	return b.String()
}

// words are what a reader sees of a document.
func words(node ast.Node, source []byte) string {
	var b strings.Builder
	_ = ast.Walk(node, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		switch one := n.(type) {
		case *ast.Text:
			if entering {
				value := one.Segment.Value(source)
				if n.Parent().Kind() != ast.KindCodeSpan {
					value = unescaped(value)
				}
				b.Write(value)
			}
		case *ast.FencedCodeBlock:
			if entering {
				b.Write(one.Lines().Value(source))
			}
		case *extast.TableCell, *ast.Paragraph, *ast.Heading, *ast.TextBlock:
			b.WriteString("\n")
		}
		return ast.WalkContinue, nil
	})
	return b.String()
}

// unescaped takes the backslashes away that a renderer takes away.
func unescaped(value []byte) []byte {
	var plain []byte
	for i := 0; i < len(value); i++ {
		if value[i] == '\\' && i+1 < len(value) && strings.IndexByte("!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~", value[i+1]) >= 0 {
			i++
		}
		plain = append(plain, value[i])
	}
	return plain
}

// hostile are words that would be something else in Markdown.
var hostile = []string{
	"a | b", "|", "\\", "\\|", "`", "``` x", "~~~", "```\nx\n```", "# head", "text ##", "#", "- item", "+ item", "* item", "1. item", "12) item", "---", "===", "> quote",
	"<script>alert(1)</script>", "<!-- ", "<b", "&lt;&#42;&amp;", "[a](https://evil.example)", "![a](x)", "[a]: https://evil.example", "https://evil.example/a_b", "a@evil.example", "mailto:a@evil.example", "www.evil.example", "<https://evil.example>",
	"*bold* **bold** _it_ __it__ a_b_c ~~gone~~", "[ ] task", "[x] task", "    indented", "a\n\n# b", "a\r\n| b |", "a\n--- | ---\n", "\u202etxt", "\x1b[2J", "$x$ $$y$$", "a  \nb", "\t\tx", "`a` ``b", ":--", "| --- |", "a\\",
}

// filled is the whole incident with words in place of every text that comes
// from people or a cluster.
func filled(t testing.TB, words string) incident.Incident {
	t.Helper()
	data, err := json.Marshal(whole())
	if err != nil {
		t.Fatal(err)
	}
	var tree any
	if err := json.Unmarshal(data, &tree); err != nil {
		t.Fatal(err)
	}
	if data, err = json.Marshal(replaced(tree, "", words)); err != nil {
		t.Fatal(err)
	}
	var inc incident.Incident
	if err := json.Unmarshal(data, &inc); err != nil {
		t.Fatal(err)
	}
	return inc
}

// own are the keys whose values are the engine's, or moments.
var own = map[string]bool{"state": true, "status": true, "act": true, "since": true, "at": true, "startsAt": true, "endsAt": true, "madeAt": true, "until": true, "appliedAt": true, "endedAt": true, "handedAt": true,
	"fixedAt": true, "closedAt": true, "ackedAt": true, "sentAt": true, "tried": true, "fixed": true, "closed": true, "due": true, "from": true, "over": true, "id": true, "scenario": true, "link": true, "args": true, "why": true}

func replaced(tree any, key, words string) any {
	switch value := tree.(type) {
	case map[string]any:
		for k, inner := range value {
			value[k] = replaced(inner, k, words)
		}
	case []any:
		for i, inner := range value {
			value[i] = replaced(inner, key, words)
		}
	case string:
		if !own[key] && value != "" {
			return words
		}
	}
	return tree
}

func checkHostile(t *testing.T, harmless, evil string) {
	t.Helper()
	calm, _ := parsed(of(t, filled(t, harmless)).Markdown())
	source := of(t, filled(t, evil)).Markdown()
	wild, data := parsed(source)
	if got, want := shape(wild), shape(calm); got != want {
		t.Errorf("%q changes the document:\n%s\nnot\n%s\n%s", evil, got, want, source)
	}
	said := strings.TrimSpace(incident.Line(evil, 0))
	if said != "" && !strings.Contains(words(wild, data), said) {
		t.Errorf("%q cannot be read any more:\n%s", said, source)
	}
}

func TestNothingThatIsSaidBreaksTheReport(t *testing.T) {
	for _, evil := range hostile {
		checkHostile(t, "harmless", evil)
	}
}

func TestOnlyAnAddressOfTheWebBecomesALink(t *testing.T) {
	for address, want := range map[string]bool{"https://acme.slack.com/archives/C1/p1": true, "javascript:alert(1)": false, "https://a|b": false, "https://a> <b": false, "https://a/`b`": true, "ftp://a": false} {
		inc := whole()
		inc.Link = address
		got, _ := parsed(of(t, inc).Markdown())
		if is := strings.Contains(shape(got), "(AutoLink)"); is != want || strings.Contains(shape(got), "HTML") {
			t.Errorf("%q: a link is %v, not %v", address, is, want)
		}
	}
}

func FuzzNothingThatIsSaidBreaksTheReport(f *testing.F) {
	for _, evil := range hostile {
		f.Add(evil)
	}
	f.Fuzz(func(t *testing.T, evil string) {
		if !utf8.ValidString(evil) || strings.TrimSpace(incident.Line(evil, 0)) == "" {
			return // it was stored as JSON, and says something
		}
		checkHostile(t, "harmless", evil)
	})
}
