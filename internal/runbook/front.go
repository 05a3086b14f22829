package runbook

import (
	"bytes"
	"regexp"

	"redis-session-bot/internal/evidence"
)

// slashCommand is what a chat takes as the name of a command.
var slashCommand = regexp.MustCompile(`^[a-z0-9_-]{1,31}$`)

// TargetIn is the target of a document's front matter, the zero Target where
// it has none. It reads no further and judges nothing: Load does.
func TargetIn(source []byte) evidence.Target {
	l := newLoader("", source)
	l.frontMatter()
	return l.runbook.Target
}

// frontMatter reads what stands between the first two --- lines and returns
// the rest with the number of lines before it; nil when there is no telling
// where the rest begins.
func (l *loader) frontMatter() (body []byte, lines int) {
	rest, ok := bytes.CutPrefix(l.source, []byte("---\n"))
	if !ok {
		l.problem(1, "begin with ---, alert:, command:, target:, ---", "no front matter")
		return nil, 0
	}
	front, body, ok := bytes.Cut(rest, []byte("\n---\n"))
	if !ok {
		l.problem(1, "close it with a line ---", "the front matter does not end")
		return nil, 0
	}
	r, target, command, related := l.runbook, 0, 0, 0
	whole := l.yaml(front, 1, map[string]field{
		"alert":         words(&r.Alert),
		"related":       at(&related, texts(&r.Related)),
		"command":       at(&command, words(&r.Command)),
		"severity":      words(&r.Severity),
		"escalateAfter": duration(&r.EscalateAfter),
		"target":        at(&target, structure(&r.Target)),
		"audit":         l.audit(&r.Audit),
	})
	if whole {
		l.lintFront(1+command, 1+target)
		l.lintRelated(1 + related)
	}
	return body, 2 + bytes.Count(front, []byte("\n")) + 1
}

// lintFront asks for what a runbook cannot do without.
func (l *loader) lintFront(command, target int) {
	r := l.runbook
	if r.Alert == "" {
		l.problem(1, "add alert: NameOfTheAlert", "the front matter names no alert")
	}
	switch {
	case r.Command == "":
		l.problem(1, "add command: name-of-the-slash-command", "the front matter names no command")
	case !slashCommand.MatchString(r.Command):
		l.problem(command, "use lower-case letters, digits and dashes, without the slash", "%q is no slash command", r.Command)
	}
	if r.Target.Namespace == "" {
		l.problem(target, "add target: {namespace: …, workload: …}", "the target names no namespace")
	}
	if r.Target.Workload == "" {
		l.problem(target, "add target: {namespace: …, workload: …}", "the target names no workload")
	}
}

// lintRelated asks for names that say something.
func (l *loader) lintRelated(line int) {
	seen := map[string]bool{}
	for _, name := range l.runbook.Related {
		switch {
		case name == "":
			l.problem(line, "name an alert, or leave it out", "a related alert has no name")
		case name == l.runbook.Alert:
			l.problem(line, "leave it out", "%q opens the incident already", name)
		case seen[name]:
			l.problem(line, "keep one of them", "%q stands twice", name)
		}
		seen[name] = true
	}
}
