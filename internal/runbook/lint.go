package runbook

import (
	"slices"
	"strings"

	"cel.dev/cel-go/common/types"
)

// lint looks at the document as a whole, and at what each section says once
// it could be read.
func (l *loader) lint() {
	r := l.runbook
	if r.Title == "" {
		l.problem(1, "add a first line # Title", "the document has no title")
	}
	if len(r.Steps) == 0 {
		l.problem(1, "add ## Diagnosis with ### steps", "the document has no steps")
	}
	seen := map[string]int{}
	for _, step := range r.Steps {
		l.unique(seen, "step ", step.ID, step.Title, step.Line)
		l.lintCheck(step.ID, step.Check, step.Line)
	}
	for _, x := range r.Verification {
		l.unique(seen, "verification ", x.ID, x.ID, x.Line)
		l.lintExpectation(x)
	}
	for _, scenario := range r.Scenarios {
		l.unique(seen, "scenario ", scenario.ID, scenario.Title, scenario.Line)
		l.lintRank(scenario)
		if !l.broken[scenario.Line] {
			l.lintSigns(scenario)
			l.lintFixes(scenario)
		}
	}
	for _, measure := range r.Measures {
		l.unique(seen, "measure ", measure.Ref, measure.Title, measure.Line)
		if !l.broken[measure.Line] {
			l.lintFix(measure.Ref, measure)
		}
	}
	for _, letter := range r.Letters {
		l.unique(seen, "draft ", letter.ID, letter.Title, letter.Line)
		l.lintLetter(letter)
	}
}

// lintLetter asks for an id that can be typed, and is not the engine's own.
func (l *loader) lintLetter(letter Letter) {
	switch {
	case letter.ID == "handover":
		l.problem(letter.Line, "choose another", "the draft handover is the bot's own")
	case strings.ContainsAny(letter.ID, " \t") || letter.ID != strings.ToLower(letter.ID):
		l.problem(letter.Line, "write it as one lower-case word, with dashes", "nobody can type the id %q", letter.ID)
	}
}

func (l *loader) unique(seen map[string]int, kind, id, title string, line int) {
	if id == "" {
		if !l.broken[line] {
			l.problem(line, "add id: to its yaml block", "%q has no id", title)
		}
		return
	}
	if first, twice := seen[kind+id]; twice {
		l.problem(line, "choose another", "id %q is taken by line %d", id, first)
		return
	}
	seen[kind+id] = line
}

func (l *loader) lintCheck(id, check string, line int) {
	if check == "" && id != "" && !l.broken[line] {
		l.problem(line, "add check: one of "+strings.Join(keys(l.vocabulary.Checks), ", "), "%q runs no check", id)
	}
}

func (l *loader) lintExpectation(x Expectation) {
	l.lintCheck(x.ID, x.Check, x.Line)
	if !l.broken[x.Line] && x.program.constant != nil {
		l.problem(x.Line, "look at the evidence in expect", "%q is %v whatever the evidence says", x.ID, x.program.constant)
	}
}

// lintLets asks for a use of every name. It is called while the names of the
// scenario are at hand.
func (l *loader) lintLets(s Scenario) {
	for _, let := range s.lets {
		if !l.lang.used[let.name] {
			l.problem(let.line, "take it out, or use it in a sign", "nothing uses %q", let.name)
		}
	}
}

// lintSigns asks for signs that say something, and for one that can speak for
// the scenario.
func (l *loader) lintSigns(s Scenario) {
	speaks := false
	for _, sign := range s.Signs {
		constant := sign.program.constant
		speaks = speaks || constant != types.False && slices.Contains([]Weight{Decisive, Strong, Weak}, sign.Weight)
		switch {
		case constant == types.True:
			l.problem(sign.Line, "look at the evidence in when", "the sign holds always, so it says nothing")
		case constant != nil:
			l.problem(sign.Line, "look at the evidence in when", "the sign never holds")
		default:
			l.lintReads(sign)
		}
	}
	if !speaks {
		l.problem(s.Line, "add a sign with weight decisive, strong or weak", "%q can never be chosen", s.ID)
	}
}

// lintReads asks for a step that reads what a sign looks at: without one the
// sign is about something unknown, and says nothing.
func (l *loader) lintReads(sign Sign) {
	for _, field := range sign.program.reads {
		checks := l.fill(field)
		read := slices.ContainsFunc(l.runbook.Steps, func(step Step) bool { return slices.Contains(checks, step.Check) })
		if len(checks) > 0 && len(l.runbook.Steps) > 0 && !read {
			l.problem(sign.Line, "add a step with check: "+strings.Join(checks, " or "), "no step reads %q, so the sign says nothing", field)
		}
	}
}

// fill lists the checks that fill a field of the evidence.
func (l *loader) fill(field string) []string {
	var names []string
	for _, name := range keys(l.vocabulary.Checks) {
		if slices.Contains(l.vocabulary.Checks[name], field) {
			names = append(names, name)
		}
	}
	return names
}

func (l *loader) lintFixes(s Scenario) {
	if len(s.Fixes) == 0 && len(s.ByHand) == 0 && !s.WhenOK {
		l.problem(s.Line, "add fix:, or byHand: with what a person does, or ok: true", "%q has no fix", s.ID)
	}
	seen := map[string]int{}
	for _, fix := range s.Fixes {
		l.lintFix(s.ID, fix)
		l.unique(seen, "fix ", fix.Ref, fix.Action, fix.Line)
	}
}

// lintFix asks for a fix that does something, says what, and is verified.
func (l *loader) lintFix(of string, fix Fix) {
	if fix.Action == "" {
		l.problem(fix.Line, "add action: such as \"repair the configuration\"", "%q has a fix without a name for its button", of)
	}
	if len(fix.Changes) == 0 {
		l.problem(fix.Line, "add changes:", "a fix of %q changes nothing", of)
	}
	if len(l.runbook.Verification) == 0 {
		l.problem(fix.Line, "add ## Verification", "%q has a fix that nothing verifies", of)
	}
}

// lintRank asks for outranked scenarios that exist, and are not the other way
// round above this one.
func (l *loader) lintRank(s Scenario) {
	var known []string
	for _, other := range l.runbook.Scenarios {
		known = append(known, other.ID)
	}
	for _, id := range s.Outranks {
		if id == s.ID {
			l.problem(s.Line, "take it out of outranks", "%q outranks itself", s.ID)
		} else if !slices.Contains(known, id) {
			l.problem(s.Line, didYouMean(id, known), "%q outranks %q, which does not exist", s.ID, id)
		}
	}
	if round := l.circle(s); round != nil && slices.Min(round) == s.ID {
		l.runbook.Doubts = append(l.runbook.Doubts, Problem{File: l.file, Line: s.Line,
			Says: "outranks goes in a circle: " + strings.Join(append(round, s.ID), " > "),
			Hint: "the first of them in the document wins; keep one direction"})
	}
}

// circle is the shortest way along outranks from a scenario back to it, nil
// for none.
func (l *loader) circle(from Scenario) []string {
	seen, ways := map[string]bool{}, [][]string{{from.ID}}
	for len(ways) > 0 {
		way := ways[0]
		ways = ways[1:]
		last, _ := l.runbook.Scenario(way[len(way)-1])
		for _, id := range last.Outranks {
			if id == from.ID && len(way) > 1 {
				return way
			}
			if !seen[id] && id != from.ID {
				seen[id] = true
				ways = append(ways, append(slices.Clone(way), id))
			}
		}
	}
	return nil
}
