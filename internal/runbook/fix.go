package runbook

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"time"

	"cel.dev/cel-go/cel"
	"go.yaml.in/yaml/v3"

	"redis-session-bot/internal/evidence"
)

// Fix is one way to mend: of a scenario, or a measure that people take
// whatever the cause is.
type Fix struct {
	Ref      string   // names it in its document: "out-of-memory", "corrupt-aof/start-empty", or a measure's ID
	Title    string   // of a measure: its heading
	Action   string   // what it does, as a short verb phrase for the button: "repair the configuration"
	Inputs   []Input  // what a person may edit before the plan is made
	Changes  []Draft  // in order
	Warnings []string // from > [!WARNING] and warning:, with ${CEL}
	Cautions []string // from > [!CAUTION] and caution:, with ${CEL}: data loss
	Debt     string   // what stays to be put right afterwards; "" for a fix that leaves nothing
	Line     int

	when     *condition
	rules    []rule
	warnings []template
	cautions []template
	lets     []binding // the scenario's
}

// Input is one value that a person may edit before a plan is made.
type Input struct {
	ID    string
	Label string
	Hint  string
	Line  int

	value   template
	options *condition // a list of [value, label, note]; nil where anything may be written
}

// Option is one answer that an input offers.
type Option struct {
	Value string `json:"value"`
	Label string `json:"label"`
	Note  string `json:"note,omitempty"`
}

// rule must hold for the inputs.
type rule struct {
	when condition
	says template
	line int
}

// Value is an input with the value that the evidence proposes.
type Value struct {
	ID    string `json:"id"`
	Label string `json:"label"`
	Hint  string `json:"hint,omitempty"`
	Value string `json:"value"`
	// Options are what the evidence offers to choose from. Another answer is
	// possible where people write it: the cluster has the last word.
	Options []Option `json:"options,omitempty"`
}

// Proposal is a fix with its arguments filled in.
type Proposal struct {
	Changes  []Change
	Inputs   []Value
	Warnings []string
	Cautions []string
}

// BadInput is an answer of a person that a rule of the document refuses.
type BadInput struct {
	Input string // ID of the input that it is about; "" for all of them together
	Says  string
}

// Error is the rule's sentence.
func (e *BadInput) Error() string { return e.Says }

// Fix returns the fix of that reference: a scenario's ID names its first one.
func (r *Runbook) Fix(ref string) (Fix, bool) {
	if scenario, ok := r.Scenario(ref); ok && len(scenario.Fixes) > 0 {
		return scenario.Fixes[0], true
	}
	all := r.AllFixes()
	if at := slices.IndexFunc(all, func(fix Fix) bool { return fix.Ref == ref }); at >= 0 {
		return all[at], true
	}
	return Fix{}, false
}

// AllFixes are the fixes of every scenario, and the measures.
func (r *Runbook) AllFixes() []Fix {
	var all []Fix
	for _, scenario := range r.Scenarios {
		all = append(all, scenario.Fixes...)
	}
	return append(all, r.Measures...)
}

// Offers lists the fixes of a scenario that the evidence admits, in the
// document's order. One whose condition looks at something unknown is offered.
func (r *Runbook) Offers(id string, e evidence.Evidence) []Fix {
	scenario, _ := r.Scenario(id)
	facts := scenario.bind(factsOf(e, time.Time{}))
	var offers []Fix
	for _, fix := range scenario.Fixes {
		if fix.when == nil || len(unknownOf(e, fix.when.reads)) > 0 {
			offers = append(offers, fix)
			continue
		}
		if holds, _, err := fix.when.program.Eval(facts); err == nil && holds.Value() == true {
			offers = append(offers, fix)
		}
	}
	return offers
}

