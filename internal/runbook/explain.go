package runbook

import (
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"time"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"

	"redis-session-bot/internal/evidence"
)

var (
	undeclared = regexp.MustCompile(`^undeclared reference to '([^']+)'`)
	undefined  = regexp.MustCompile(`^undefined field '([^']+)'`)
	unfit      = regexp.MustCompile(`^found no matching overload for '([^']+)' applied to '(.*)'$`)
)

// explain turns CEL's errors into what an author needs: what is wrong, and the
// names that exist. Each is a lineError with its line within the expression.
// parsed is nil where the expression could not be parsed.
func (l *language) explain(parsed *cel.Ast, issues *cel.Issues) error {
	nodes := map[int64]ast.Expr{}
	if parsed != nil {
		ast.PreOrderVisit(parsed.NativeRep().Expr(), ast.NewExprVisitor(func(e ast.Expr) { nodes[e.ID()] = e }))
	}
	owners := l.owners(parsed, issues, nodes)
	var all []error
	var said []string
	for _, one := range issues.Errors() {
		found := l.explainOne(one, nodes[one.ExprID], owners[one.ExprID])
		if slices.Contains(said, found.says) {
			continue
		}
		said, all = append(said, found.says), append(all, found)
		if parsed == nil {
			break // what follows a syntax error is noise
		}
	}
	return errors.Join(all...)
}

func (l *language) explainOne(one *common.Error, node ast.Expr, owner string) *lineError {
	found := &lineError{line: max(one.Location.Line(), 1)}
	call := node != nil && node.Kind() == ast.CallKind
	if match := undeclared.FindStringSubmatch(one.Message); match != nil && call {
		found.says, found.hint = fmt.Sprintf("there is no function %q", match[1]), didYouMean(match[1], l.functions())
	} else if match != nil && slices.Contains(l.later, match[1]) {
		found.says, found.hint = fmt.Sprintf("%q is used before it stands", match[1]), "move its let above"
	} else if match != nil {
		found.says, found.hint = fmt.Sprintf("there is no variable %q", match[1]), nearest(match[1], l.variables())
	} else if match := undefined.FindStringSubmatch(one.Message); match != nil {
		found.says = fmt.Sprintf("there is no field %q", match[1])
		if fields := fieldsOf(owner); fields != nil {
			found.says = fmt.Sprintf("%s has no field %q", strings.TrimPrefix(owner, "evidence."), match[1])
			found.hint = nearest(match[1], fields)
		}
	} else if match := unfit.FindStringSubmatch(one.Message); match != nil {
		found.says, found.hint = fmt.Sprintf("%s does not take %s", spoken(match[1]), spelt(match[2])), l.takes(match[1])
	} else {
		says, _, _ := strings.Cut(one.Message, " expecting ")
		found.says = fmt.Sprintf("%s, at character %d", says, one.Location.Column()+1)
	}
	return found
}

// owners finds the type that each undefined field was looked for in: with the
// field taken from dyn(…) instead the expression type-checks, and then the
// type of what stands before the dot is known.
func (l *language) owners(parsed *cel.Ast, issues *cel.Issues, nodes map[int64]ast.Expr) map[int64]string {
	factory, operands := ast.NewExprFactory(), map[int64]int64{}
	next := int64(1)
	for id := range nodes {
		next = max(next, id+1)
	}
	for _, one := range issues.Errors() {
		node := nodes[one.ExprID]
		if node == nil || node.Kind() != ast.SelectKind || !undefined.MatchString(one.Message) {
			continue
		}
		operand := factory.CopyExpr(node.AsSelect().Operand())
		operands[one.ExprID] = operand.ID()
		node.SetKindCase(factory.NewSelect(node.ID(), factory.NewCall(next, "dyn", operand), node.AsSelect().FieldName()))
		next++
	}
	if len(operands) == 0 {
		return nil
	}
	checked, again := l.env.Check(parsed)
	if again.Err() != nil {
		return nil // something else is wrong too, and is told beside it
	}
	owners := map[int64]string{}
	for field, operand := range operands {
		owners[field] = checked.NativeRep().GetType(operand).TypeName()
	}
	return owners
}

