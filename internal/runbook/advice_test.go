package runbook_test

import (
	"slices"
	"strings"
	"testing"

	"redis-session-bot/internal/evidence"
	"redis-session-bot/internal/runbook"
)

// TestAdvice: a line is given where its condition holds, filled in; what is not
// known is empty for a condition.
func TestAdvice(t *testing.T) {
	const always = `"Look at ${target.workload}."`
	document := front + step + scenario(`id: down
signs: [{when: at == at, says: it is down, weight: strong}]
byHand:
  - `+always+`
  - {when: size(pods) > 0, says: "Look at ${pods[0].name}, which has ${json(pods[0].labels)}."}
  - {when: size(pods) == 0, says: There is none.}
  - {when: '!("nodes" in unknown) && size(nodes) == 0', says: There is no node.}
  - {when: "pods[7].ready", says: This line fails.}`) + verification
	book, err := runbook.Load("x.md", []byte(document), vocabulary())
	if err != nil {
		t.Fatal(err)
	}
	e := evidence.Evidence{Target: book.Target, Pods: []evidence.Pod{{Name: "p-1", Labels: map[string]string{"app": "x"}}}, Unknown: map[string]string{"nodes": "not read"}}
	if got := book.Judge(e).Causes[0].ByHand; !slices.Equal(got, []string{"Look at w.", `Look at p-1, which has {"app":"x"}.`}) {
		t.Errorf("%q", got)
	}
	e.Pods, e.Unknown = nil, nil
	if got := book.Judge(e).Causes[0].ByHand; !slices.Equal(got, []string{"Look at w.", "There is none.", "There is no node."}) {
		t.Errorf("%q", got)
	}
	for wrong, says := range map[string]string{
		`{when: size(pods) > 0}`:                  "says not what to do",
		`{when: size(pods), says: x}`:             "gives int, not bool",
		`{when: size(pods) > 0, say: x}`:          `unknown key "say"`,
		`{when: size(pods) > 0, says: "${podz}"}`: `no variable "podz"`,
	} {
		_, err := runbook.Load("x.md", []byte(strings.Replace(document, always, wrong, 1)), vocabulary())
		if err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v", wrong, err)
		}
	}
}
