package runbook_test

import (
	"flag"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"

	"redis-session-bot/internal/runbook"
)

var update = flag.Bool("update", false, "write what is said now into testdata")

// TestLintSaysWhatIsWrong holds what lint says to each mistake: all of it, in
// the order of the lines.
func TestLintSaysWhatIsWrong(t *testing.T) {
	const file = "testdata/lint.txtar"
	archive, err := txtar.ParseFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i+1 < len(archive.Files); i += 2 {
		document, says := archive.Files[i], &archive.Files[i+1]
		t.Run(strings.TrimSuffix(document.Name, ".md"), func(t *testing.T) {
			got := said(runbook.Load("x.md", document.Data, vocabulary()))
			if *update {
				says.Data = []byte(got)
			} else if diff := cmp.Diff(string(says.Data), got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
	if *update {
		if err := os.WriteFile(file, txtar.Format(archive), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// said is what lint prints of a document.
func said(book *runbook.Runbook, err error) string {
	var lines strings.Builder
	problems := runbook.AsProblems(err)
	if err == nil {
		problems = book.Doubts
		lines.WriteString("good\n")
	}
	for _, problem := range problems {
		lines.WriteString(problem.String() + "\n")
	}
	return lines.String()
}
