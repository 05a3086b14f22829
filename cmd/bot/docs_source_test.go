package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// source is the declarations of a package, for lists that are made of its
// comments.
type source struct {
	structs   map[string]*ast.StructType
	docs      map[string]string // of the structs
	constants map[string]string
	functions map[string]*ast.FuncDecl
}

func parse(t *testing.T, dir string) source {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil || len(files) == 0 {
		t.Fatalf("%s: no files, %v", dir, err)
	}
	s := source{structs: map[string]*ast.StructType{}, docs: map[string]string{}, constants: map[string]string{}, functions: map[string]*ast.FuncDecl{}}
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		for _, declared := range file.Decls {
			s.add(declared)
		}
	}
	return s
}

func (s *source) add(declared ast.Decl) {
	if function, ok := declared.(*ast.FuncDecl); ok && function.Recv == nil {
		s.functions[function.Name.Name] = function
	}
	general, ok := declared.(*ast.GenDecl)
	if !ok {
		return
	}
	for _, spec := range general.Specs {
		switch one := spec.(type) {
		case *ast.TypeSpec:
			if fields, ok := one.Type.(*ast.StructType); ok {
				s.structs[one.Name.Name], s.docs[one.Name.Name] = fields, prose(general.Doc, one.Doc)
			}
		case *ast.ValueSpec:
			for i, value := range one.Values {
				if literal, ok := value.(*ast.BasicLit); ok && literal.Kind == token.STRING {
					s.constants[one.Names[i].Name], _ = strconv.Unquote(literal.Value)
				}
			}
		}
	}
}

// prose joins comments into one line.
func prose(groups ...*ast.CommentGroup) string {
	var all []string
	for _, group := range groups {
		all = append(all, strings.Fields(group.Text())...)
	}
	return strings.ReplaceAll(strings.Join(all, " "), "|", `\|`)
}

// row is one field of a struct as the lists show it.
type row struct{ name, kind, refers, says string }

// rows are the fields of a struct that have a JSON name.
func (s source) rows(name string) []row {
	var all []row
	for _, field := range s.structs[name].Fields.List {
		if field.Tag == nil {
			continue
		}
		tag, _ := strconv.Unquote(field.Tag.Value)
		key, _, _ := strings.Cut(reflect.StructTag(tag).Get("json"), ",")
		kind, refers := spoken(field.Type)
		all = append(all, row{key, kind, refers, prose(field.Doc, field.Comment)})
	}
	return all
}

// spoken says a Go type as an author meets it, and the struct in it.
func spoken(t ast.Expr) (kind, refers string) {
	switch one := t.(type) {
	case *ast.Ident:
		plain := map[string]string{"string": "text", "int64": "number", "int": "number", "int32": "number", "number": "number", "bool": "bool"}[one.Name]
		if plain == "" {
			return one.Name, one.Name
		}
		return plain, ""
	case *ast.StarExpr:
		kind, refers = spoken(one.X)
		return kind, refers
	case *ast.ArrayType:
		kind, refers = spoken(one.Elt)
		return "list of " + kind, refers
	case *ast.MapType:
		kind, refers = spoken(one.Value)
		return "map of name to " + kind, refers
	case *ast.SelectorExpr:
		return map[string]string{"Time": "time", "Number": "number"}[one.Sel.Name], ""
	}
	return "", ""
}

// meaning is what a struct is, without Go's "Name is".
func (s source) meaning(name string) string {
	return strings.TrimSuffix(strings.TrimPrefix(s.docs[name], name+" is "), ".")
}

// evidenceList is a table for Evidence and for each struct below it.
func evidenceList(t *testing.T, dir string) string {
	t.Helper()
	s := parse(t, dir)
	reached := []string{"Evidence"}
	for i := 0; i < len(reached); i++ {
		for _, one := range s.rows(reached[i]) {
			if one.refers != "" && !slices.Contains(reached, one.refers) {
				reached = append(reached, one.refers)
			}
		}
	}
	var b strings.Builder
	for _, name := range reached {
		if name != "Evidence" {
			meaning := s.meaning(name)
			fmt.Fprintf(&b, "\n### %s\n\n%s%s.\n\n", name, strings.ToUpper(meaning[:1]), meaning[1:])
		}
		b.WriteString("| field | type | meaning |\n| --- | --- | --- |\n")
		for _, one := range s.rows(name) {
			kind := one.kind
			if one.refers != "" {
				kind = strings.ReplaceAll(kind, one.refers, fmt.Sprintf("[%s](#%s)", one.refers, strings.ToLower(one.refers)))
				if one.says == "" {
					one.says = s.meaning(one.refers)
				}
			}
			fmt.Fprintf(&b, "| `%s` | %s | %s |\n", one.name, kind, one.says)
		}
	}
	return b.String()
}

