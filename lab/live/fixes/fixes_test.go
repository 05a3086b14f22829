// Package fixes breaks a real store in every way that the lab knows, on both
// shapes, and mends it through Slack alone: diagnose, plan, apply, verified,
// and back again.
package fixes

import (
	"cmp"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"redis-session-bot/lab/faults"
	"redis-session-bot/lab/live"
	"redis-session-bot/lab/workload"
)

var record = flag.Bool("record", false, "write the table of docs/fixes.md")

// canary is every store's password: nothing that anybody sees may hold it.
const canary = "canary-fixes-52ab9e"

const (
	mostClicks = 4
	// mostBeside is how much longer than the cluster's own rollout a fix may take.
	mostBeside = 90 * time.Second
)

// TestMain tries more stores at once than there are cores: they mostly wait.
func TestMain(m *testing.M) {
	flag.Parse()
	if err := flag.Set("test.parallel", "4"); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}

// alone are the faults whose store has so little CPU that it gets none of it on a
// machine where others are being made.
var alone = []string{"slow-start"}

// TestFixes: for every fault on every shape the incident's message leads to
// the fix, or says what a person must do.
func TestFixes(t *testing.T) {
	var mu sync.Mutex
	var rows []row
	tried := 0
	try := func(t *testing.T, beside bool) {
		for _, fault := range faults.Names() {
			for _, shape := range workload.Shapes() {
				name := fault + " on " + shape
				if beside == slices.Contains(alone, fault) || testing.Short() && !slices.Contains(sample, name) {
					continue
				}
				tried++
				t.Run(name, func(t *testing.T) {
					if beside {
						t.Parallel()
					}
					one := mend(t, fault, shape)
					mu.Lock()
					defer mu.Unlock()
					rows = append(rows, one)
				})
			}
		}
	}
	t.Run("of", func(t *testing.T) { try(t, true) })
	t.Run("alone", func(t *testing.T) { try(t, false) })
	if testing.Short() && tried != len(sample) {
		t.Errorf("the sample names %d faults, %d of them exist", len(sample), tried)
	}
	slices.SortFunc(rows, func(a, b row) int { return strings.Compare(a.fault+a.shape, b.fault+b.shape) })
	t.Log("\n" + table(rows))
	if *record && !t.Failed() && len(rows) == tried { // a part of the table is none
		if err := os.WriteFile(filepath.Join("..", "..", "..", "docs", "fixes.md"), []byte(document(rows)), 0o644); err != nil {
			t.Error(err)
		}
	}
}

// mend breaks one store and mends it.
func mend(t *testing.T, fault, shape string) row {
	one := row{fault: fault, shape: shape}
	way, ok := wayOf(fault, shape)
	if !ok {
		t.Fatal("it has no way")
	}
	p := live.Admit(t, "fix-"+strings.ReplaceAll(fault, "/", "-")+"-"+shape[:6], shape, canary)
	if err := faults.Break(t.Context(), faults.Options{Kubeconfig: p.Admin, Namespace: p.Namespace}, fault); err != nil {
		t.Fatal(err)
	}
	before := p.Objects()
	r := p.Serve()
	hush(p, r)
	began := time.Now()
	r.Diagnose("U_RESPONDER")
	r.Press("U_RESPONDER", "Run all")
	one.clicks = 1
	r.Until("every step has run", 60*time.Second, func() bool { return r.Find("Run all again") != nil })
	if way.plan == "" {
		one.typed = byHand(p, r, way)
		return one
	}
	one.fix = way.plan
	applied := plan(t, r, way, &one)
	r.Until("the store is fixed", 5*time.Minute, func() bool { return strings.Contains(r.Seen(false), "Fixed at") })
	one.took = time.Since(began)
	one.rollout = max(0, p.Settled().Sub(applied)) // what rolls nothing out has settled before
	one.judge(t)
	if d, code, output := p.Diagnose(); d.Verdict.Scenario != cmp.Or(way.leaves, "healthy") {
		t.Errorf("after the fix: %s, exit %d\n%s", d.Verdict.Scenario, code, output)
	}
	if way.stays != "" {
		one.undo = "no: " + way.stays
		return one
	}
	undo(r)
	one.undo = "equal"
	if diff := gocmp.Diff(before, p.Objects()); diff != "" {
		one.undo = "**differs**"
		t.Errorf("after the undo the objects are not what they were (-before +after):\n%s", diff)
	}
	if way.again != "" {
		p.Becomes(way.again, 2*time.Minute)
		if way.again != "healthy" {
			one.undo = "equal, and as broken as before"
		}
	}
	return one
}

