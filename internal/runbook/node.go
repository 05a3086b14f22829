package runbook

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"sort"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// lineError is an error at a line of a YAML block, counted from 1 within it.
type lineError struct {
	line int
	says string
	hint string
}

func (e *lineError) Error() string { return e.says }

func errorAt(node *yaml.Node, hint, format string, args ...any) error {
	return &lineError{line: node.Line, says: fmt.Sprintf(format, args...), hint: hint}
}

// within moves the errors of what a value holds to the lines of the value.
// The text of a | or > block begins on the line after its mark.
func within(node *yaml.Node, prefix string, err error) error {
	var moved []error
	for _, one := range lineErrors(err) {
		line := node.Line + max(one.line, 1) - 1
		if node.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0 {
			line++
		}
		moved = append(moved, &lineError{line: line, says: prefix + one.says, hint: one.hint})
	}
	return errors.Join(moved...)
}

// lineErrors takes joined errors apart. One without a line gets line 0.
func lineErrors(err error) []*lineError {
	var one *lineError
	switch joined, many := err.(interface{ Unwrap() []error }); {
	case err == nil:
		return nil
	case many:
		var all []*lineError
		for _, part := range joined.Unwrap() {
			all = append(all, lineErrors(part)...)
		}
		return all
	case errors.As(err, &one):
		return []*lineError{one}
	}
	return []*lineError{{says: err.Error()}}
}

// field reads one key of a mapping.
type field func(node *yaml.Node) error

// mapping hands every key of a node to its reader and joins their errors. An
// unknown key, with the nearest known one, and a key that stands twice are errors.
func mapping(node *yaml.Node, fields map[string]field) error {
	if node.Kind == yaml.DocumentNode && len(node.Content) == 1 {
		node = node.Content[0]
	}
	if node.Kind != yaml.MappingNode {
		return errorAt(node, "write it as key: value lines", "a mapping is needed here")
	}
	known := make([]string, 0, len(fields))
	for name := range fields {
		known = append(known, name)
	}
	sort.Strings(known)
	var seen []string
	var all []error
	for i := 0; i+1 < len(node.Content); i += 2 {
		key, value := node.Content[i], node.Content[i+1]
		read, ok := fields[key.Value]
		if !ok {
			all = append(all, errorAt(key, didYouMean(key.Value, known), "unknown key %q", key.Value))
			continue
		}
		if slices.Contains(seen, key.Value) {
			all = append(all, errorAt(key, "keep one of them", "%q stands twice", key.Value))
			continue
		}
		seen = append(seen, key.Value)
		if err := read(value); err != nil {
			all = append(all, err)
		}
	}
	return errors.Join(all...)
}

// words reads a string.
func words(into *string) field {
	return func(node *yaml.Node) error {
		if node.Kind != yaml.ScalarNode {
			return errorAt(node, "", "one value is needed here, not a list or a mapping")
		}
		*into = node.Value
		return nil
	}
}

// texts reads a list of strings.
func texts(into *[]string) field {
	return func(node *yaml.Node) error {
		return sequence(node, func(item *yaml.Node) error {
			var one string
			if err := words(&one)(item); err != nil {
				return err
			}
			*into = append(*into, one)
			return nil
		})
	}
}

// decode reads one value of the type of into: a string, a number or a bool.
func decode(into any) field {
	return func(node *yaml.Node) error {
		wanted := map[reflect.Kind]string{reflect.Bool: "true or false", reflect.Int: "a whole number"}[reflect.TypeOf(into).Elem().Kind()]
		if wanted == "" {
			wanted = "a text"
		}
		if node.Kind != yaml.ScalarNode {
			return errorAt(node, "write "+wanted, "one value is needed here, not a list or a mapping")
		}
		if err := node.Decode(into); err != nil {
			return errorAt(node, "write "+wanted, "%q is not %s", node.Value, wanted)
		}
		return nil
	}
}

// duration reads a time span such as 30m; it is more than none.
func duration(into *time.Duration) field {
	return func(node *yaml.Node) error {
		parsed, err := time.ParseDuration(node.Value)
		if err != nil || parsed <= 0 {
			return errorAt(node, "write it like 30m", "%q is not a duration", node.Value)
		}
		*into = parsed
		return nil
	}
}

// at keeps the line of a value beside reading it.
func at(line *int, read field) field {
	return func(node *yaml.Node) error {
		*line = node.Line
		return read(node)
	}
}

func sequence(node *yaml.Node, each func(item *yaml.Node) error) error {
	if node.Kind != yaml.SequenceNode {
		return errorAt(node, "begin each line with a dash", "a list is needed here")
	}
	var all []error
	for _, item := range node.Content {
		if err := each(item); err != nil {
			all = append(all, err)
		}
	}
	return errors.Join(all...)
}

// asJSON turns a node into JSON.
func asJSON(node *yaml.Node) (json.RawMessage, error) {
	var value any
	if err := node.Decode(&value); err != nil {
		return nil, errorAt(node, "", "%v", err)
	}
	raw, err := json.Marshal(value)
	if err != nil {
		return nil, errorAt(node, "keys must be strings", "%v", err)
	}
	return raw, nil
}

// structure reads a mapping into a flat struct by its yaml tags; unknown keys
// are errors.
func structure(into any) field {
	return func(node *yaml.Node) error {
		fields := map[string]field{}
		value := reflect.ValueOf(into).Elem()
		for i := range value.NumField() {
			name, _, _ := strings.Cut(value.Type().Field(i).Tag.Get("yaml"), ",")
			fields[name] = decode(value.Field(i).Addr().Interface())
		}
		return mapping(node, fields)
	}
}
