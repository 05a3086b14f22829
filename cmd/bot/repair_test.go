package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"redis-session-bot/internal/checks"
	"redis-session-bot/internal/evidence"
	"redis-session-bot/internal/incident"
	"redis-session-bot/internal/incident/incidenttest"
	"redis-session-bot/internal/runbook"
	"redis-session-bot/internal/store/memory"
	"redis-session-bot/internal/terminal"
)

var queueBook = incidenttest.Runbook{Scenarios: `### Broken
` + "```yaml" + `
id: broken
signs:
  - when: pods.exists(p, !p.ready)
    says: ${pods[0].name} is not ready
    weight: decisive
fixes:
  - action: give it more
    inputs:
      - {id: limit, label: Memory limit, value: 1Gi}
    require:
      - that: bytes_of(input.limit) >= bytes_of("1Gi")
        says: "${input.limit} is too little"
    changes:
      - mend: {limit: "${input.limit}"}
  - id: empty
    action: start empty
    caution: every message in it is gone
    changes:
      - mend: {}
` + "```" + `
### Slow
` + "```yaml\nid: slow\nsigns:\n  - when: size(pods) > 9\n    says: many\n    weight: strong\naction: hurry\nfix:\n  - mend: {}\n```" + `
`}

// queue is a cluster whose one pod is broken until a write mends it.
type queue struct {
	mu     sync.Mutex
	down   bool // nobody can ask it
	mended bool
	idle   bool // a write does not mend it
	fails  error
	dryRun string
	sent   int
	empty  bool // what puts it back brings it back empty
}

func (c *queue) Look(evidence.Target) incident.Look { return c }

func (c *queue) Check(context.Context, string) (evidence.Bundle, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.down {
		return evidence.Bundle{}, errors.New("connection refused")
	}
	return incidenttest.Seen(c.mended), nil
}

func (c *queue) Prepare(_ context.Context, wanted incident.Wanted) (incident.Prepared, error) {
	wanted.Progress("asking")
	holds := incident.Untold()
	if c.empty && c.sent > 0 {
		holds.After = 0
	}
	return incident.Prepared{Holds: holds, Writes: []incident.Write{{Verb: incident.Update, Object: incident.Object{Kind: "Queue", Name: "queue"},
		Changes: wanted.Changes, Title: fmt.Sprintf("mend queue %s", wanted.Changes[0].Args), Diff: "-old\n+new\n", Await: incident.Rollout,
		DryRun: c.dryRun, Undo: []runbook.Change{{Kind: "mend", Args: json.RawMessage(`{}`)}}}}}, nil
}

func (c *queue) Unchanged(context.Context, evidence.Target, []incident.Write) error { return nil }

func (c *queue) Apply(context.Context, evidence.Target, incident.Write, incident.Actor) (string, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.fails != nil {
		return "", c.fails
	}
	c.sent++
	c.mended = !c.idle
	return "", nil
}

func (c *queue) Settle(_ context.Context, _ evidence.Target, _ incident.Write, progress func(string)) ([]string, error) {
	progress("1 of 1 new pods ready")
	return []string{"1 pod"}, nil
}

func (c *queue) Arrived(context.Context, evidence.Target, incident.Write) (bool, string, error) {
	return false, "", nil
}

