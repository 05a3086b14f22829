package runbook

import (
	"errors"
	"regexp"
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
	partMeasures     = "Measures"
	partVerification = "Verification"
	partDrafts       = "Drafts"
)

func hasSchema(part string) bool {
	return part == partDiagnosis || part == partScenarios || part == partMeasures || part == partVerification || part == partDrafts
}

// section hands a third-level section to the reader of its part.
func (l *loader) section(part string, s section) {
	if !hasSchema(part) {
		return
	}
	if s.block == nil || s.broken {
		if !s.broken {
			l.problem(s.line, "add a ```yaml block with an id", "%q has no yaml block", s.title)
		}
		s.block = nil
	}
	whole := false
	switch part {
	case partDiagnosis:
		whole = l.step(s)
	case partScenarios:
		whole = l.scenario(s)
	case partMeasures:
		whole = l.measure(s)
	case partVerification:
		whole = l.expectation(s)
	case partDrafts:
		whole = l.letter(s)
	}
	l.broken[s.line] = !whole
}

func (l *loader) step(s section) bool {
	step := Step{Title: s.title, Prose: strings.Join(s.prose, "\n"), Line: s.line}
	whole := l.block(s, map[string]field{
		"id":    words(&step.ID),
		"check": l.check(&step.Check),
	})
	l.runbook.Steps = append(l.runbook.Steps, step)
	return whole
}

// block reads the yaml block of a section; false where it has none, or
// something is wrong with it.
func (l *loader) block(s section, fields map[string]field) bool {
	return s.block != nil && l.yaml(s.block, s.at, fields)
}

func (l *loader) scenario(s section) bool {
	scenario := Scenario{Title: s.title, Prose: strings.Join(s.prose, "\n"), Line: s.line}
	only := Fix{Warnings: s.warnings, Cautions: s.cautions, Line: s.line}
	var fixes []*yaml.Node
	common := l.lang
	defer func() { l.lang = common }() // the names of one scenario are its own
	l.lang = common.scope(letNames(s.block))
	whole := l.block(s, map[string]field{
		"id":       words(&scenario.ID),
		"action":   words(&only.Action),
		"outranks": texts(&scenario.Outranks),
		"byHand":   func(node *yaml.Node) error { return l.advice(node, &scenario) },
		"ok":       decode(&scenario.WhenOK),
		"let":      l.let(s.at, &scenario.lets),
		"signs": func(node *yaml.Node) error {
			return sequence(node, func(item *yaml.Node) error {
				sign, err := l.sign(item)
				sign.Line = s.at + item.Line
				scenario.Signs = append(scenario.Signs, sign)
				return err
			})
		},
		"fix": func(node *yaml.Node) error { return l.drafts(node, s.at, &only.Changes) },
		"fixes": func(node *yaml.Node) error {
			return sequence(node, func(item *yaml.Node) error { fixes = append(fixes, item); return nil })
		},
	})
	whole = l.fixes(s, &scenario, only, fixes) && whole
	l.runbook.Scenarios = append(l.runbook.Scenarios, scenario)
	if whole {
		l.lintLets(scenario)
	}
	return whole
}

// fixes reads the ways to mend once everything else of a scenario is known:
// `fix` with `action` is the only one, `fixes` lists several.
func (l *loader) fixes(s section, scenario *Scenario, only Fix, nodes []*yaml.Node) bool {
	var all []error
	if len(only.Changes) > 0 {
		if len(nodes) > 0 {
			all = append(all, errorAt(nodes[0], "move fix: into it", "there is fix: and fixes:"))
		}
		only.Ref, only.lets = scenario.ID, scenario.lets
		all = append(all, l.compileSaid(&only))
		scenario.Fixes = append(scenario.Fixes, only)
	}
	for _, node := range nodes {
		fix, err := l.fix(node, scenario.ID, s, scenario.lets)
		scenario.Fixes = append(scenario.Fixes, fix)
		all = append(all, err)
	}
	err := errors.Join(all...)
	for _, one := range lineErrors(err) {
		l.problem(s.at+one.line, one.hint, "%s", one.says)
	}
	return err == nil
}

