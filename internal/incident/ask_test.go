package incident_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"redis-session-bot/internal/checks"
	"redis-session-bot/internal/incident"
	"redis-session-bot/internal/runbook"
)

func TestAPersonPages(t *testing.T) {
	w := newTower(t)
	ctx := context.Background()
	w.refused(w.Page(ctx, w.id, eve, 0, "help"), "You may not.")
	errs := make(chan error, 2)
	for _, actor := range []incident.Actor{ada, bob} { // two who have seen the same
		go func() { errs <- w.Page(ctx, w.id, actor, 0, "The queue is down\nand I am alone.") }()
	}
	first, second := <-errs, <-errs
	if (first == nil) == (second == nil) {
		t.Fatalf("one of the two must be heard: %v, %v", first, second)
	}
	w.refused(errors.Join(first, second), "asked for it. Nobody was paged again.")
	w.Wait()
	w.heard("page", "", "")
	if got := w.duty.got[0]; got.Summary != "The queue is down" || got.Text != "The queue is down\nand I am alone." || got.By.ID == "" || got.Level != 1 || got.Who != "@oncall" {
		t.Errorf("the page: %+v", got)
	}
	w.must(w.Page(ctx, w.id, cy, 1, "")) // the level above
	w.Wait()
	if got := w.duty.got[1]; got.Level != 2 || !strings.HasPrefix(got.Text, got.Summary) || got.Summary == "" {
		t.Errorf("the next page: %+v", got)
	}
	w.minute(9) // with the second level comes the response
	w.heard("page, page ref-1", "", "respond")
	w.must(w.Close(ctx, w.id, ada))
	w.refused(w.Page(ctx, w.id, ada, 2, ""), "is closed. Nobody was paged.")
	w.Service.Escalation.Levels = nil
	w.refused(w.Page(ctx, w.id, ada, 2, ""), "no pager is configured")
}

// TestAPageOfWhatLooksWell belongs to a round of its own, which is not over.
func TestAPageOfWhatLooksWell(t *testing.T) {
	w := newTower(t)
	ctx := context.Background()
	w.cluster.mended = true
	w.must(w.RunAll(ctx, w.id, ada))
	w.Wait()
	inc := w.get(w.id)
	inc.Verdict.Causes[0].Confidence = runbook.Certain
	for n := range inc.Steps {
		inc.Steps[n].Status = checks.OK
	}
	_, err := w.Store.Update(ctx, inc)
	w.must(err)
	if inc = w.minute(40); inc.Escalation.Over.IsZero() {
		t.Fatalf("all is well, and somebody is needed: %+v", inc.Verdict)
	}
	w.must(w.Page(ctx, w.id, ada, 0, "I do not trust it."))
	w.Wait()
	w.minute(41)
	w.heard("page", "", "")
}

func TestResponseIsInvokedOnce(t *testing.T) {
	w := newTower(t)
	ctx := context.Background()
	w.refused(w.Respond(ctx, w.id, eve, ""), "You may not.")
	w.crisis.set(func(r *receiver) { r.fails = errors.New("no answer") })
	w.must(w.Respond(ctx, w.id, ada, "Users cannot sign in."))
	w.Wait()
	w.refused(w.Respond(ctx, w.id, bob, ""), "was invoked at 03:00 UTC already: Ada asked for it")
	w.crisis.set(func(r *receiver) { r.fails = nil })
	inc := w.minute(1)
	w.heard("", "", "respond")
	if got := w.crisis.got[0]; got.Key != "queue-INC-1-20260102T030000Z-response" || got.Summary != "Users cannot sign in." || got.Who != "the crisis team" {
		t.Errorf("told: %+v", got)
	}
	if got := noted(inc, "invoked"); !cmp.Equal(got, []string{"ada invoked incident response (the crisis team) by crisis"}) {
		t.Errorf("timeline: %q", got)
	}
	w.minute(50) // level 2 does not invoke it again
	w.must(w.Close(ctx, w.id, ada))
	w.minute(51) // people end it
	w.heard("page, resolve ref-1", "", "respond")
	w.Service.Escalation.Response.Pagers = nil
	other := w.open()
	w.refused(w.Respond(ctx, other, ada, ""), "incident_response.pagers is not configured")
}

