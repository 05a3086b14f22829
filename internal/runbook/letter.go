package runbook

import (
	"errors"
	"slices"
	"strings"
	"time"

	"cel.dev/cel-go/cel"
	"go.yaml.in/yaml/v3"

	"redis-session-bot/internal/evidence"
)

// Letter is a draft of a text that people edit and send: to users, to support.
type Letter struct {
	ID    string
	Title string // heading: "To users"
	Text  string // lines with ${CEL}
	Line  int

	lines []template
}

// Told is what a letter may say of the incident, beside the evidence. What is
// zero, or -1 of a number, is not known.
type Told struct {
	Incident string
	Began    time.Time
	Mended   time.Time // when it was verified
	Cause    string
	Held     int64 // keys that the store served when the last plan was made
	Promised int64 // keys that it serves after that plan
}

// letterClock is how a letter writes a moment.
const letterClock = "2 Jan 15:04 UTC"

// letterVariables are how the expressions of a letter name what is told.
var letterVariables = []struct {
	name string
	kind *cel.Type
}{{"incident", cel.StringType}, {"began", cel.StringType}, {"mended", cel.StringType}, {"cause", cel.StringType}, {"held", cel.IntType}}

// facts are those that are known; an expression that names another one fails.
func (t Told) facts(e evidence.Evidence) map[string]any {
	facts := factsOf(e, t.Began)
	delete(facts, "promised")
	set := func(name string, value any, known bool) {
		if known {
			facts[name] = value
		}
	}
	set("incident", t.Incident, true)
	set("began", t.Began.UTC().Format(letterClock), !t.Began.IsZero())
	set("mended", t.Mended.UTC().Format(letterClock), !t.Mended.IsZero())
	set("cause", t.Cause, t.Cause != "")
	set("held", t.Held, t.Held >= 0)
	set("promised", t.Promised, t.Promised >= 0)
	return facts
}

// Letter returns the draft of that ID.
func (r *Runbook) Letter(id string) (Letter, bool) {
	at := slices.IndexFunc(r.Letters, func(l Letter) bool { return l.ID == id })
	if at < 0 {
		return Letter{}, false
	}
	return r.Letters[at], true
}

// Fill writes the text. A line that looks at something that is not known is
// left out, and so is one whose expressions come to nothing: no number in it is
// invented.
func (l Letter) Fill(e evidence.Evidence, told Told) string {
	facts := told.facts(e)
	var lines []string
	for _, line := range l.lines {
		if slices.ContainsFunc(line.expressions, func(c condition) bool { return len(unknownOf(e, c.reads)) > 0 }) {
			continue
		}
		says, err := line.fill(facts)
		if err != nil || len(line.expressions) > 0 && strings.TrimSpace(says) == "" {
			continue
		}
		lines = append(lines, strings.TrimRight(says, " "))
	}
	return strings.TrimSpace(strings.Join(lines, "\n"))
}

// letter reads one section of the part Drafts.
func (l *loader) letter(s section) bool {
	letter := Letter{Title: s.title, Line: s.line}
	whole := l.block(s, map[string]field{
		"id":   words(&letter.ID),
		"text": func(node *yaml.Node) error { return l.lines(node, &letter) },
	})
	if whole && strings.TrimSpace(letter.Text) == "" {
		l.problem(s.line, "give text", "%q says nothing", s.title)
	}
	l.runbook.Letters = append(l.runbook.Letters, letter)
	return whole
}

// lines compiles a text line by line, so that one that cannot be said can be
// left out.
func (l *loader) lines(node *yaml.Node, letter *Letter) error {
	lang := l.lang
	for _, variable := range letterVariables {
		var err error
		if lang, err = lang.extend(cel.Variable(variable.name, variable.kind), variable.name); err != nil {
			return err
		}
	}
	letter.Text = node.Value
	first := node.Line
	if node.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0 {
		first++ // the text begins below its |
	}
	var all []error
	for n, source := range strings.Split(strings.TrimRight(node.Value, "\n"), "\n") {
		compiled, err := lang.compileTemplate(source)
		at := *node
		at.Line = first + n
		at.Style &^= yaml.LiteralStyle | yaml.FoldedStyle
		all = append(all, within(&at, "", err))
		letter.lines = append(letter.lines, compiled)
	}
	return errors.Join(all...)
}
