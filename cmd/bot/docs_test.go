package main

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"redis-session-bot/internal/checks"
	"redis-session-bot/internal/evidence"
	"redis-session-bot/internal/runbook"
)

var update = flag.Bool("update", false, "write the generated parts of docs/runbooks.md anew")

const docs = "../../docs/runbooks.md"

// example cuts the runbook out of the docs.
var example = regexp.MustCompile("(?s)\n````markdown\n(.*?)\n````\n")

// TestDocsAreWhatTheBotDoes holds the generated parts of docs/runbooks.md: the
// lists of what a runbook may name, and what the bot says of the example.
func TestDocsAreWhatTheBotDoes(t *testing.T) {
	path, err := filepath.Abs(docs)
	if err != nil {
		t.Fatal(err)
	}
	written, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	parts := map[string]string{"checks": checkList(), "changes": changeList(t, "../../internal/k8s"), "evidence": evidenceList(t, "../../internal/evidence")}
	parts["lint"], parts["diagnose"] = tryExample(t, written)
	want := string(written)
	for name, part := range parts {
		begin, end := "<!-- "+name+" -->\n", "<!-- end -->"
		before, rest, found := strings.Cut(want, begin)
		_, after, closed := strings.Cut(rest, end)
		if !found || !closed {
			t.Fatalf("the docs have no part %q", name)
		}
		want = before + begin + "\n" + part + "\n" + end + after
	}
	if *update {
		if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(want, string(written)); diff != "" {
		t.Errorf("docs/runbooks.md is stale: go test ./cmd/bot -run TestDocs -update\n-want +got:\n%s", diff)
	}
}

// tryExample lints the example and judges its bundle with the commands that
// the docs name, and gives both as the reader would see them.
func tryExample(t *testing.T, written []byte) (lint, diagnose string) {
	t.Helper()
	bundle, err := filepath.Abs("testdata/queue")
	if err != nil {
		t.Fatal(err)
	}
	match := example.FindSubmatch(written)
	if match == nil {
		t.Fatal("the docs have no example")
	}
	t.Chdir(t.TempDir())
	if err := os.WriteFile("queue.md", append(match[1], '\n'), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS("bundle", os.DirFS(bundle)); err != nil {
		t.Fatal(err)
	}
	code, output := run(t, "lint", "queue.md")
	if code != 0 {
		t.Fatalf("the example: %s", output)
	}
	lint = console("bot lint queue.md", output)
	code, output = run(t, "diagnose", "--runbook", "queue.md", "--from", "bundle")
	if code != exitProblem {
		t.Fatalf("the example's bundle: exit %d\n%s", code, output)
	}
	steps, rest, _ := strings.Cut(output, "\n\n")
	verdict, _, _ := strings.Cut(rest, "\n\n") // what follows is each step at length
	return lint, console("bot diagnose --runbook queue.md --from bundle", steps+"\n\n"+verdict+"\n…")
}

func console(command, output string) string {
	lines := strings.Split(strings.TrimRight(output, "\n"), "\n")
	for i := range lines {
		lines[i] = strings.TrimRight(lines[i], " ")
	}
	return "```console\n$ " + command + "\n" + strings.Join(lines, "\n") + "\n```\n"
}

// run runs a command line in the present folder.
func run(t *testing.T, args ...string) (int, string) {
	t.Helper()
	var out bytes.Buffer
	cmd := root()
	cmd.SetArgs(args)
	cmd.SetOut(&out)
	cmd.SetErr(&out)
	return report(cmd.ExecuteContext(t.Context())), out.String()
}

// TestTheExampleProposesItsFix drafts the plan of the example in the docs.
func TestTheExampleProposesItsFix(t *testing.T) {
	written, err := os.ReadFile(docs)
	if err != nil {
		t.Fatal(err)
	}
	book, err := runbook.Load("queue.md", append(example.FindSubmatch(written)[1], '\n'), vocabulary())
	if err != nil {
		t.Fatal(err)
	}
	bundle, err := evidence.Open("testdata/queue")
	if err != nil {
		t.Fatal(err)
	}
	seen := evidence.Read(bundle, book.Target)
	verdict := book.Judge(seen)
	if len(verdict.Causes) != 2 || verdict.Causes[0].Scenario != "out-of-memory" || verdict.Causes[0].Confidence != runbook.Certain || verdict.Causes[1].Confidence != runbook.Possible {
		t.Errorf("verdict: %+v", verdict)
	}
	proposal, err := book.Propose("out-of-memory", seen, nil)
	if err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprintf("%s %s", proposal.Changes[0].Kind, proposal.Changes[0].Args); got != `set-resources {"container":"rabbitmq","limits":{"memory":"1Gi"}}` {
		t.Errorf("fix: %s", got)
	}
	if outcomes := book.Verify(seen, seen.At, -1); len(outcomes) != 1 || outcomes[0].OK || outcomes[0].Says != "a pod is not ready" {
		t.Errorf("verification: %+v", outcomes)
	}
}

func checkList() string {
	var b strings.Builder
	b.WriteString("| check | reads | fills |\n| --- | --- | --- |\n")
	for _, check := range checks.All() {
		fmt.Fprintf(&b, "| `%s` | %s | `%s` |\n", check.Name, check.Says, strings.Join(check.Fields, "`, `"))
	}
	return b.String()
}
