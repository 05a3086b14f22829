package runbook

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"

	"cel.dev/cel-go/cel"
	"google.golang.org/protobuf/types/known/structpb"
)

// template is a sentence with ${CEL} in it. Even parts are literal, odd ones
// are expressions.
type template struct {
	literals    []string
	expressions []condition
}

// compileTemplate checks every ${…} of a sentence.
func (l *language) compileTemplate(source string) (template, error) {
	literals, expressions, err := splitTemplate(source)
	if err != nil {
		return template{}, err
	}
	t := template{literals: literals}
	var all []error
	for _, expression := range expressions {
		compiled, err := l.compile(expression, nil)
		if err != nil {
			all = append(all, err)
		}
		t.expressions = append(t.expressions, compiled)
	}
	return t, errors.Join(all...)
}

// splitTemplate cuts a sentence at its ${…}; there is always one literal more
// than there are expressions. Quotes inside an expression may hold braces.
func splitTemplate(source string) (literals, expressions []string, err error) {
	for {
		before, rest, found := strings.Cut(source, "${")
		literals = append(literals, before)
		if !found {
			return literals, expressions, nil
		}
		end := endOfExpression(rest)
		if end < 0 {
			return nil, nil, fmt.Errorf("%q opens ${ and does not close it", source)
		}
		expressions = append(expressions, strings.TrimSpace(rest[:end]))
		source = rest[end+1:]
	}
}

// endOfExpression finds the } that closes an expression, -1 for none.
func endOfExpression(text string) int {
	depth, quote := 0, rune(0)
	escaped := false
	for i, r := range text {
		switch {
		case escaped:
			escaped = false
		case quote != 0 && r == '\\':
			escaped = true
		case quote != 0:
			if r == quote {
				quote = 0
			}
		case r == '"' || r == '\'':
			quote = r
		case r == '{':
			depth++
		case r == '}' && depth == 0:
			return i
		case r == '}':
			depth--
		}
	}
	return -1
}

// fill writes the sentence for one set of facts.
func (t template) fill(facts map[string]any) (string, error) {
	var b strings.Builder
	for i, literal := range t.literals {
		b.WriteString(literal)
		if i == len(t.expressions) {
			break
		}
		value, _, err := t.expressions[i].program.Eval(facts)
		if err != nil {
			return "", fmt.Errorf("fill in the sentence: %w", err)
		}
		fmt.Fprint(&b, value.Value())
	}
	return b.String(), nil
}

// filler is the arguments of a change with ${CEL} in its strings. A string
// that is one ${…} and nothing else takes over the expression's type.
type filler struct {
	value any // map[string]any, []any, template, whole or a plain JSON value
}

// whole is a string that consists of one expression.
type whole struct{ expression condition }

func (l *language) compileArgs(args json.RawMessage) (filler, error) {
	var value any
	if err := json.Unmarshal(args, &value); err != nil {
		return filler{}, fmt.Errorf("arguments: %w", err)
	}
	compiled, err := l.compileValue(value)
	return filler{value: compiled}, err
}

func (l *language) compileValue(value any) (any, error) {
	switch v := value.(type) {
	case map[string]any:
		for key, inner := range v {
			compiled, err := l.compileValue(inner)
			if err != nil {
				return nil, err
			}
			v[key] = compiled
		}
		return v, nil
	case []any:
		for i, inner := range v {
			compiled, err := l.compileValue(inner)
			if err != nil {
				return nil, err
			}
			v[i] = compiled
		}
		return v, nil
	case string:
		t, err := l.compileTemplate(v)
		if err != nil {
			return nil, err
		}
		if len(t.expressions) == 1 && t.literals[0] == "" && t.literals[1] == "" {
			return whole{t.expressions[0]}, nil
		}
		return t, nil
	}
	return value, nil
}

// fill gives the arguments as canonical JSON: keys sorted, no spaces.
func (f filler) fill(facts map[string]any) (json.RawMessage, error) {
	value, err := fillValue(f.value, facts)
	if err != nil {
		return nil, err
	}
	return json.Marshal(value)
}

func fillValue(value any, facts map[string]any) (any, error) {
	switch v := value.(type) {
	case map[string]any:
		filled := make(map[string]any, len(v))
		for key, inner := range v {
			one, err := fillValue(inner, facts)
			if err != nil {
				return nil, err
			}
			filled[key] = one
		}
		return filled, nil
	case []any:
		filled := make([]any, 0, len(v))
		for _, inner := range v {
			one, err := fillValue(inner, facts)
			if err != nil {
				return nil, err
			}
			filled = append(filled, one)
		}
		return filled, nil
	case template:
		return v.fill(facts)
	case whole:
		return evalJSON(v.expression.program, facts)
	}
	return value, nil
}

// evalJSON evaluates to plain JSON data; CEL's own conversion keeps whole
// numbers whole.
func evalJSON(program cel.Program, facts map[string]any) (any, error) {
	result, _, err := program.Eval(facts)
	if err != nil {
		return nil, fmt.Errorf("fill in the arguments: %w", err)
	}
	native, err := result.ConvertToNative(reflect.TypeFor[*structpb.Value]())
	if err != nil {
		return nil, fmt.Errorf("fill in the arguments: %w", err)
	}
	return native.(*structpb.Value).AsInterface(), nil
}