// arguments are those of the changes, as an author needs them; "" for one that
// only the bot writes, to undo a change.
var arguments = map[string]string{
	"edit-redis-config set":         "directives to set, with their values",
	"edit-redis-config drop":        "directives to take out; `line`, from 1, tells which where one stands more than once",
	"edit-redis-config name":        "lines that get the directive `as` in place of theirs; named by `line` and `directive`, as in `drop`",
	"edit-redis-config only":        "directives that stay; every other line goes, but for comments and passwords",
	"edit-redis-config lines":       "",
	"edit-redis-config applied":     "`true`: take the whole file as `kubectl apply` last wrote it (the ConfigMap's annotation `kubectl.kubernetes.io/last-applied-configuration`); nothing else stands beside it",
	"keep-data with":                "`append-only`, `snapshot` or `volume`. Needed",
	"replicate host":                "",
	"replicate port":                "",
	"replicate was":                 "",
	"promote of":                    "",
	"keep-data saved":               "",
	"rotate-password at":            "",
	"repair-aof replicas":           "how many pods to come back with; without it as many as there are, and at least 1",
	"restart at":                    "",
	"restart clear":                 "",
	"restore-backup from":           "folder or file on the store's volume or on the target's `backup` claim; `snapshot` is the store's own, where it loads an append-only file; without it, or `newest`, the newest that loads",
	"restore-backup replicas":       "as of `repair-aof`",
	"restore-backup undo":           "",
	"roll-back revision":            "number of the revision; without it, the newest before the current that differs from it",
	"set-data-aside replicas":       "as of `repair-aof`",
	"set-replicas replicas":         "0 or more. Needed",
	"set-resources container":       "name of the container. Needed",
	"set-resources limits":          "`memory` and `cpu`, such as `1.5Gi` and `500m`; `null` takes one away",
	"set-resources requests":        "the same for what is asked of the node",
	"drop-container container":      "its name",
	"delete-pods pods":              "the pods; `uid` tells one from a later pod of the same name",
	"replace-volume emptyDir":       "`true`: the data goes with the pod",
	"replace-volume storageClass":   "a new claim of this class, which must exist",
	"replace-volume size":           "of the new claim, such as `1Gi`; the old one's without it",
	"replace-volume volume":         "name of the volume in the pod template; without it, the one that the store's container has at `/data`",
	"replace-volume claim":          "",
	"restart workload":              "another workload than the store's, such as the application",
	"set-config config":             "name of the ConfigMap; the application's without one",
	"set-config key":                "key in it. Needed",
	"set-config value":              "what to write there; `null` takes the key away",
	"set-probe container":           "name of the container. Needed",
	"set-probe probe":               "`liveness`, `readiness` or `startup`. Needed",
	"set-probe like":                "take over what another probe of the container asks",
	"set-probe command":             "run this; it fails when it exits with anything but 0",
	"set-probe port":                "open a connection to this port",
	"set-probe initialDelaySeconds": "seconds before the first try",
	"set-probe periodSeconds":       "seconds between two tries",
	"set-probe timeoutSeconds":      "seconds that one try may take",
	"set-probe failureThreshold":    "tries that must fail one after another",
	"set-probe remove":              "`true`: take the probe away",
	"set-probe whole":               "",
	"set-selector selector":         "the labels to select, in place of all that stand there; without them and a port, those that the workload selects its pods by",
	"set-selector port":             "port of the Service whose target is to be changed",
	"set-selector targetPort":       "the container's port, by number or name",
	"set-replicas workload":         "another workload than the store's",
}

var changeFunction = regexp.MustCompile(`^(\w+)Change$`)

// changeList is every change with its arguments, out of the source of dir: a
// change is a function xChange that returns one with the sentence says, and
// its arguments are the struct xArgs.
func changeList(t *testing.T, dir string) string {
	t.Helper()
	s := parse(t, dir)
	kinds := map[string]string{} // function -> kind
	ast.Inspect(s.functions["changes"], func(node ast.Node) bool {
		if pair, ok := node.(*ast.KeyValueExpr); ok {
			kinds[pair.Value.(*ast.CallExpr).Fun.(*ast.Ident).Name] = s.constants[pair.Key.(*ast.Ident).Name]
		}
		return true
	})
	var entries []string
	for function, kind := range kinds {
		says := ""
		ast.Inspect(s.functions[function], func(node ast.Node) bool {
			if pair, ok := node.(*ast.KeyValueExpr); ok && fmt.Sprint(pair.Key) == "says" {
				says, _ = strconv.Unquote(pair.Value.(*ast.BasicLit).Value)
			}
			return says == ""
		})
		args := changeFunction.FindStringSubmatch(function)[1] + "Args"
		if says == "" || s.structs[args] == nil {
			t.Fatalf("%s: no sentence, or no struct %s", function, args)
		}
		var b strings.Builder
		fmt.Fprintf(&b, "### %s\n\nIt %s.\n\n", kind, says)
		var rows []string
		for _, one := range s.rows(args) {
			meaning, known := arguments[kind+" "+one.name]
			if !known {
				t.Errorf("say in arguments what %s of %s means, or \"\" for one that only the bot writes", one.name, kind)
			}
			if meaning != "" {
				rows = append(rows, fmt.Sprintf("| `%s` | %s | %s |\n", one.name, strings.ReplaceAll(one.kind, one.refers, s.keysOf(one.refers)), meaning))
			}
		}
		if rows == nil {
			fmt.Fprintf(&b, "It takes no arguments: `%s: {}`.\n", kind)
		} else {
			b.WriteString("| argument | type | meaning |\n| --- | --- | --- |\n" + strings.Join(rows, ""))
		}
		entries = append(entries, b.String())
	}
	slices.Sort(entries)
	if len(entries) != len(vocabulary().Changes) {
		t.Errorf("%d changes are listed, there are %d", len(entries), len(vocabulary().Changes))
	}
	return strings.Join(entries, "\n")
}

// keysOf writes the keys of a struct: {line, directive}.
func (s source) keysOf(name string) string {
	if name == "" {
		return ""
	}
	var names []string
	for _, one := range s.rows(name) {
		names = append(names, "`"+one.name+"`")
	}
	return "{" + strings.Join(names, ", ") + "}"
}