// Propose fills in a fix from the evidence, and from what a person has
// answered to its inputs. Its error is *BadInput where the answers do not fit;
// it errors, too, when an argument looks at something that is not known.
func (r *Runbook) Propose(ref string, e evidence.Evidence, answers map[string]string) (Proposal, error) {
	fix, ok := r.Fix(ref)
	if !ok {
		return Proposal{}, fmt.Errorf("there is no fix %q in %s", ref, r.File)
	}
	facts := Scenario{lets: fix.lets}.bind(factsOf(e, time.Time{}))
	var proposal Proposal
	var err error
	if proposal.Inputs, err = fix.values(e, facts, answers); err != nil {
		return Proposal{}, fmt.Errorf("%s:%d: %w", r.File, fix.Line, err)
	}
	facts = maps.Clone(facts)
	given := map[string]string{}
	for _, value := range proposal.Inputs {
		given[value.ID] = value.Value
	}
	facts["input"] = given
	if err := fix.obey(facts); err != nil {
		return proposal, err
	}
	for _, draft := range fix.Changes {
		args, err := draft.filled.fill(facts)
		if err != nil {
			return Proposal{}, fmt.Errorf("%s:%d: %s: %w", r.File, draft.Line, draft.Kind, err)
		}
		proposal.Changes = append(proposal.Changes, Change{Kind: draft.Kind, Args: args})
	}
	proposal.Warnings, proposal.Cautions = fillAll(fix.warnings, facts), fillAll(fix.cautions, facts)
	return proposal, nil
}

// values are the inputs with a person's answers, or what the evidence proposes.
func (f Fix) values(e evidence.Evidence, facts map[string]any, answers map[string]string) ([]Value, error) {
	var values []Value
	for _, input := range f.Inputs {
		value := Value{ID: input.ID, Label: input.Label, Hint: input.Hint, Options: input.offers(e, facts)}
		answer, answered := answers[input.ID]
		if answered {
			value.Value = answer
		} else {
			proposed, err := input.value.fill(facts)
			if err != nil {
				return nil, fmt.Errorf("input %s: %w", input.ID, err)
			}
			value.Value = proposed
		}
		values = append(values, value)
	}
	return values, nil
}

// offers are the answers to choose from; none where the evidence does not tell.
func (i Input) offers(e evidence.Evidence, facts map[string]any) []Option {
	if i.options == nil || len(unknownOf(e, i.options.reads)) > 0 {
		return nil
	}
	result, _, err := i.options.program.Eval(facts)
	if err != nil {
		return nil
	}
	rows, err := result.ConvertToNative(reflect.TypeFor[[][]string]())
	if err != nil {
		return nil
	}
	var options []Option
	for _, row := range rows.([][]string) {
		words := slices.Concat(row, make([]string, 3))
		options = append(options, Option{Value: words[0], Label: cmp.Or(words[1], words[0]), Note: words[2]})
	}
	return options
}

// obey holds the inputs against the rules.
func (f Fix) obey(facts map[string]any) error {
	for _, rule := range f.rules {
		holds, _, err := rule.when.program.Eval(facts)
		if err == nil && holds.Value() == true {
			continue
		}
		says, failed := rule.says.fill(facts)
		if failed != nil {
			says = f.Action
		}
		if err != nil {
			says += ": " + err.Error()
		}
		return &BadInput{Says: says}
	}
	return nil
}

func fillAll(templates []template, facts map[string]any) []string {
	var all []string
	for _, t := range templates {
		if says, err := t.fill(facts); err == nil && says != "" {
			all = append(all, says)
		}
	}
	return all
}

// inputVariable is how expressions of a fix name its inputs: input.limit.
var inputVariable = cel.Variable("input", cel.MapType(cel.StringType, cel.StringType))

// fix reads one way to mend. base is the reference that it is known by without
// an id of its own.
func (l *loader) fix(node *yaml.Node, base string, s section, lets []binding) (Fix, error) {
	fix := Fix{Ref: base, Line: s.at + node.Line, Warnings: s.warnings, Cautions: s.cautions, lets: lets}
	common := l.lang
	defer func() { l.lang = common }()
	lang, err := l.lang.extend(inputVariable, "input")
	if err != nil {
		return fix, err
	}
	own, warning, caution := "", "", ""
	err = mapping(node, map[string]field{
		"id":      words(&own),
		"action":  words(&fix.Action),
		"warning": words(&warning),
		"caution": words(&caution),
		"debt":    words(&fix.Debt),
		"when": func(node *yaml.Node) error {
			var source string
			fix.when = &condition{}
			return l.condition(&source, fix.when)(node)
		},
		"inputs": func(node *yaml.Node) error {
			return sequence(node, func(item *yaml.Node) error { return l.input(item, s.at, &fix.Inputs) })
		},
		"require": func(node *yaml.Node) error {
			return l.with(lang, func() error {
				return sequence(node, func(item *yaml.Node) error { return l.rule(item, s.at, &fix.rules) })
			})
		},
		"changes": func(node *yaml.Node) error {
			return l.with(lang, func() error { return l.drafts(node, s.at, &fix.Changes) })
		},
	})
	if own != "" && base != "" {
		fix.Ref = base + "/" + own
	} else if own != "" {
		fix.Ref = own
	}
	fix.Warnings, fix.Cautions = appendSaid(fix.Warnings, warning), appendSaid(fix.Cautions, caution)
	return fix, errors.Join(err, within(node, "", l.with(lang, func() error { return l.compileSaid(&fix) })))
}

