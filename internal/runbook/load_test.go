package runbook_test

import (
	"encoding/json"
	"fmt"
	"testing"

	"redis-session-bot/internal/runbook"
)

// vocabulary knows two checks and two changes; tune refuses every argument.
func vocabulary() runbook.Vocabulary {
	return runbook.Vocabulary{
		Audits: []string{"mailbox"},
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

// TestTargetIn reads the front matter of a document that does not compile, too.
func TestTargetIn(t *testing.T) {
	for document, want := range map[string]string{
		front + step + scenario("id: down\n"+sign) + verification:         "n/w",
		"---\r\ntarget: {namespace: n, workload: w}\r\n---\r\n## Nothing": "n/w",
		"# no front matter": "/",
		"---\ntarget: [":    "/",
	} {
		if got := runbook.TargetIn([]byte(document)); got.Namespace+"/"+got.Workload != want {
			t.Errorf("%q: %s/%s", document, got.Namespace, got.Workload)
		}
	}
}
