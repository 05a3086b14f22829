package runbooks_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"redis-session-bot/internal/evidence"
)

var update = flag.Bool("update", false, "write testdata/ways.golden anew")

// TestTheWayOutOfEveryRecord: for everything that was recorded from a real
// cluster the runbook offers a change, or says what a person does.
func TestTheWayOutOfEveryRecord(t *testing.T) {
	book := load(t)
	folders, err := filepath.Glob("testdata/bundles/*")
	if err != nil || len(folders) < 60 {
		t.Fatalf("%d bundles: %v", len(folders), err)
	}
	var b strings.Builder
	for _, folder := range folders {
		bundle, err := evidence.Open(folder)
		if err != nil {
			t.Fatal(err)
		}
		e := evidence.Read(bundle, book.Target)
		verdict := book.Judge(e)
		if len(verdict.Causes) == 0 {
			t.Errorf("%s: no cause", folder)
			continue
		}
		cause := verdict.Causes[0]
		fmt.Fprintf(&b, "%s\n", filepath.Base(folder))
		offers := book.Offers(cause.Scenario, e)
		for _, fix := range offers {
			proposal, err := book.Propose(fix.Ref, e, nil)
			if err != nil {
				t.Errorf("%s: %s: %v", folder, fix.Ref, err)
			}
			fmt.Fprintf(&b, "  plan: %s\n", fix.Action)
			for _, change := range proposal.Changes {
				fmt.Fprintf(&b, "    %s %s\n", change.Kind, change.Args)
			}
			for _, warning := range proposal.Warnings {
				fmt.Fprintf(&b, "    warning: %s\n", warning)
			}
		}
		if len(offers) > 0 {
			continue
		}
		for _, line := range cause.ByHand {
			fmt.Fprintf(&b, "  by hand: %s\n", line)
			if strings.Contains(strings.ReplaceAll(line, "'{range $key, $value", ""), "${") {
				t.Errorf("%s: a line could not be filled in: %s", folder, line)
			}
		}
		if len(cause.ByHand) == 0 {
			t.Errorf("%s: %s: nothing is offered and nothing is said", folder, cause.Scenario)
		}
	}
	golden := filepath.Join("testdata", "ways.golden")
	if *update {
		if err := os.WriteFile(golden, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), b.String()); diff != "" {
		t.Errorf("go test ./runbooks -run WayOut -update\n%s", diff)
	}
}