// TestRepair plays a repair from a terminal: what is typed, what is told, the
// exit code, and how many writes were sent.
func TestRepair(t *testing.T) {
	for name, test := range map[string]struct {
		ref     string
		set     map[string]string
		typed   string // "" where nobody can be asked
		yes     bool
		dryRun  bool
		cluster *queue
		code    int
		says    []string
		sent    int
	}{
		"a typed yes": {ref: "broken", typed: "yes\n", sent: 1,
			says: []string{"Broken — certain", `mend queue {"limit":"1Gi"}`, "    +new", "Type yes to apply it:", "1 pod", "Fixed at", "it is ready"}},
		"another value":        {ref: "broken", set: map[string]string{"limit": "2Gi"}, typed: "yes\n", says: []string{`mend queue {"limit":"2Gi"}`}, sent: 1},
		"a value that is bad":  {ref: "broken", set: map[string]string{"limit": "1Mi"}, typed: "yes\n", code: exitUsage, says: []string{"1Mi is too little. Give other values with --set limit=…"}},
		"no such value":        {ref: "broken", set: map[string]string{"limits": "2Gi"}, typed: "yes\n", code: exitUsage, says: []string{"--set limits: broken has no such value; it has: limit"}},
		"anything but yes":     {ref: "broken", typed: "y\n", code: exitProblem, says: []string{"not applied: that was not yes"}},
		"an empty line":        {ref: "broken", typed: "\n", code: exitProblem, says: []string{"not yes"}},
		"nobody to ask":        {ref: "broken", code: exitUsage, says: []string{"there is no terminal. Give --yes"}},
		"consent beforehand":   {ref: "broken", yes: true, says: []string{"Fixed at"}, sent: 1},
		"only looking":         {ref: "broken", dryRun: true, says: []string{"Plan 1 · give it more"}},
		"the dry run refuses":  {ref: "broken", typed: "yes\n", cluster: &queue{dryRun: "it is immutable"}, code: exitProblem, says: []string{"the API server refuses it: it is immutable"}},
		"data loss, by name":   {ref: "broken/empty", typed: "queue\n", says: []string{"Data loss: every message in it is gone.", "Type queue to apply it:", "Fixed at"}, sent: 1},
		"data loss, by yes":    {ref: "broken/empty", typed: "yes\n", code: exitProblem, says: []string{"This is not queue"}},
		"data loss, --yes":     {ref: "broken/empty", yes: true, code: exitUsage, says: []string{"this plan loses data"}},
		"data loss, both":      {ref: "broken/empty", yes: true, typed: "no\n", code: exitProblem, says: []string{"This is not queue"}},
		"another cause":        {ref: "slow", dryRun: true, says: []string{`Mind: the evidence does not speak for "Slow"`}},
		"the write is refused": {ref: "broken", typed: "yes\n", cluster: &queue{fails: &incident.Refusal{Says: "Pods is forbidden."}}, code: exitProblem, says: []string{"Nothing was changed: Pods is forbidden."}},
		"it does not help":     {ref: "broken", typed: "yes\nleave it\n", cluster: &queue{idle: true}, code: exitProblem, says: []string{"Applied, but not fixed.", "it is not ready", "Type undo"}, sent: 1},
		"it is put back":       {ref: "broken", typed: "yes\nundo\n", cluster: &queue{idle: true}, code: exitProblem, says: []string{"undo plan 1 · applied"}, sent: 2},
		"put back, by yes":     {ref: "broken", typed: "yes\nundo\nyes\n", cluster: &queue{idle: true, empty: true}, code: exitProblem, says: []string{"Data loss: it comes back empty.", "This is not queue"}, sent: 1},
		"put back, by name":    {ref: "broken", typed: "yes\nundo\nqueue\n", cluster: &queue{idle: true, empty: true}, code: exitProblem, says: []string{"undo plan 1 · applied"}, sent: 2},
		"no API server":        {ref: "broken", typed: "yes\n", cluster: &queue{down: true}, code: exitNoCluster, says: []string{"shop/queue could not be read: connection refused"}},
	} {
		t.Run(name, func(t *testing.T) {
			cluster := test.cluster
			if cluster == nil {
				cluster = &queue{}
			}
			if cluster.dryRun == "" {
				cluster.dryRun = incident.DryRunAccepted
			}
			var out bytes.Buffer
			r := repairOf(t, cluster, &out)
			r.in, r.asks, r.yes, r.dryRun = strings.NewReader(test.typed), test.typed != "", test.yes, test.dryRun
			err := r.run(t.Context(), test.ref, test.set)
			r.service.Wait()
			if code := report(err); code != test.code {
				t.Errorf("exit %d, want %d: %v", code, test.code, err)
			}
			text := out.String()
			if err != nil {
				text += err.Error()
			}
			for _, want := range test.says {
				if !strings.Contains(text, want) {
					t.Errorf("nobody reads %q in:\n%s", want, text)
				}
			}
			if cluster.sent != test.sent {
				t.Errorf("%d writes, want %d", cluster.sent, test.sent)
			}
		})
	}
}

func repairOf(t *testing.T, cluster *queue, out *bytes.Buffer) *repair {
	t.Helper()
	actor := incident.Actor{ID: "ada@desk", Name: "ada@desk"}
	book := queueBook.Load(t)
	s := &incident.Service{Runbooks: map[string]*runbook.Runbook{"queue": book}, Checks: checks.Named(), Cluster: cluster, Store: &memory.Store{}, Roles: owner{actor},
		Kubectl: func(evidence.Target, evidence.Workload, string) []string { return nil }, Log: slog.New(slog.DiscardHandler), Background: t.Context(), Now: time.Now,
		Limits: incident.Limits{Step: time.Second, Prepare: time.Second, PlanValid: time.Minute, Settle: time.Second, Undone: time.Second, Verify: 20 * time.Millisecond, Poll: time.Millisecond}}
	r := newRepair(s, book, book.Target, actor)
	r.out = terminal.Terminal{Out: out}
	return r
}

// TestVerify holds the cluster against the verification, and changes nothing.
func TestVerify(t *testing.T) {
	for name, test := range map[string]struct {
		mended bool
		code   int
		says   string
	}{
		"well":     {true, 0, "Verified."},
		"not well": {false, exitProblem, "Not all of it holds."},
	} {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			cluster := &queue{mended: test.mended}
			if code := report(repairOf(t, cluster, &out).verify(t.Context())); code != test.code || !strings.Contains(out.String(), test.says) || cluster.sent != 0 {
				t.Errorf("exit %d, %d writes:\n%s", code, cluster.sent, out.String())
			}
		})
	}
}

// TestCommandLinesOfFixes: what cannot be meant ends before anything is asked.
func TestCommandLinesOfFixes(t *testing.T) {
	for name, args := range map[string][]string{
		"no fix":          {"fix"},
		"no such fix":     {"fix", "moon"},
		"no such target":  {"fix", "config-error", "moon", "--yes"},
		"no terminal":     {"fix", "config-error"},
		"no such measure": {"moon", "landing"},
	} {
		t.Run(name, func(t *testing.T) {
			if code, output := bot(t, args...); code != exitUsage {
				t.Errorf("exit %d:\n%s", code, output)
			}
		})
	}
}
