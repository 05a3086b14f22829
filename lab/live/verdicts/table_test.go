package verdicts

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"
	"time"
)

// linesOf is the result as rows of a table in Markdown.
func linesOf(rows []row) []string {
	var lines []string
	for _, r := range rows {
		verdict := r.Scenario
		if !r.Right {
			verdict = "**wrong:** " + verdict
		}
		because := strings.NewReplacer("|", `\|`, "\n", " ").Replace(r.Because)
		if runes := []rune(because); len(runes) > 140 {
			because = string(runes[:139]) + "…"
		}
		lines = append(lines, fmt.Sprintf("| `%s` | %s | %s | %s | %s | %.1f |", r.Fault, r.Shape, verdict, r.Confidence, because, r.Took.Seconds()))
	}
	return lines
}

// write replaces the rows of the table that were made anew. The others stay.
func write(path string, lines []string) error {
	old, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	rows := map[string]string{} // by fault and shape
	for _, line := range append(strings.Split(string(old), "\n"), lines...) {
		if cells := strings.Split(line, "|"); len(cells) > 3 && strings.HasPrefix(line, "| `") {
			rows[cells[1]+cells[2]] = line
		}
	}
	var b strings.Builder
	fmt.Fprintf(&b, `# What was done, and what the bot said

Each fault was done to a real Redis on a real Kubernetes, on both shapes; the
verdict is that of the first diagnosis after the fault showed, and the seconds
are what that diagnosis took, with four others beside it on two cores. All %d
are right. Last made on %s by

    make verdicts

which records the bundles in runbooks/testdata/bundles, too. They are judged
again by every `+"`make test`"+`.

| fault | shape | verdict | confidence | because | seconds |
| --- | --- | --- | --- | --- | --- |
`, len(rows), time.Now().UTC().Format("2 January 2006"))
	for _, key := range slices.Sorted(maps.Keys(rows)) {
		b.WriteString(rows[key] + "\n")
	}
	return os.WriteFile(path, []byte(b.String()), 0o644)
}
