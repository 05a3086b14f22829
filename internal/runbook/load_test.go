package runbook_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"redis-session-bot/internal/runbook"
)

// vocabulary knows two checks and two changes; tune refuses every argument.
func vocabulary() runbook.Vocabulary {
	return runbook.Vocabulary{
		Checks: map[string][]string{"pods": {"pods"}, "logs": {"logs"}},
		Changes: map[string]func(json.RawMessage) error{
			"restart": func(json.RawMessage) error { return nil },
			"tune":    func(args json.RawMessage) error { return fmt.Errorf("unknown argument in %s", args) },
		},
	}
}

const front = "---\nalert: A\ncommand: a\ntarget: {namespace: n, workload: w}\n---\n# Title\n"

const step = "## Diagnosis\n### Pods\nLook.\n```yaml\nid: pods\ncheck: pods\n```\n"

const verification = "## Verification\n### Ready\n```yaml\nid: ready\ncheck: pods\nexpect: size(pods) > 0\nsays: yes\notherwise: no\n```\n"

// scenario wraps a yaml block.
func scenario(block string) string {
	return "## Scenarios\n### Down\nWhy.\n```yaml\n" + block + "\n```\n"
}

const sign = "signs: [{when: size(pods) == 0, says: no pod, weight: strong}]\n"

func TestLoadNamesFileLineAndHint(t *testing.T) {
	tests := map[string]struct {
		document string
		want     string // begins one of the problems
		hint     string
	}{
		"no front matter":           {"# Title\n", "x.md:1: no front matter", "begin with ---"},
		"front matter without end":  {"---\nalert: A\n", "x.md:1: the front matter does not end", ""},
		"unknown front matter key":  {"---\nalret: A\n---\n", `x.md:2: unknown key "alret"`, `did you mean "alert"?`},
		"unknown target key":        {"---\nalert: A\ntarget:\n  namspace: n\n---\n", `x.md:4: unknown key "namspace"`, `did you mean "namespace"?`},
		"no alert":                  {"---\ncommand: a\n---\n# T\n" + step, "x.md:1: the front matter names no alert", ""},
		"step without a block":      {front + "## Diagnosis\n### Pods\nLook.\n", `x.md:8: "Pods" has no yaml block`, ""},
		"unknown check":             {front + "## Diagnosis\n### Pods\n```yaml\nid: pods\ncheck: pod\n```\n", `x.md:11: unknown check "pod"`, `did you mean "pods"?`},
		"two blocks":                {front + step + "```yaml\nid: x\n```\n", `x.md:14: a second yaml block under "Pods"`, "```text"},
		"broken yaml":               {front + "## Diagnosis\n### Pods\n```yaml\nid: [\n```\n", "x.md:9:", ""},
		"a key twice":               {front + "## Diagnosis\n### Pods\n```yaml\nid: a\nid: b\n```\n", `x.md:11: "id" stands twice`, ""},
		"unknown weight":            {front + step + scenario("id: down\nsigns: [{when: \"true\", says: x, weight: heavy}]"), `x.md:19: unknown weight "heavy"`, "decisive"},
		"CEL that is no bool":       {front + step + scenario("id: down\nsigns: [{when: size(pods), says: x, weight: weak}]"), `x.md:19: "size(pods)" gives int, not bool`, ""},
		"CEL with an unknown name":  {front + step + scenario("id: down\nsigns: [{when: size(pod) > 0, says: x, weight: weak}]"), "x.md:19: 1:6: undeclared reference to 'pod'", ""},
		"CEL with an unknown field": {front + step + scenario("id: down\nsigns: [{when: 'pods.exists(p, p.redy)', says: x, weight: weak}]"), "x.md:19: 1:17: undefined field 'redy'; did you mean \"ready\"?", ""},
		"a sentence that is open":   {front + step + scenario("id: down\nsigns: [{when: \"true\", says: '${pods', weight: weak}]"), "x.md:19:", ""},
		"a sign that says nothing":  {front + step + scenario("id: down\nsigns: [{when: \"true\", weight: weak}]"), "x.md:19: the sign is not whole", ""},
		"unknown change":            {front + step + scenario("id: down\n"+sign+"action: a\nfix: [{restrat: {}}]"), `x.md:21: unknown change "restrat"`, `did you mean "restart"?`},
		"arguments refused":         {front + step + scenario("id: down\n"+sign+"action: a\nfix: [{tune: {a: 1}}]"), "x.md:21: tune: unknown argument", ""},
		"never chosen":              {front + step + scenario("id: down\nbyHand: [x]\nsigns: [{when: \"true\", says: x, weight: against}]"), `x.md:15: "down" can never be chosen`, ""},
		"no fix":                    {front + step + scenario("id: down\n"+sign), `x.md:15: "down" has no fix`, "byHand"},
		"fix without verification":  {front + step + scenario("id: down\n"+sign+"action: a\nfix: [{restart: {}}]"), `x.md:15: "down" has a fix that nothing verifies`, ""},
		"fix without an action":     {front + step + scenario("id: down\n"+sign+"fix: [{restart: {}}]") + verification, `x.md:15: "down" has a fix without a name for its button`, ""},
		"outranks nobody":           {front + step + scenario("id: down\n"+sign+"byHand: [x]\noutranks: [up]"), `x.md:15: "down" outranks "up", which does not exist`, ""},
		"an id twice":               {front + step + strings.TrimPrefix(step, "## Diagnosis\n"), `x.md:14: id "pods" is taken by line 8`, ""},
		"a name that is taken":      {front + step + scenario("id: down\nlet: {pods: size(pods)}\n"+sign), `x.md:19: pods: the name "pods" is taken`, ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := runbook.Load("x.md", []byte(test.document), vocabulary())
			problems := runbook.AsProblems(err)
			found := slices.ContainsFunc(problems, func(p runbook.Problem) bool {
				return strings.HasPrefix(p.String(), test.want) && strings.Contains(p.String(), test.hint)
			})
			if !found {
				t.Errorf("want %q with hint %q, got:\n%v", test.want, test.hint, err)
			}
		})
	}
}

func TestLoadAGoodDocument(t *testing.T) {
	document := front + step + scenario("id: down\nlet: {n: size(pods)}\nsigns: [{when: n == 0, says: \"${n} pods\", weight: strong}]\naction: restart it\nfix: [{restart: {}}]") + verification
	book, err := runbook.Load("x.md", []byte(document), vocabulary())
	if err != nil {
		t.Fatal(err)
	}
	if book.Title != "Title" || book.Alert != "A" || book.Target.Namespace != "n" || book.Steps[0].Prose != "Look." || len(book.Scenarios) != 1 {
		t.Errorf("%+v", book)
	}
}

func FuzzLoad(f *testing.F) {
	f.Add([]byte(front + step + scenario("id: down\n"+sign+"action: a\nfix: [{restart: {}}]") + verification))
	f.Add([]byte("---\n---\n## Scenarios\n### x\n```yaml\n- a\n```\n"))
	f.Fuzz(func(t *testing.T, source []byte) {
		book, err := runbook.Load("x.md", source, vocabulary())
		if (book == nil) == (err == nil) {
			t.Errorf("neither a runbook nor an error: %v", err)
		}
	})
}
