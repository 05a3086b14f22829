package runbook

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"sort"
	"strings"

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

// field reads one key of a mapping.
type field func(node *yaml.Node) error

// mapping hands every key of a node to its reader. An unknown key and a key
// that stands twice are errors, with the nearest known one.
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
	for i := 0; i+1 < len(node.Content); i += 2 {
		key, value := node.Content[i], node.Content[i+1]
		read, ok := fields[key.Value]
		if !ok {
			return errorAt(key, didYouMean(key.Value, known), "unknown key %q", key.Value)
		}
		if slices.Contains(seen, key.Value) {
			return errorAt(key, "keep one of them", "%q stands twice", key.Value)
		}
		seen = append(seen, key.Value)
		if err := read(value); err != nil {
			return err
		}
	}
	return nil
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

// decode reads anything that yaml itself can decode.
func decode(into any) field {
	return func(node *yaml.Node) error {
		if err := node.Decode(into); err != nil {
			return errorAt(node, "", "%v", err)
		}
		return nil
	}
}

func sequence(node *yaml.Node, each func(item *yaml.Node) error) error {
	if node.Kind != yaml.SequenceNode {
		return errorAt(node, "begin each line with a dash", "a list is needed here")
	}
	for _, item := range node.Content {
		if err := each(item); err != nil {
			return err
		}
	}
	return nil
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