// hush holds at the end that no password, neither the first nor the one that the
// store has then, stands in what anybody has seen or in the log.
func hush(p *live.Patient, r *live.Room) {
	p.T.Cleanup(func() {
		told := r.Log.String()
		for _, user := range []string{"U_RESPONDER", "U_APPROVER", "U_SECOND"} {
			told += r.Transcript(user)
		}
		for _, secret := range []string{canary, p.Password()} {
			if secret != "" && strings.Contains(told, secret) {
				p.T.Error("a password stands in a message or in the log")
			}
		}
	})
}

// byHand holds that no button offers a change, and that the message says what
// to do; it types what the message gives, and looks whether that mends it.
func byHand(p *live.Patient, r *live.Room, way way) []string {
	p.T.Helper()
	if b := r.Find("Plan:"); b != nil {
		p.T.Errorf("a plan is offered: %s", b.Value)
	}
	if seen := r.Seen(false); !strings.Contains(seen, way.hands) {
		p.T.Fatalf("the message does not say %q:\n%s", way.hands, seen)
	}
	given, lines := r.Typed(), []string{}
	for _, begins := range way.runs {
		at := slices.IndexFunc(given, func(line string) bool { return strings.HasPrefix(line, begins) })
		if at < 0 {
			p.T.Fatalf("the message gives no command %q, but\n%s", begins, strings.Join(r.Typed(), "\n"))
		}
		lines, given = append(lines, given[at]), slices.Delete(given, at, at+1)
	}
	p.Type(lines...)
	p.Becomes(cmp.Or(way.leaves, "healthy"), 4*time.Minute)
	return lines
}

// plan presses the plan's button and applies it, and returns when that was.
func plan(t *testing.T, r *live.Room, way way, one *row) time.Time {
	r.Press("U_RESPONDER", "Plan: "+way.plan)
	apply := r.Wait("Apply")
	one.clicks += 2
	r.Click("U_APPROVER", apply, false)
	one.clicks++ // the confirmation, or the workload's name
	applied := time.Now()
	if way.typed {
		modal := r.WaitModal("U_APPROVER")
		if wrong := r.Submit("U_APPROVER", modal, "something else"); len(wrong) == 0 {
			t.Error("another word than the workload's name was taken")
		}
		if wrong := r.Submit("U_APPROVER", modal, workload.Redis); len(wrong) > 0 {
			t.Errorf("the workload's name was refused: %v", wrong)
		}
	}
	return applied
}

// undo puts the plan back. One that loses data waits for a second person, who
// types the workload's name.
func undo(r *live.Room) {
	r.Press("U_APPROVER", "Undo")
	undone := func() bool { return strings.Contains(r.Seen(true), "undo plan 1 · applied") }
	var apply *live.Button
	r.Until("the undo is applied or waits for somebody", 4*time.Minute, func() bool {
		apply = r.Find("Apply")
		return apply != nil || undone()
	})
	if apply != nil {
		r.Click("U_SECOND", *apply, false)
		modal := r.WaitModal("U_SECOND")
		if wrong := r.Submit("U_SECOND", modal, workload.Redis); len(wrong) > 0 {
			r.T.Errorf("the undo was refused: %v", wrong)
		}
	}
	r.Until("the plan is undone", 4*time.Minute, undone)
}

// row is one line of the table.
type row struct {
	fault, shape, fix, undo string
	typed                   []string // by hand, in place of a fix
	clicks                  int
	took, rollout           time.Duration
}

// judge holds a row against what it may cost.
func (r row) judge(t *testing.T) {
	if r.clicks > mostClicks {
		t.Errorf("%d clicks", r.clicks)
	}
	if beside := r.took - r.rollout; beside > mostBeside {
		t.Errorf("%s beside the %s of the rollout", beside.Round(time.Second), r.rollout.Round(time.Second))
	}
}

// table has the fixes behind a button first, and then what people type.
func table(rows []row) string {
	var b strings.Builder
	b.WriteString("| fault | shape | fix | clicks | seconds | of them the rollout | after the undo |\n| --- | --- | --- | --- | --- | --- | --- |\n")
	for _, r := range rows {
		if r.fix != "" {
			fmt.Fprintf(&b, "| `%s` | %s | %s | %d | %.0f | %.0f | %s |\n", r.fault, r.shape, r.fix, r.clicks, r.took.Seconds(), r.rollout.Seconds(), r.undo)
		}
	}
	b.WriteString("\nNo change is safe enough for a button here. The message gives these commands, and they were typed as they stand:\n\n| fault | shape | typed |\n| --- | --- | --- |\n")
	for _, r := range rows {
		if len(r.typed) > 0 {
			fmt.Fprintf(&b, "| `%s` | %s | %s |\n", r.fault, r.shape, strings.NewReplacer("|", `\|`).Replace("`"+strings.Join(r.typed, "`<br>`")+"`"))
		}
	}
	return b.String()
}
