package runbook

import (
	"encoding/json"
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
	"google.golang.org/protobuf/types/known/structpb"

	"redis-session-bot/internal/evidence"
)

// language is CEL with the fields of evidence.Evidence as variables, typed by
// their Go structs, and a few functions for log lines.
type language struct {
	env   *cel.Env
	names []string            // the variables, sorted
	bound map[string][]string // names that a scenario gave itself, with the evidence fields behind each
	later []string            // names that the scenario gives itself somewhere
	loose bool                // a bound name has no type, because its own expression is wrong
	used  map[string]bool     // the bound names that an expression named; shared by what bind returns
}

// condition is a compiled CEL expression of type bool, or any type inside a template.
type condition struct {
	program  cel.Program
	reads    []string  // the evidence fields that it looks at
	result   *cel.Type // what it gives
	constant ref.Val   // its value where the evidence cannot change it, else nil
}

// costLimit bounds one evaluation: a document cannot hang the bot.
const costLimit = 2_000_000

// constantLimit bounds the look for a constant; what takes longer is none.
const constantLimit = 10_000

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
		cel.Variable("promised", cel.IntType),
		cel.Function("lines",
			cel.Overload("lines_logs_regex", []*cel.Type{cel.ListType(cel.ObjectType("evidence.Log")), cel.StringType}, cel.ListType(cel.StringType),
				cel.BinaryBinding(linesMatching))),
		cel.Function("first",
			cel.Overload("first_string", []*cel.Type{cel.ListType(cel.StringType)}, cel.StringType,
				cel.UnaryBinding(firstOf))),
		freshFunction(),
		cel.Function("bytes_text",
			cel.Overload("bytes_text_int", []*cel.Type{cel.IntType}, cel.StringType, cel.UnaryBinding(bytesText))),
		cel.Function("age_text",
			cel.Overload("age_text_duration", []*cel.Type{cel.DurationType}, cel.StringType, cel.UnaryBinding(ageText))),
		cel.Function("bytes_of",
			cel.Overload("bytes_of_string", []*cel.Type{cel.StringType}, cel.IntType, cel.UnaryBinding(bytesOf))),
		cel.Function("json",
			cel.Overload("json_dyn", []*cel.Type{cel.DynType}, cel.StringType, cel.UnaryBinding(jsonText))),
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
	line    int
	program condition
}

// scope is the language inside one scenario, which gives the names later.
func (l *language) scope(later []string) *language {
	return &language{env: l.env, names: l.names, bound: map[string][]string{}, later: later, used: map[string]bool{}}
}

// bind compiles an expression and gives it a name; the language that it
// returns knows the name, even where the expression is wrong: what uses the
// name is not wrong for that.
func (l *language) bind(name, source string) (*language, binding, error) {
	if slices.Contains(l.variables(), name) {
		return l, binding{}, fmt.Errorf("the name %q is taken", name)
	}
	program, wrong := l.compile(source, nil)
	if wrong != nil {
		program.result = cel.DynType
	}
	env, err := l.env.Extend(cel.Variable(name, program.result))
	if err != nil {
		return l, binding{}, fmt.Errorf("%q: %w", name, err)
	}
	bound := maps.Clone(l.bound)
	bound[name] = append([]string{}, program.reads...)
	return &language{env: env, names: l.names, bound: bound, later: l.later, used: l.used, loose: l.loose || wrong != nil}, binding{name: name, program: program}, wrong
}

