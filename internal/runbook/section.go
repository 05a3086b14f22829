package runbook

import (
	"errors"
	"slices"
	"sort"
	"strings"

	"cel.dev/cel-go/cel"
	"go.yaml.in/yaml/v3"
)

// The parts of a document that hold blocks for the bot. Every other part is
// for people alone.
const (
	partDiagnosis    = "Diagnosis"
	partScenarios    = "Scenarios"
	partVerification = "Verification"
)

func hasSchema(part string) bool {
	return part == partDiagnosis || part == partScenarios || part == partVerification
}

// section hands a third-level section to the reader of its part.
func (l *loader) section(part string, s section) {
	if !hasSchema(part) {
		return
	}
	if s.block == nil {
		l.problem(s.line, "add a ```yaml block with an id", "%q has no yaml block", s.title)
		return
	}
	switch part {
	case partDiagnosis:
		l.step(s)
	case partScenarios:
		l.scenario(s)
	case partVerification:
		l.expectation(s)
	}
}

func (l *loader) step(s section) {
	step := Step{Title: s.title, Prose: strings.Join(s.prose, "\n"), Line: s.line}
	l.yaml(s.block, s.at, map[string]field{
		"id":    words(&step.ID),
		"check": l.check(&step.Check),
	})
	l.runbook.Steps = append(l.runbook.Steps, step)
}

func (l *loader) scenario(s section) {
	scenario := Scenario{Title: s.title, Prose: strings.Join(s.prose, "\n"),
		Warnings: s.warnings, Cautions: s.cautions, Line: s.line}
	common := l.lang
	defer func() { l.lang = common }() // the names of one scenario are its own
	l.yaml(s.block, s.at, map[string]field{
		"id":       words(&scenario.ID),
		"action":   words(&scenario.Action),
		"outranks": texts(&scenario.Outranks),
		"byHand":   texts(&scenario.ByHand),
		"ok":       decode(&scenario.WhenOK),
		"let":      l.let(&scenario.lets),
		"signs": func(node *yaml.Node) error {
			return sequence(node, func(item *yaml.Node) error {
				sign, err := l.sign(item)
				sign.Line = s.at + item.Line
				scenario.Signs = append(scenario.Signs, sign)
				return err
			})
		},
		"fix": func(node *yaml.Node) error {
			return sequence(node, func(item *yaml.Node) error {
				draft, err := l.draft(item)
				draft.Line = s.at + item.Line
				scenario.Fix = append(scenario.Fix, draft)
				return err
			})
		},
	})
	l.runbook.Scenarios = append(l.runbook.Scenarios, scenario)
}

// let reads names for expressions; what stands below may use them.
func (l *loader) let(into *[]binding) field {
	return func(node *yaml.Node) error {
		if node.Kind != yaml.MappingNode {
			return errorAt(node, "write name: expression lines", "a mapping is needed here")
		}
		for i := 0; i+1 < len(node.Content); i += 2 {
			name, source := node.Content[i], node.Content[i+1]
			lang, bound, err := l.lang.bind(name.Value, source.Value)
			if err != nil {
				return errorAt(source, "", "%s: %v", name.Value, err)
			}
			l.lang = lang
			*into = append(*into, bound)
		}
		return nil
	}
}

func (l *loader) expectation(s section) {
	x := Expectation{Line: s.line}
	l.yaml(s.block, s.at, map[string]field{
		"id":        words(&x.ID),
		"check":     l.check(&x.Check),
		"expect":    l.condition(&x.When, &x.program),
		"says":      l.sentence(&x.Says, &x.text),
		"otherwise": l.sentence(&x.Otherwise, &x.otherwise),
	})
	if x.When == "" || x.Says == "" || x.Otherwise == "" {
		l.problem(s.line, "give expect, says and otherwise", "%q cannot say how it went", s.title)
	}
	l.runbook.Verification = append(l.runbook.Verification, x)
}

func (l *loader) check(into *string) field {
	return func(node *yaml.Node) error {
		if _, ok := l.vocabulary.Checks[node.Value]; !ok {
			return errorAt(node, didYouMean(node.Value, keys(l.vocabulary.Checks)), "unknown check %q", node.Value)
		}
		*into = node.Value
		return nil
	}
}

func (l *loader) sign(item *yaml.Node) (Sign, error) {
	var sign Sign
	weights := []string{string(Decisive), string(Strong), string(Weak), string(Against), string(Impossible)}
	err := mapping(item, map[string]field{
		"when": l.condition(&sign.When, &sign.program),
		"says": l.sentence(&sign.Says, &sign.text),
		"weight": func(node *yaml.Node) error {
			if !slices.Contains(weights, node.Value) {
				return errorAt(node, "use one of "+strings.Join(weights, ", "), "unknown weight %q", node.Value)
			}
			sign.Weight = Weight(node.Value)
			return nil
		},
	})
	if err == nil && (sign.When == "" || sign.Says == "" || sign.Weight == "") {
		err = errorAt(item, "give when, says and weight", "the sign is not whole")
	}
	return sign, err
}

