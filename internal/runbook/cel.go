package runbook

import (
	"errors"
	"fmt"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"sort"
	"strings"
	"time"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/ext"
	"github.com/agnivade/levenshtein"

	"redis-session-bot/internal/evidence"
)

// language is CEL with the fields of evidence.Evidence as variables, typed by
// their Go structs, and a few functions for log lines.
type language struct {
	env   *cel.Env
	names []string            // the variables, sorted
	bound map[string][]string // names that a scenario gave itself, with the evidence fields behind each
}

// condition is a compiled CEL expression of type bool, or any type inside a template.
type condition struct {
	program cel.Program
	reads   []string // the evidence fields that it looks at
}

// costLimit bounds one evaluation: a document cannot hang the bot.
const costLimit = 2_000_000

func newLanguage() (*language, error) {
	evidenceType := reflect.TypeFor[evidence.Evidence]()
	options := []cel.EnvOption{
		ext.NativeTypes(evidenceType, ext.ParseStructTag("json")),
		ext.Strings(),
		ext.Lists(),
		ext.Math(),
		ext.Sets(),
		ext.Bindings(),
		cel.OptionalTypes(),
		cel.Variable("since", cel.TimestampType),
		cel.Function("lines",
			cel.Overload("lines_logs_regex", []*cel.Type{cel.ListType(cel.ObjectType("evidence.Log")), cel.StringType}, cel.ListType(cel.StringType),
				cel.BinaryBinding(linesMatching))),
		cel.Function("first",
			cel.Overload("first_string", []*cel.Type{cel.ListType(cel.StringType)}, cel.StringType,
				cel.UnaryBinding(firstOf))),
		freshFunction(),
		cel.Function("bytes_text",
			cel.Overload("bytes_text_int", []*cel.Type{cel.IntType}, cel.StringType, cel.UnaryBinding(bytesText))),
	}
	lang := &language{}
	for i := range evidenceType.NumField() {
		field := evidenceType.Field(i)
		name := field.Tag.Get("json")
		celType, err := celTypeOf(field.Type)
		if err != nil {
			return nil, fmt.Errorf("evidence field %s: %w", name, err)
		}
		options = append(options, cel.Variable(name, celType))
		lang.names = append(lang.names, name)
	}
	sort.Strings(lang.names)
	env, err := cel.NewEnv(options...)
	if err != nil {
		return nil, fmt.Errorf("make the expression language: %w", err)
	}
	lang.env = env
	return lang, nil
}

// binding is a name that a scenario gives to an expression, to use it in its
// signs and sentences.
type binding struct {
	name    string
	program condition
}

// bind compiles an expression and gives it a name; the language that it
// returns knows the name.
func (l *language) bind(name, source string) (*language, binding, error) {
	if slices.Contains(l.names, name) || l.bound[name] != nil {
		return nil, binding{}, fmt.Errorf("the name %q is taken", name)
	}
	checked, issues := l.env.Compile(source)
	if err := issues.Err(); err != nil {
		return nil, binding{}, l.explain(err)
	}
	program, err := l.compile(source, nil)
	if err != nil {
		return nil, binding{}, err
	}
	env, err := l.env.Extend(cel.Variable(name, checked.OutputType()))
	if err != nil {
		return nil, binding{}, fmt.Errorf("%q: %w", name, err)
	}
	bound := maps.Clone(l.bound)
	if bound == nil {
		bound = map[string][]string{}
	}
	bound[name] = append([]string{}, program.reads...)
	return &language{env: env, names: l.names, bound: bound}, binding{name, program}, nil
}

func celTypeOf(t reflect.Type) (*cel.Type, error) {
	switch {
	case t == reflect.TypeFor[time.Time]():
		return cel.TimestampType, nil
	case t.Kind() == reflect.String:
		return cel.StringType, nil
	case t.Kind() == reflect.Bool:
		return cel.BoolType, nil
	case t.Kind() == reflect.Int64:
		return cel.IntType, nil
	case t.Kind() == reflect.Slice:
		element, err := celTypeOf(t.Elem())
		if err != nil {
			return nil, err
		}
		return cel.ListType(element), nil
	case t.Kind() == reflect.Map:
		element, err := celTypeOf(t.Elem())
		if err != nil {
			return nil, err
		}
		return cel.MapType(cel.StringType, element), nil
	case t.Kind() == reflect.Struct:
		return cel.ObjectType("evidence." + t.Name()), nil
	}
	return nil, fmt.Errorf("no expression type for %s", t)
}

