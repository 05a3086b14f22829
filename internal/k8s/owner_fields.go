package k8s

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// fieldPath is where a value stands in an object. An entry of a list that has a
// name is written [name]; a list without names is one value.
type fieldPath []string

// fieldReplicas is the number of pods of a workload.
var fieldReplicas = fieldPath{"spec", "replicas"}

// changedFields are the values that a plan changes in an object, but for the
// time of a restart: a restart has done its work when that is taken away again.
func changedFields(base, want any) []fieldPath {
	all := differences(contentOf(base), contentOf(want), nil)
	return slices.DeleteFunc(all, func(field fieldPath) bool { return field[len(field)-1] == restartedAt })
}

// contentOf is what a write may change in an object, as JSON has it.
func contentOf(object any) any {
	var content any
	switch o := object.(type) {
	case *appsv1.Deployment:
		content = &struct {
			Spec *appsv1.DeploymentSpec `json:"spec"`
		}{&o.Spec}
	case *appsv1.StatefulSet:
		content = &struct {
			Spec *appsv1.StatefulSetSpec `json:"spec"`
		}{&o.Spec}
	case *corev1.ConfigMap:
		content = &struct {
			Data       map[string]string `json:"data"`
			BinaryData map[string][]byte `json:"binaryData"`
		}{o.Data, o.BinaryData}
	case *corev1.Secret:
		content = &struct {
			Data map[string][]byte `json:"data"`
		}{o.Data}
	case *corev1.Service:
		content = &struct {
			Spec *corev1.ServiceSpec `json:"spec"`
		}{&o.Spec}
	default:
		return nil
	}
	fields, err := runtime.DefaultUnstructuredConverter.ToUnstructured(content)
	if err != nil {
		return nil // only types of the API get here, and they convert
	}
	return fields
}

// differences walks two values side by side. One that is not there is nil.
func differences(a, b any, at fieldPath) []fieldPath {
	if reflect.DeepEqual(a, b) {
		return nil
	}
	left, right := children(a), children(b)
	if left == nil && right == nil || a != nil && left == nil || b != nil && right == nil {
		return []fieldPath{slices.Clone(at)}
	}
	var names []string
	for _, side := range []map[string]any{left, right} {
		for name := range side {
			if !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	slices.Sort(names)
	var all []fieldPath
	for _, name := range names {
		all = append(all, differences(left[name], right[name], append(slices.Clone(at), name))...)
	}
	return all
}

// children are the fields of a value, or the entries of a list by their names;
// nil for a value that has neither.
func children(value any) map[string]any {
	switch v := value.(type) {
	case map[string]any:
		return v
	case []any:
		named := map[string]any{}
		for _, item := range v {
			entry, _ := item.(map[string]any)
			name, ok := entry["name"].(string)
			if !ok || named["["+name+"]"] != nil { // a name that stands twice tells nothing
				return nil
			}
			named["["+name+"]"] = entry
		}
		if len(named) > 0 {
			return named
		}
	}
	return nil
}

// sets reports whether a field manager's fields hold that path, or a value that
// it is a part of.
func sets(fields *metav1.FieldsV1, path fieldPath) bool {
	var tree map[string]any
	if err := json.Unmarshal(fields.GetRawBytes(), &tree); err != nil {
		return false
	}
	return within(tree, path)
}

func within(tree map[string]any, path fieldPath) bool {
	if len(tree) == 0 || len(path) == 0 {
		return true
	}
	name, listed := strings.CutPrefix(path[0], "[")
	if !listed {
		child, ok := tree["f:"+path[0]].(map[string]any)
		return ok && within(child, path[1:])
	}
	name = strings.TrimSuffix(name, "]")
	for key, child := range tree {
		keys, ok := strings.CutPrefix(key, "k:")
		if !ok {
			continue
		}
		var by map[string]any
		if err := json.Unmarshal([]byte(keys), &by); err != nil {
			continue
		}
		if named, ok := by["name"]; ok && named != name {
			continue // a list that goes by something else is not told apart here
		}
		if below, ok := child.(map[string]any); ok && within(below, path[1:]) {
			return true
		}
	}
	return false
}

// fieldsText names fields for people, the first two of many.
func fieldsText(fields []fieldPath) string {
	var words []string
	for _, field := range fields[:min(len(fields), 2)] {
		words = append(words, field.String())
	}
	if more := len(fields) - len(words); more == 1 {
		words = append(words, "1 more field")
	} else if more > 1 {
		words = append(words, fmt.Sprintf("%d more fields", more))
	}
	return andText(words)
}

// andText is a, b and c.
func andText(words []string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:len(words)-1], ", ") + " and " + words[len(words)-1]
}

// String is how people name a field: replicas, redis.conf, image of redis.
func (f fieldPath) String() string {
	rest, of := f, ""
	for len(rest) > 1 && slices.Contains([]string{"spec", "template", "metadata", "data"}, rest[0]) {
		rest = rest[1:]
	}
	if len(rest) > 2 && strings.HasSuffix(strings.ToLower(rest[0]), "containers") {
		of, rest = " of "+strings.Trim(rest[1], "[]"), rest[2:]
	}
	return strings.ReplaceAll(strings.ReplaceAll(strings.Join(rest, "."), "[", ""), "]", "") + of
}