func TestHolds(t *testing.T) {
	w := newTower(t)
	ctx := context.Background()
	const why = "the vendor is on it"
	w.refused(w.Hold(ctx, w.id, eve, 0, why), "You may not.")
	for name, test := range map[string]struct {
		span          time.Duration
		reason, input string
		says          string
	}{
		"too short":        {span: time.Second, reason: why, input: incident.InputFor, says: "between a minute and 24 hours"},
		"too long":         {span: 25 * time.Hour, reason: why, input: incident.InputFor, says: "between a minute and 24 hours"},
		"before the page":  {span: 30 * time.Minute, reason: why, input: incident.InputFor, says: "The page comes at 03:30 UTC"},
		"without a reason": {span: time.Hour, reason: " \n ", input: incident.InputReason, says: "Say in a few words"},
	} {
		var bad *runbook.BadInput
		if err := w.Hold(ctx, w.id, ada, test.span, test.reason); !errors.As(err, &bad) || bad.Input != test.input || !strings.Contains(bad.Says, test.says) {
			t.Errorf("%s: %v", name, err)
		}
	}
	w.minute(25)
	w.must(w.Hold(ctx, w.id, ada, 0, why)) // the delay once more
	w.minute(54)
	w.heard("", "", "")
	w.must(w.Hold(ctx, w.id, bob, 10*time.Minute, "nearly done\n<!channel>"))
	w.minute(63)
	w.heard("", "", "")
	w.refused(w.EndHold(ctx, w.id, eve), "You may not.")
	w.must(w.EndHold(ctx, w.id, cy))
	w.refused(w.EndHold(ctx, w.id, cy), "Nobody holds the pages of "+w.id)
	inc := w.minute(63)
	w.heard("page", "", "")
	want := []string{"ada holds the pages until 03:55 UTC: the vendor is on it", "bob holds the pages until 04:04 UTC: nearly done <!channel>", "cy ended the hold of Bob"}
	if diff := cmp.Diff(want, noted(inc, "hold")[:3]); diff != "" {
		t.Error(diff)
	}
	if holds := inc.Escalation.Holds; len(holds) != 2 || holds[0].EndedBy != bob || holds[1].EndedBy != cy {
		t.Errorf("holds: %+v", holds)
	}
	w.must(w.Close(ctx, w.id, ada))
	w.refused(w.Hold(ctx, w.id, ada, 0, why), "is closed")
	w.Service.Escalation = incident.Policy{}
	other := w.open()
	w.refused(w.Hold(ctx, other, ada, 0, why), "nothing to hold")
}

// TestWhatAPageTells is all that somebody needs who has just woken up.
func TestWhatAPageTells(t *testing.T) {
	w := newTower(t)
	ctx := context.Background()
	w.Runbooks["queue"].Impact, w.Runbooks["queue"].Severity = "Nothing\nis delivered.", "critical"
	w.cluster.works = false
	w.must(w.RunAll(ctx, w.id, ada))
	w.Wait()
	w.must(w.MakePlan(ctx, w.id, ada, "broken", nil))
	w.Wait()
	w.must(w.ApplyPlan(ctx, w.id, bob, consentTo(w.get(w.id).Plans[0])))
	w.Wait()
	w.must(w.ShowAt(ctx, w.id, "https://chat.example/archives/C1/p1"))
	inc := w.get(w.id)
	inc.Verdict.Causes[0].Because = []string{"a log\x1b[31m line\nof \u202etwo"}
	_, err := w.Store.Update(ctx, inc)
	w.must(err)
	w.minute(30)
	got := w.duty.got[0]
	want := incident.Summons{Act: incident.Trigger, Key: "queue-INC-1-20260102T030000Z", Number: 1, Incident: "INC-1", Runbook: "Queue down", Target: got.Target,
		Severity: "critical", Level: 1, Who: "@oncall", At: inc.Since.Add(30 * time.Minute), Since: inc.Since, Impact: "Nothing is delivered.", State: "not fixed",
		Summary: "Queue down · shop/queue · INC-1: broken, certain, not fixed since 03:00 UTC (30 min)", Verdict: "Broken, certain",
		Because: []string{"a log[31m line of two"}, Tried: []string{"plan 1, mend it: applied"}, Walker: "Ada", Link: "https://chat.example/archives/C1/p1"}
	want.Text = want.Summary + "\nImpact: Nothing is delivered.\nBecause: a log[31m line of two\nTried: plan 1, mend it: applied\nWalked by: Ada\nThread: https://chat.example/archives/C1/p1"
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("want (-), told (+):\n%s", diff)
	}
}

func TestLine(t *testing.T) {
	for _, test := range []struct {
		text string
		most int
		want string
	}{{"", 3, ""}, {"a\tb\n c ", 0, "a b c"}, {"\u202ea\x00b", 3, "ab"}, {"é\xff", 3, "é�"}, {"ααα", 3, "ααα"}, {"αααα", 3, "αα…"}, {"αα", 1, "…"}, {"α", 1, "α"}} {
		if got := incident.Line(test.text, test.most); got != test.want {
			t.Errorf("%q to %d: %q, want %q", test.text, test.most, got, test.want)
		}
	}
}
