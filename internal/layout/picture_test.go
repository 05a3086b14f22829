package layout

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "draw the picture in docs/architecture.md anew")

// architecture is the page that has the picture.
const architecture = "../../docs/architecture.md"

// layers are the rows of the picture, from the people down. What is not here is of
// tests.
var layers = []struct {
	title    string
	packages []string
}{
	{"where people are", []string{"internal/slack", "internal/terminal", "internal/alerts"}},
	{"what the bot says", []string{"internal/commands", "internal/report", "internal/picture", "internal/telemetry"}},
	{"what is decided", []string{"internal/incident", "internal/preflight"}},
	{"what is asked, and where it is kept", []string{"internal/k8s", "internal/redis", "internal/prometheus", "internal/page", "internal/store/memory", "internal/store/bolt", "internal/store/kube", "internal/chain", "internal/config"}},
	{"what is judged; pure", []string{"internal/runbook", "internal/checks", "internal/audit", "internal/standby", "internal/evidence", "internal/redisconf", "internal/redact"}},
}

// drawn is the picture in Mermaid's language, which GitHub draws. An arrow that
// others make longer is left out.
func drawn() string {
	var b strings.Builder
	b.WriteString("```mermaid\nflowchart TB\n")
	shown := map[string]bool{}
	for i, layer := range layers {
		fmt.Fprintf(&b, "  subgraph L%d[%q]\n", i, layer.title)
		for _, name := range layer.packages {
			shown[name] = true
			fmt.Fprintf(&b, "    %s[%s]\n", node(name), strings.TrimPrefix(name, "internal/"))
		}
		b.WriteString("  end\n")
	}
	for _, from := range slices.Sorted(maps.Keys(mayImport)) {
		for _, to := range slices.Sorted(slices.Values(mayImport[from])) {
			if shown[from] && shown[to] && !around(from, to) {
				fmt.Fprintf(&b, "  %s --> %s\n", node(from), node(to))
			}
		}
	}
	b.WriteString("```\n")
	return b.String()
}

func node(name string) string {
	return strings.ReplaceAll(strings.TrimPrefix(name, "internal/"), "/", "_")
}

// around reports whether another way leads from one package to another.
func around(from, to string) bool {
	return slices.ContainsFunc(mayImport[from], func(by string) bool { return by != to && leads(by, to) })
}

func leads(from, to string) bool {
	return from == to || slices.ContainsFunc(mayImport[from], func(by string) bool { return leads(by, to) })
}

// TestThePictureIsOfTheCode: the page has the picture that mayImport gives.
func TestThePictureIsOfTheCode(t *testing.T) {
	page, err := os.ReadFile(architecture)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, begins := strings.Cut(string(page), "```mermaid\n")
	_, after, ends := strings.Cut(rest, "\n```\n")
	if !begins || !ends {
		t.Fatal("the page has no picture")
	}
	want := before + drawn() + after
	if *update {
		if err := os.WriteFile(architecture, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if string(page) != want {
		t.Error("the picture is not that of the code: go test ./internal/layout -update")
	}
}