// compile checks an expression; want is the type that it must have, nil for any.
func (l *language) compile(source string, want *cel.Type) (condition, error) {
	checked, issues := l.env.Compile(source)
	if err := issues.Err(); err != nil {
		return condition{}, l.explain(err)
	}
	if want != nil && !checked.OutputType().IsExactType(want) {
		return condition{}, fmt.Errorf("%q gives %s, not %s", source, checked.OutputType(), want)
	}
	program, err := l.env.Program(checked, cel.CostLimit(costLimit), cel.EvalOptions(cel.OptOptimize))
	if err != nil {
		return condition{}, fmt.Errorf("%q: %w", source, err)
	}
	return condition{program: program, reads: l.reads(checked)}, nil
}

// reads lists the evidence fields that an expression names.
func (l *language) reads(checked *cel.Ast) []string {
	seen := map[string]bool{}
	ast.PreOrderVisit(checked.NativeRep().Expr(), ast.NewExprVisitor(func(e ast.Expr) {
		if e.Kind() == ast.IdentKind {
			seen[e.AsIdent()] = true
		}
	}))
	for name, fields := range l.bound {
		for _, field := range fields {
			seen[field] = seen[field] || seen[name]
		}
	}
	var fields []string
	for _, name := range l.names {
		if seen[name] && name != "at" && name != "target" {
			fields = append(fields, name)
		}
	}
	return fields
}

var undeclared = regexp.MustCompile(`undeclared reference to '([^']+)'|undefined field '([^']+)'`)

// explain shortens CEL's error to its first line and adds the names that exist.
func (l *language) explain(err error) error {
	line, _, _ := strings.Cut(err.Error(), "\n")
	line = strings.TrimPrefix(line, "ERROR: <input>:")
	match := undeclared.FindStringSubmatch(line)
	if match == nil {
		return errors.New(line)
	}
	if wrong := match[1]; wrong != "" {
		return fmt.Errorf("%s; %s", line, didYouMean(wrong, l.names))
	}
	return fmt.Errorf("%s; %s", line, didYouMean(match[2], fieldNames(reflect.TypeFor[evidence.Evidence](), map[reflect.Type]bool{})))
}

// fieldNames lists the JSON names of a struct and all the structs below it.
func fieldNames(t reflect.Type, seen map[reflect.Type]bool) []string {
	for t.Kind() == reflect.Slice || t.Kind() == reflect.Map {
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct || t == reflect.TypeFor[time.Time]() || seen[t] {
		return nil
	}
	seen[t] = true
	var names []string
	for i := range t.NumField() {
		name, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ",")
		names = append(names, name)
		names = append(names, fieldNames(t.Field(i).Type, seen)...)
	}
	return names
}

// didYouMean names the nearest of the known words, or all of them.
func didYouMean(wrong string, known []string) string {
	best, distance := "", len(wrong)/2+1
	for _, word := range known {
		if d := levenshtein.ComputeDistance(wrong, word); d < distance {
			best, distance = word, d
		}
	}
	if best != "" {
		return fmt.Sprintf("did you mean %q?", best)
	}
	return "there is " + strings.Join(known, ", ")
}

// linesMatching gives the lines of all the logs that match, in order.
func linesMatching(logs, pattern ref.Val) ref.Val {
	expression, ok := pattern.Value().(string)
	if !ok {
		return types.NewErr("lines: the pattern is not a string")
	}
	re, err := regexp.Compile(expression)
	if err != nil {
		return types.NewErr("lines: %v", err)
	}
	native, err := logs.ConvertToNative(reflect.TypeFor[[]evidence.Log]())
	if err != nil {
		return types.NewErr("lines: %v", err)
	}
	found := []string{}
	for _, log := range native.([]evidence.Log) {
		for _, line := range log.Lines {
			if re.MatchString(line) {
				found = append(found, strings.TrimSpace(line))
			}
		}
	}
	return types.DefaultTypeAdapter.NativeToValue(found)
}

// firstOf gives the first string of a list, "" for an empty one.
func firstOf(list ref.Val) ref.Val {
	native, err := list.ConvertToNative(reflect.TypeFor[[]string]())
	if err != nil {
		return types.NewErr("first: %v", err)
	}
	if lines := native.([]string); len(lines) > 0 {
		return types.String(lines[0])
	}
	return types.String("")
}

// bytesText writes a number of bytes as people read it: 512Mi, 1.5Gi.
func bytesText(value ref.Val) ref.Val {
	n, ok := value.Value().(int64)
	if !ok {
		return types.NewErr("bytes_text: not a number")
	}
	return types.String(evidence.Bytes(n))
}
