package runbook_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"testing"
	"time"

	"redis-session-bot/internal/audit"
	"redis-session-bot/internal/checks"
	"redis-session-bot/internal/evidence"
	"redis-session-bot/internal/runbook"
	"redis-session-bot/runbooks"
)

// defaultBook is the compiled-in runbook; its changes take any arguments, so
// that no cluster's client is compiled into the fuzzing.
func defaultBook(t testing.TB) *runbook.Runbook {
	t.Helper()
	vocabulary := runbook.Vocabulary{Audits: []string{audit.Redis}, Checks: map[string][]string{}, Changes: map[string]func(json.RawMessage) error{}}
	for _, check := range checks.All() {
		vocabulary.Checks[check.Name] = check.Fields
	}
	for _, item := range listItem.FindAllSubmatch(runbooks.Default, -1) { // every change is one
		vocabulary.Changes[string(item[1])] = func(json.RawMessage) error { return nil }
	}
	book, err := runbook.Load(runbooks.DefaultName, runbooks.Default, vocabulary)
	if err != nil {
		t.Fatal(err)
	}
	return book
}

// listItem is a key that begins an item of a YAML list.
var listItem = regexp.MustCompile(`(?m)^ +- ([a-z]+(?:-[a-z]+)*):`)

// FuzzSigns judges evidence of any shape. It is judged the same way twice;
// every cause that is named has a sign that speaks for it; what is not known
// is never a verdict, and never passes the verification.
func FuzzSigns(f *testing.F) {
	seeds, err := filepath.Glob("testdata/evidence/*.json")
	if err != nil || len(seeds) == 0 {
		f.Fatalf("no seeds: %v", err)
	}
	for _, name := range seeds {
		data, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Add([]byte(`{}`))
	f.Add([]byte(`{"pods":[{}],"logs":[{"lines":[""]}],"failing":[{}],"redis":[{}],"reach":[{}],"claims":[{}],"revisions":[{}],"nodes":[{}],"usage":[{}],"endpoints":[{}],"events":[{}],"heard":[{}]}`))
	f.Add([]byte(`{"at":"9999-12-31T23:59:59Z","pods":[{"createdAt":"0001-01-01T00:00:00Z","containers":[{"memory":9223372036854775807,"lastExit":{"finishedAt":"0001-01-01T00:00:00Z"}}]}],"config":{"memory":-9223372036854775808}}`))
	book := defaultBook(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		var seen evidence.Evidence
		if json.Unmarshal(data, &seen) != nil {
			return
		}
		verdict := book.Judge(seen)
		if again := book.Judge(seen); !reflect.DeepEqual(verdict, again) {
			t.Errorf("two verdicts: %+v, %+v", verdict, again)
		}
		for _, cause := range verdict.Causes {
			if len(cause.Because) == 0 {
				t.Errorf("%s is named, and nothing speaks for it", cause.Scenario)
			}
		}
		for _, scenario := range book.Scenarios {
			for _, fix := range book.Offers(scenario.ID, seen) {
				proposal, err := book.Propose(fix.Ref, seen, nil)
				if err == nil && len(proposal.Changes) != len(fix.Changes) {
					t.Errorf("%s: %d changes of %d", fix.Ref, len(proposal.Changes), len(fix.Changes))
				}
			}
		}
		book.Verify(seen, time.Time{}, -1)
		nothingKnown(t, book, seen)
	})
}

// nothingKnown judges the same evidence as not read at all.
func nothingKnown(t *testing.T, book *runbook.Runbook, seen evidence.Evidence) {
	seen.Unknown = map[string]string{}
	fields := reflect.TypeOf(seen)
	for i := range fields.NumField() {
		if name := fields.Field(i).Tag.Get("json"); name != "at" && name != "target" && name != "unknown" {
			seen.Unknown[name] = "not read"
		}
	}
	if verdict := book.Judge(seen); len(verdict.Causes) > 0 {
		t.Errorf("nothing is known, and the cause is %+v", verdict.Causes[0])
	}
	for _, outcome := range book.Verify(seen, time.Time{}, -1) {
		if outcome.OK {
			t.Errorf("nothing is known, and %q holds", outcome.Says)
		}
	}
}

// TestAnExpressionThatFailsSaysNothing judges signs that cannot be worked out:
// for want of a first pod, of a number in a text, and of an end.
func TestAnExpressionThatFailsSaysNothing(t *testing.T) {
	endless := "[0,1,2,3,4,5,6,7,8,9]"
	endless = fmt.Sprintf("%[1]s.all(a, %[1]s.all(b, %[1]s.all(c, %[1]s.all(d, %[1]s.all(e, %[1]s.all(f, %[1]s.all(g, a + b + c + d + e + f + g + size(pods) >= 0)))))))", endless)
	for _, when := range []string{"pods[0].ready || pods[0].name == ''", "int(target.workload) >= 0", endless} {
		for _, weight := range []runbook.Weight{runbook.Decisive, runbook.Impossible, runbook.Against} {
			if when == endless && weight != runbook.Impossible {
				continue // it takes its time until the limit stops it
			}
			document := front + step + scenario("id: down\nbyHand: [look]\nsigns:\n"+
				fmt.Sprintf("  - {when: %q, says: it fails, weight: %s}\n", when, weight)+
				"  - {when: size(pods) == 0, says: it has no pod, weight: strong}") +
				"## Verification\n### Ready\n```yaml\n" + fmt.Sprintf("id: ready\ncheck: pods\nexpect: %q\nsays: it runs\notherwise: it does not run\n```\n", when)
			book, err := runbook.Load("x.md", []byte(document), vocabulary())
			if err != nil {
				t.Fatal(err)
			}
			began := time.Now()
			seen := evidence.Evidence{Target: evidence.Target{Workload: "queue"}}
			verdict := book.Judge(seen)
			if len(verdict.Causes) != 1 || verdict.Causes[0].Confidence != runbook.Likely || len(verdict.Causes[0].Because) != 1 || verdict.Causes[0].Against != nil {
				t.Errorf("%.40s as %s: %+v", when, weight, verdict)
			}
			if outcome := book.Verify(seen, time.Time{}, -1)[0]; outcome.OK {
				t.Errorf("%.40s holds: %+v", when, outcome)
			}
			if took := time.Since(began); took > 30*time.Second {
				t.Errorf("%.40s took %s", when, took)
			}
		}
	}
}
