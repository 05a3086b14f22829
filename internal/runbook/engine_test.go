package runbook_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// product are words of the one thing that the default runbook repairs.
var product = regexp.MustCompile(`(?i)redis|valkey|sentinel|aof|rdb|maxmemory|requirepass`)

// TestTheEngineKnowsNoProduct looks for a product's words in what the engine
// is made of: they belong into a document. Comments may name one as an example.
func TestTheEngineKnowsNoProduct(t *testing.T) {
	for _, dir := range []string{".", "../incident", "../commands"} {
		files, err := filepath.Glob(filepath.Join(dir, "*.go"))
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: no files, %v", dir, err)
		}
		for _, name := range files {
			if strings.HasSuffix(name, "_test.go") {
				continue
			}
			set := token.NewFileSet()
			file, err := parser.ParseFile(set, name, nil, parser.SkipObjectResolution)
			if err != nil {
				t.Fatal(err)
			}
			ast.Inspect(file, func(node ast.Node) bool {
				word := ""
				switch one := node.(type) {
				case *ast.ImportSpec:
					return false // the module's own name
				case *ast.Ident:
					word = one.Name
				case *ast.BasicLit:
					word = one.Value
				}
				if found := product.FindString(word); found != "" {
					t.Errorf("%s: %q in %s", set.Position(node.Pos()), found, word)
				}
				return true
			})
		}
	}
}