func appendSaid(all []string, one string) []string {
	if one == "" {
		return all
	}
	return append(slices.Clone(all), one)
}

// compileSaid checks the ${…} of a fix's warnings and cautions.
func (l *loader) compileSaid(fix *Fix) error {
	var all []error
	for _, part := range []struct {
		from []string
		into *[]template
	}{{fix.Warnings, &fix.warnings}, {fix.Cautions, &fix.cautions}} {
		for _, source := range part.from {
			compiled, err := l.lang.compileTemplate(source)
			all = append(all, err)
			*part.into = append(*part.into, compiled)
		}
	}
	return errors.Join(all...)
}

// with reads with another language.
func (l *loader) with(lang *language, read func() error) error {
	before := l.lang
	l.lang = lang
	defer func() { l.lang = before }()
	return read()
}

func (l *loader) input(item *yaml.Node, above int, into *[]Input) error {
	input, source := Input{Line: above + item.Line}, ""
	err := mapping(item, map[string]field{
		"id":    words(&input.ID),
		"label": words(&input.Label),
		"hint":  words(&input.Hint),
		"value": l.sentence(&source, &input.value),
		"options": func(node *yaml.Node) error {
			compiled, err := l.lang.compile(node.Value, cel.ListType(cel.ListType(cel.StringType)))
			input.options = &compiled
			return within(node, "", err)
		},
	})
	switch {
	case err != nil:
		return err
	case !identifier.MatchString(input.ID):
		return errorAt(item, "use letters, digits and _", "%q cannot be the id of an input", input.ID)
	case input.Label == "" || source == "":
		return errorAt(item, "give id, label and value", "the input %q says not what it asks for", input.ID)
	case slices.ContainsFunc(*into, func(other Input) bool { return other.ID == input.ID }):
		return errorAt(item, "choose another", "there are two inputs %q", input.ID)
	}
	*into = append(*into, input)
	return nil
}

func (l *loader) rule(item *yaml.Node, above int, into *[]rule) error {
	one, when, says := rule{line: above + item.Line}, "", ""
	if err := mapping(item, map[string]field{"that": l.condition(&when, &one.when), "says": l.sentence(&says, &one.says)}); err != nil {
		return err
	}
	if when == "" || says == "" {
		return errorAt(item, "give that and says", "the rule cannot say what is wrong")
	}
	*into = append(*into, one)
	return nil
}

func (l *loader) drafts(node *yaml.Node, above int, into *[]Draft) error {
	return sequence(node, func(item *yaml.Node) error {
		draft, err := l.draft(item)
		draft.Line = above + item.Line
		*into = append(*into, draft)
		return err
	})
}

// measure reads one section of the part Measures.
func (l *loader) measure(s section) bool {
	if s.block == nil {
		return false
	}
	var node yaml.Node
	if err := yaml.Unmarshal(s.block, &node); err != nil {
		line, says := yamlError(err)
		l.problem(s.at+line, "", "%s", says)
		return false
	}
	if node.Kind == 0 {
		l.problem(s.at, "", "the block is empty")
		return false
	}
	fix, err := l.fix(&node, "", s, nil)
	fix.Title, fix.Line = s.title, s.line
	for _, one := range lineErrors(err) {
		l.problem(s.at+one.line, one.hint, "%s", one.says)
	}
	l.runbook.Measures = append(l.runbook.Measures, fix)
	return err == nil
}