// extend is the language with one variable more, which is no evidence.
func (l *language) extend(variable cel.EnvOption, name string) (*language, error) {
	env, err := l.env.Extend(variable)
	if err != nil {
		return nil, fmt.Errorf("%q: %w", name, err)
	}
	bound := map[string][]string{name: {}}
	maps.Copy(bound, l.bound)
	used := l.used
	if used == nil {
		used = map[string]bool{}
	}
	return &language{env: env, names: l.names, bound: bound, later: l.later, used: used, loose: l.loose}, nil
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

// compile checks an expression; want is the type that it must have, nil for
// any. Its error is made of lineErrors, with lines within the expression.
func (l *language) compile(source string, want *cel.Type) (condition, error) {
	parsed, issues := l.env.Parse(source)
	if issues.Err() != nil {
		return condition{}, l.explain(nil, issues)
	}
	l.use(parsed)
	checked, issues := l.env.Check(parsed)
	if issues.Err() != nil {
		return condition{}, l.explain(parsed, issues)
	}
	if err := badPattern(checked); err != nil {
		return condition{}, err
	}
	result := checked.OutputType()
	if want != nil && !result.IsExactType(want) && !(l.loose && result.IsExactType(cel.DynType)) {
		return condition{}, fmt.Errorf("%q gives %s, not %s", source, spelt(result.String()), want)
	}
	program, err := l.env.Program(checked, cel.CostLimit(costLimit), cel.EvalOptions(cel.OptOptimize))
	if err != nil {
		return condition{}, fmt.Errorf("%q: %w", source, err)
	}
	constant, err := l.constant(checked)
	if err != nil {
		return condition{}, fmt.Errorf("%q: %w", source, err)
	}
	return condition{program: program, reads: l.reads(checked), result: result, constant: constant}, nil
}

// constant evaluates an expression with nothing known: what has a value even
// then has it whatever the evidence says. nil when it depends on the evidence.
func (l *language) constant(checked *cel.Ast) (ref.Val, error) {
	program, err := l.env.Program(checked, cel.CostLimit(constantLimit), cel.EvalOptions(cel.OptPartialEval))
	if err != nil {
		return nil, err
	}
	value, _, err := program.Eval(l.env.UnknownVars())
	if err != nil || types.IsUnknownOrError(value) {
		return nil, nil
	}
	return value, nil
}

// use notes the scenario's own names that an expression names.
func (l *language) use(parsed *cel.Ast) {
	ast.PreOrderVisit(parsed.NativeRep().Expr(), ast.NewExprVisitor(func(e ast.Expr) {
		if e.Kind() == ast.IdentKind && l.bound[e.AsIdent()] != nil {
			l.used[e.AsIdent()] = true
		}
	}))
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

// didYouMean names the nearest of the known words, or all of them.
func didYouMean(wrong string, known []string) string {
	if guess := closest(wrong, known); guess != "" {
		return fmt.Sprintf("did you mean %q?", guess)
	}
	return "there is " + strings.Join(known, ", ")
}

// closest is the nearest of the known words, "" when none is near.
func closest(wrong string, known []string) string {
	best, distance := "", len(wrong)/2+1
	for _, word := range known {
		if d := levenshtein.ComputeDistance(wrong, word); d < distance {
			best, distance = word, d
		}
	}
	return best
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

// jsonText writes a value as JSON, for a command line that takes some.
func jsonText(value ref.Val) ref.Val {
	native, err := value.ConvertToNative(reflect.TypeFor[*structpb.Value]())
	if err != nil {
		return types.NewErr("json: %v", err)
	}
	data, err := json.Marshal(native.(*structpb.Value).AsInterface())
	if err != nil {
		return types.NewErr("json: %v", err)
	}
	return types.String(data)
}

// bytesText writes a number of bytes as people read it: 512Mi, 1.5Gi.
func bytesText(value ref.Val) ref.Val {
	n, ok := value.Value().(int64)
	if !ok {
		return types.NewErr("bytes_text: not a number")
	}
	return types.String(evidence.Bytes(n))
}

// ageText writes how long ago something was, as people say it.
func ageText(value ref.Val) ref.Val {
	age, ok := value.Value().(time.Duration)
	if !ok {
		return types.NewErr("age_text: not a duration")
	}
	return types.String(evidence.Age(age))
}

// bytesOf reads an amount of memory, as Kubernetes (1.5Gi, 512M) or a
// configuration file (1024mb, 1gb) writes it.
func bytesOf(value ref.Val) ref.Val {
	text, ok := value.Value().(string)
	if !ok {
		return types.NewErr("bytes_of: not a text")
	}
	n, ok := evidence.ParseBytes(text)
	if !ok {
		return types.NewErr("%q is not an amount of memory, such as 1.5Gi or 1024mb", text)
	}
	return types.Int(n)
}
