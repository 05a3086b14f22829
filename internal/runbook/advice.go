package runbook

import "go.yaml.in/yaml/v3"

// advice is one line of what a person does by hand.
type advice struct {
	when *condition // nil: whatever the evidence says
	text template
	says string // as the document has it
}

// advice reads byHand: a list of sentences, each alone or with the condition
// that it holds for.
func (l *loader) advice(node *yaml.Node, scenario *Scenario) error {
	return sequence(node, func(item *yaml.Node) error {
		var one advice
		var err error
		if item.Kind == yaml.MappingNode {
			var source string
			err = mapping(item, map[string]field{
				"when": func(node *yaml.Node) error {
					one.when = &condition{}
					return l.condition(&source, one.when)(node)
				},
				"says": l.sentence(&one.says, &one.text),
			})
			if err == nil && (one.when == nil || one.says == "") {
				err = errorAt(item, "give when and says, or a sentence alone", "the line says not what to do")
			}
		} else {
			err = l.sentence(&one.says, &one.text)(item)
		}
		scenario.ByHand, scenario.byHand = append(scenario.ByHand, one.says), append(scenario.byHand, one)
		return err
	})
}

// advise is what a person does by hand, filled in. For a condition what is not
// known is empty: the document can ask for it by "x" in unknown.
func (s Scenario) advise(facts map[string]any) []string {
	var lines []string
	for _, one := range s.byHand {
		if one.when != nil {
			if holds, _, err := one.when.program.Eval(facts); err != nil || holds.Value() != true {
				continue
			}
		}
		says, err := one.text.fill(facts)
		switch {
		case err == nil:
			lines = append(lines, says)
		case one.when == nil:
			lines = append(lines, one.says) // as the document has it: better than nothing
		}
	}
	return lines
}
