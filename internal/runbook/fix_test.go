package runbook_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"redis-session-bot/internal/evidence"
	"redis-session-bot/internal/runbook"
)

const choices = front + step + `## Scenarios
### Down
` + "```yaml" + `
id: down
let:
  first: pods[0]
signs:
  - when: size(pods) > 0
    says: it is down
    weight: strong
fixes:
  - action: give it more
    caution: "${first.name} restarts with ${input.limit}"
    inputs:
      - {id: limit, label: Memory limit, hint: "such as 1.5Gi", value: "${bytes_text(size(pods) * 1048576)}"}
      - {id: cache, label: Cache, value: 512kb}
    require:
      - that: bytes_of(input.limit) >= bytes_of(input.cache) * 2
        says: "${input.limit} is less than twice ${input.cache}"
    changes:
      - restart: {limit: "${input.limit}", pod: "${first.name}"}
  - id: back
    action: go back
    when: size(revisions) > 1
    debt: the old revision runs
    changes:
      - restart: {}
` + "```" + `
## Measures
### Roll back
> [!WARNING]
> Only the template comes back.
` + "```yaml\nid: rollback\naction: roll back\nchanges:\n  - restart: {}\n```" + `
## Verification
### Kept
` + "```yaml\nid: kept\ncheck: pods\nexpect: promised < 0 || size(pods) >= promised\nsays: kept ${promised}\notherwise: fewer than ${promised}\n```\n"

func TestProposeAFix(t *testing.T) {
	book, err := runbook.Load("x.md", []byte(choices), vocabulary())
	if err != nil {
		t.Fatal(err)
	}
	seen := evidence.Evidence{Pods: []evidence.Pod{{Name: "queue-0"}}, Unknown: map[string]string{"revisions": "not read"}}

	refs := func(e evidence.Evidence) (refs []string) {
		for _, fix := range book.Offers("down", e) {
			refs = append(refs, fix.Ref)
		}
		return refs
	}
	if diff := cmp.Diff([]string{"down", "down/back"}, refs(seen)); diff != "" {
		t.Errorf("offered while the revisions are not known: %s", diff)
	}
	if diff := cmp.Diff([]string{"down"}, refs(evidence.Evidence{Pods: seen.Pods})); diff != "" {
		t.Errorf("offered with no revision: %s", diff)
	}

	for name, test := range map[string]struct {
		ref     string
		answers map[string]string
		args    string
		caution string
		bad     string
	}{
		"as the evidence proposes": {ref: "down", args: `{"limit":"1Mi","pod":"queue-0"}`, caution: "queue-0 restarts with 1Mi"},
		"as a person answers":      {ref: "down", answers: map[string]string{"limit": "2Gi"}, args: `{"limit":"2Gi","pod":"queue-0"}`, caution: "queue-0 restarts with 2Gi"},
		"against a rule":           {ref: "down", answers: map[string]string{"limit": "512Ki"}, bad: "512Ki is less than twice 512kb"},
		"not an amount":            {ref: "down", answers: map[string]string{"limit": "much"}, bad: `much is less than twice 512kb: "much" is not an amount of memory, such as 1.5Gi or 1024mb`},
		"a second way":             {ref: "down/back", args: `{}`},
		"a measure":                {ref: "rollback", args: `{}`},
	} {
		t.Run(name, func(t *testing.T) {
			proposal, err := book.Propose(test.ref, seen, test.answers)
			var bad *runbook.BadInput
			if test.bad != "" {
				if !errors.As(err, &bad) || bad.Says != test.bad || len(proposal.Inputs) != 2 {
					t.Errorf("%v, %+v", err, proposal.Inputs)
				}
				return
			}
			if err != nil || len(proposal.Changes) != 1 || string(proposal.Changes[0].Args) != test.args {
				t.Fatalf("%v, %+v", err, proposal.Changes)
			}
			if test.caution != "" && !cmp.Equal(proposal.Cautions, []string{test.caution}) {
				t.Errorf("cautions: %q", proposal.Cautions)
			}
		})
	}
	if _, err := book.Propose("down/none", seen, nil); err == nil {
		t.Error("a fix that does not exist was proposed")
	}
	if fix, ok := book.Fix("rollback"); !ok || fix.Title != "Roll back" || !cmp.Equal(fix.Warnings, []string{"Only the template comes back."}) {
		t.Errorf("the measure: %+v", fix)
	}
	if fix, ok := book.Fix("down/back"); !ok || fix.Debt != "the old revision runs" {
		t.Errorf("the second way: %+v", fix)
	}
}

// TestWhatAnInputOffers: the answers to choose from are the evidence's; there
// are none where it does not tell.
func TestWhatAnInputOffers(t *testing.T) {
	const from = `"${size(revisions) > 5 ? 'newest' : '0'}"`
	const offers = "'revisions.map(r, [string(r.number), \"%d · %s ago\".format([r.number, duration_text(at - r.at)]), r.cause])'"
	document := strings.Replace(choices, "action: roll back\n", "action: roll back\ninputs:\n  - {id: revision, label: Revision, value: "+from+", options: "+offers+"}\n", 1)
	book, err := runbook.Load("x.md", []byte(document), vocabulary())
	if err != nil {
		t.Fatal(err)
	}
	at := time.Date(2026, 1, 2, 3, 0, 0, 0, time.UTC)
	seen := evidence.Evidence{At: at, Revisions: []evidence.Revision{{Number: 2, At: at.Add(-3 * time.Hour), Cause: "a new image"}, {Number: 1, At: at.Add(-96 * time.Hour)}}}
	unknown := seen
	unknown.Unknown = map[string]string{"revisions": "not read"}
	for name, test := range map[string]struct {
		seen evidence.Evidence
		want []runbook.Option
	}{
		"two revisions": {seen, []runbook.Option{{Value: "2", Label: "2 · 3 h ago", Note: "a new image"}, {Value: "1", Label: "1 · 4 days ago"}}},
		"not known":     {unknown, nil},
	} {
		proposal, err := book.Propose("rollback", test.seen, nil)
		if err != nil || len(proposal.Inputs) != 1 || proposal.Inputs[0].Value != "0" {
			t.Fatalf("%s: %+v, %v", name, proposal.Inputs, err)
		}
		if diff := cmp.Diff(test.want, proposal.Inputs[0].Options); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
	if _, err := runbook.Load("x.md", []byte(strings.Replace(document, offers, "size(revisions)", 1)), vocabulary()); err == nil || !strings.Contains(err.Error(), "list(list(string))") {
		t.Errorf("a number of options: %v", err)
	}
}

func TestVerifyThePromise(t *testing.T) {
	book, err := runbook.Load("x.md", []byte(choices), vocabulary())
	if err != nil {
		t.Fatal(err)
	}
	seen := evidence.Evidence{Pods: []evidence.Pod{{}, {}}}
	for promised, want := range map[int64]runbook.Outcome{
		-1: {ID: "kept", OK: true, Says: "kept -1"},
		2:  {ID: "kept", OK: true, Says: "kept 2"},
		3:  {ID: "kept", Says: "fewer than 3"},
	} {
		if got := book.Verify(seen, seen.At, promised)[0]; got != want {
			t.Errorf("%d promised: %+v", promised, got)
		}
	}
}