func (l *loader) condition(source *string, into *condition) field {
	return func(node *yaml.Node) error {
		compiled, err := l.lang.compile(node.Value, cel.BoolType)
		if err != nil {
			return errorAt(node, "", "%v", err)
		}
		*source, *into = node.Value, compiled
		return nil
	}
}

func (l *loader) sentence(source *string, into *template) field {
	return func(node *yaml.Node) error {
		compiled, err := l.lang.compileTemplate(node.Value)
		if err != nil {
			return errorAt(node, "", "%v", err)
		}
		*source, *into = node.Value, compiled
		return nil
	}
}

// draft reads `- kind: {args}`.
func (l *loader) draft(item *yaml.Node) (Draft, error) {
	if item.Kind != yaml.MappingNode || len(item.Content) != 2 {
		return Draft{}, errorAt(item, "write `- restart: {}`", "a change is one name with its arguments")
	}
	kind, args := item.Content[0], item.Content[1]
	validate, ok := l.vocabulary.Changes[kind.Value]
	if !ok {
		return Draft{}, errorAt(kind, didYouMean(kind.Value, keys(l.vocabulary.Changes)), "unknown change %q", kind.Value)
	}
	raw, err := asJSON(args)
	if err != nil {
		return Draft{}, err
	}
	if err := validate(raw); err != nil {
		return Draft{}, errorAt(args, "", "%s: %v", kind.Value, err)
	}
	filled, err := l.lang.compileArgs(raw)
	if err != nil {
		return Draft{}, errorAt(args, "", "%s: %v", kind.Value, err)
	}
	return Draft{Kind: kind.Value, Args: raw, filled: filled}, nil
}

// lint looks at the document as a whole.
func (l *loader) lint() {
	r := l.runbook
	if r.Alert == "" {
		l.problem(1, "add alert: NameOfTheAlert", "the front matter names no alert")
	}
	if r.Command == "" {
		l.problem(1, "add command: name-of-the-slash-command", "the front matter names no command")
	}
	if r.Title == "" {
		l.problem(1, "add a first line # Title", "the document has no title")
	}
	if len(r.Steps) == 0 {
		l.problem(1, "add ## Diagnosis with ### steps", "the document has no steps")
	}
	seen := map[string]int{}
	unique := func(kind, id, title string, line int) {
		if id == "" {
			l.problem(line, "add id: to its yaml block", "%q has no id", title)
			return
		}
		if first, twice := seen[kind+id]; twice {
			l.problem(line, "choose another", "id %q is taken by line %d", id, first)
			return
		}
		seen[kind+id] = line
	}
	for _, step := range r.Steps {
		unique("step ", step.ID, step.Title, step.Line)
		if step.Check == "" && step.ID != "" {
			l.problem(step.Line, "add check: one of "+strings.Join(keys(l.vocabulary.Checks), ", "), "step %q runs no check", step.ID)
		}
	}
	for _, x := range r.Verification {
		unique("verification ", x.ID, x.ID, x.Line)
	}
	for _, scenario := range r.Scenarios {
		unique("scenario ", scenario.ID, scenario.Title, scenario.Line)
		l.lintScenario(scenario)
	}
}

func (l *loader) lintScenario(s Scenario) {
	speaks := slices.ContainsFunc(s.Signs, func(sign Sign) bool {
		return sign.Weight == Decisive || sign.Weight == Strong || sign.Weight == Weak
	})
	if !speaks {
		l.problem(s.Line, "add a sign with weight decisive, strong or weak", "%q can never be chosen", s.ID)
	}
	if len(s.Fix) == 0 && len(s.ByHand) == 0 && !s.WhenOK {
		l.problem(s.Line, "add fix:, or byHand: with what a person does, or ok: true", "%q has no fix", s.ID)
	}
	if len(s.Fix) > 0 && s.Action == "" {
		l.problem(s.Line, "add action: such as \"repair the configuration\"", "%q has a fix without a name for its button", s.ID)
	}
	if len(s.Fix) > 0 && len(l.runbook.Verification) == 0 {
		l.problem(s.Line, "add ## Verification", "%q has a fix that nothing verifies", s.ID)
	}
	for _, id := range s.Outranks {
		if _, ok := l.runbook.Scenario(id); !ok {
			var known []string
			for _, other := range l.runbook.Scenarios {
				known = append(known, other.ID)
			}
			l.problem(s.Line, didYouMean(id, known), "%q outranks %q, which does not exist", s.ID, id)
		}
	}
}

func keys[V any](m map[string]V) []string {
	names := make([]string, 0, len(m))
	for name := range m {
		names = append(names, name)
	}
	sort.Strings(names)
	return names
}

// AsProblems gives the problems of a Load error, or nil for another error.
func AsProblems(err error) Problems {
	var problems Problems
	if errors.As(err, &problems) {
		return problems
	}
	return nil
}