// letNames are the names that a scenario's block gives, wherever they stand.
func letNames(block []byte) []string {
	var named struct {
		Let yaml.Node `yaml:"let"`
	}
	if err := yaml.Unmarshal(block, &named); err != nil || named.Let.Kind != yaml.MappingNode {
		return nil // told of when it is read
	}
	var names []string
	for i := 0; i < len(named.Let.Content); i += 2 {
		names = append(names, named.Let.Content[i].Value)
	}
	return names
}

// identifier is what CEL takes as a name.
var identifier = regexp.MustCompile(`^[_a-zA-Z][_a-zA-Z0-9]*$`)

// let reads names for expressions; what stands below may use them.
func (l *loader) let(above int, into *[]binding) field {
	return func(node *yaml.Node) error {
		if node.Kind != yaml.MappingNode {
			return errorAt(node, "write name: expression lines", "a mapping is needed here")
		}
		var all []error
		for i := 0; i+1 < len(node.Content); i += 2 {
			name, source := node.Content[i], node.Content[i+1]
			if !identifier.MatchString(name.Value) {
				all = append(all, errorAt(name, "use letters, digits and _", "%q cannot be the name of a let", name.Value))
				continue
			}
			lang, bound, err := l.lang.bind(name.Value, source.Value)
			if err != nil {
				all = append(all, within(source, name.Value+": ", err))
			}
			l.lang, bound.line = lang, above+name.Line
			*into = append(*into, bound)
		}
		return errors.Join(all...)
	}
}

func (l *loader) expectation(s section) bool {
	x := Expectation{Line: s.line}
	whole := l.block(s, map[string]field{
		"id":        words(&x.ID),
		"check":     l.check(&x.Check),
		"expect":    l.condition(&x.When, &x.program),
		"says":      l.sentence(&x.Says, &x.text),
		"otherwise": l.sentence(&x.Otherwise, &x.otherwise),
	})
	if whole && (x.When == "" || x.Says == "" || x.Otherwise == "") {
		l.problem(s.line, "give expect, says and otherwise", "%q cannot say how it went", s.title)
	}
	l.runbook.Verification = append(l.runbook.Verification, x)
	return whole
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

func (l *loader) audit(into *string) field {
	return func(node *yaml.Node) error {
		if !slices.Contains(l.vocabulary.Audits, node.Value) {
			return errorAt(node, didYouMean(node.Value, l.vocabulary.Audits), "a target of the kind %q cannot be audited", node.Value)
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
	if err != nil {
		return sign, err
	}
	for _, part := range [][2]string{{"when", sign.When}, {"says", sign.Says}, {"weight", string(sign.Weight)}} {
		if part[1] == "" {
			return sign, errorAt(item, "give when, says and weight", "the sign has no %s", part[0])
		}
	}
	return sign, nil
}

func (l *loader) condition(source *string, into *condition) field {
	return func(node *yaml.Node) error {
		compiled, err := l.lang.compile(node.Value, cel.BoolType)
		*source, *into = node.Value, compiled
		return within(node, "", err)
	}
}

func (l *loader) sentence(source *string, into *template) field {
	return func(node *yaml.Node) error {
		compiled, err := l.lang.compileTemplate(node.Value)
		*source, *into = strings.TrimSpace(node.Value), compiled
		return within(node, "", err)
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
	if err := l.expressions(kind.Value, args); err != nil {
		return Draft{}, err
	}
	filled, err := l.lang.compileArgs(raw)
	if err != nil {
		return Draft{}, errorAt(args, "", "%s: %v", kind.Value, err)
	}
	return Draft{Kind: kind.Value, Args: raw, filled: filled}, nil
}

// expressions checks the ${…} of every argument of a change at its own line.
func (l *loader) expressions(kind string, args *yaml.Node) error {
	if args.Kind == yaml.ScalarNode {
		_, err := l.lang.compileTemplate(args.Value)
		return within(args, kind+": ", err)
	}
	var all []error
	for _, inner := range args.Content {
		all = append(all, l.expressions(kind, inner))
	}
	return errors.Join(all...)
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