// nearest names the nearest of the known words, and then all of them.
func nearest(wrong string, known []string) string {
	guess, all := closest(wrong, known), "there is "+strings.Join(known, ", ")
	if guess == "" {
		return all
	}
	return fmt.Sprintf("did you mean %q? %s", guess, all)
}

// variables are the names that an expression may use here.
func (l *language) variables() []string {
	names := append(keys(l.bound), l.names...)
	return append(names, "since", "promised")
}

// functions are the functions and macros that have a name, not the operators.
func (l *language) functions() []string {
	var names []string
	for name := range l.env.Functions() {
		names = append(names, name)
	}
	for _, macro := range l.env.Macros() {
		names = append(names, macro.Function())
	}
	names = slices.DeleteFunc(names, func(name string) bool {
		return strings.ContainsAny(name, "_@!-") && !own(name) || slices.Contains([]string{"dyn", "optional.none", "optional.of"}, name)
	})
	slices.Sort(names)
	return slices.Compact(names)
}

// own reports whether a function is of this package, though its name looks like
// one of CEL's inner ones.
func own(function string) bool { return strings.HasSuffix(function, "_text") }

// takes lists what a function may be given, "" for an operator.
func (l *language) takes(function string) string {
	declared, ok := l.env.Functions()[function]
	if !ok || strings.ContainsAny(function, "_@!") && !own(function) {
		return ""
	}
	var forms []string
	for _, overload := range declared.OverloadDecls() {
		args := make([]string, len(overload.ArgTypes()))
		for i, arg := range overload.ArgTypes() {
			args[i] = spelt(arg.String())
		}
		if overload.IsMemberFunction() && len(args) > 0 {
			forms = append(forms, fmt.Sprintf("%s.%s(%s)", args[0], function, strings.Join(args[1:], ", ")))
			continue
		}
		forms = append(forms, fmt.Sprintf("%s(%s)", function, strings.Join(args, ", ")))
	}
	return "use " + strings.Join(forms, " or ")
}

// spoken is the sign that people write for CEL's name of an operator.
func spoken(function string) string {
	if sign, ok := operators.FindReverse(function); ok && sign != "" {
		return sign
	}
	return function
}

// spelt writes CEL types as the docs do.
func spelt(types string) string {
	return strings.NewReplacer("evidence.", "", "google.protobuf.Timestamp", "timestamp", "google.protobuf.Duration", "duration").Replace(types)
}

// fieldsOf lists the JSON names of an evidence struct; nil for another type.
func fieldsOf(celType string) []string {
	return structs(reflect.TypeFor[evidence.Evidence](), map[string][]string{})[celType]
}

// structs gives the field names of a struct and of all the structs below it,
// by the names that CEL has for them.
func structs(t reflect.Type, seen map[string][]string) map[string][]string {
	for t.Kind() == reflect.Slice || t.Kind() == reflect.Map {
		t = t.Elem()
	}
	name := t.String()
	if t.Kind() != reflect.Struct || t == reflect.TypeFor[time.Time]() || seen[name] != nil {
		return seen
	}
	for i := range t.NumField() {
		field, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ",")
		seen[name] = append(seen[name], field)
	}
	for i := range t.NumField() {
		structs(t.Field(i).Type, seen)
	}
	return seen
}

// badPattern finds a regular expression that stands in an expression and does
// not compile: at run time it would only be an error, which says nothing.
func badPattern(checked *cel.Ast) error {
	var bad error
	ast.PreOrderVisit(checked.NativeRep().Expr(), ast.NewExprVisitor(func(e ast.Expr) {
		if e.Kind() != ast.CallKind || bad != nil {
			return
		}
		name, args := e.AsCall().FunctionName(), e.AsCall().Args()
		if name != "matches" && name != "lines" || len(args) == 0 || args[len(args)-1].Kind() != ast.LiteralKind {
			return
		}
		pattern, ok := args[len(args)-1].AsLiteral().(types.String)
		if !ok {
			return
		}
		if _, err := regexp.Compile(string(pattern)); err != nil {
			bad = &lineError{line: 1, says: err.Error(), hint: "write it as Go's regexp does"}
		}
	}))
	return bad
}
