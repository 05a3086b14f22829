package incident_test

import (
	"context"
	"reflect"
	"strings"
	"testing"
	"time"

	"redis-session-bot/internal/incident"
)

// keep lets Prometheus have kept that many keys, one value a minute.
func (c *cluster) keep(keys ...float64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.keys = keys
}

func (c *cluster) looked() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.looks
}

func (d desk) says(id, want string) {
	d.t.Helper()
	if got := d.get(id).Kept.Says; !strings.HasPrefix(got, want) {
		d.t.Errorf("it says %q, want %q", got, want)
	}
}

func TestTheLastHoursAreKeptAsTheyWereFirstReadAndAsTheyWereAfterTheFix(t *testing.T) {
	d := newDesk(t)
	d.cluster.keep(7)
	id := d.open()
	d.must(d.RunAll(context.Background(), id, ada))
	d.Wait()
	d.says(id, "") // one sample is no course
	d.cluster.keep(7, 0, 0)
	d.must(d.RunAll(context.Background(), id, ada))
	d.Wait()
	d.says(id, "7 keys until 02:00 UTC, none since 02:01")
	d.cluster.keep(9, 0)
	d.must(d.RunAll(context.Background(), id, ada))
	d.Wait()
	d.says(id, "7 keys until 02:00 UTC")

	d.must(d.MakePlan(context.Background(), id, ada, "broken", nil))
	d.Wait()
	before := d.get(id)
	d.cluster.keep(9, 0, 8)
	d.must(d.ApplyPlan(context.Background(), id, bob, consentTo(before.Plans[0])))
	d.Wait()
	d.says(id, "9 keys until 02:00 UTC, none at 02:01, 8 at 02:02")
	after := d.get(id)
	if !after.Kept.Fixed || after.State != incident.Fixed {
		t.Errorf("%s, read again: %t", after.State, after.Kept.Fixed)
	}
	if !reflect.DeepEqual(before.Verdict, after.Verdict) || len(after.Judgements) != len(before.Judgements) {
		t.Errorf("the verdict has changed:\n%+v\n%+v", before.Verdict, after.Verdict)
	}

	// An undo and another fix are no reason for a third picture.
	d.cluster.keep(1, 1)
	d.must(d.UndoPlan(context.Background(), id, bob, 1))
	d.Wait()
	d.must(d.MakePlan(context.Background(), id, ada, "broken", nil))
	d.Wait()
	inc := d.get(id)
	d.must(d.ApplyPlan(context.Background(), id, bob, consentTo(inc.Plans[len(inc.Plans)-1])))
	d.Wait()
	if d.get(id).State != incident.Fixed {
		t.Fatalf("it is %s", d.get(id).State)
	}
	d.says(id, "9 keys until 02:00 UTC, none at 02:01, 8 at 02:02")
}

func TestWhatIsReadAfterTheFixIsTakenUpAfterARestart(t *testing.T) {
	d := newDesk(t)
	d.cluster.keep(7, 0)
	id, plan := d.planned()
	kept := d.get(id).Kept
	d.must(d.ApplyPlan(context.Background(), id, bob, consentTo(plan)))
	d.Wait()
	inc := d.get(id)
	inc.Kept = kept // it died right after the fix
	if _, err := d.Store.Update(context.Background(), inc); err != nil {
		t.Fatal(err)
	}
	d.cluster.keep(7, 0, 6)
	d.must(d.Recover(context.Background()))
	d.Wait()
	d.says(id, "7 keys until 02:00 UTC, none at 02:01, 6 at 02:02")
	looks := d.cluster.looked()
	d.must(d.Recover(context.Background()))
	d.Wait()
	if n := d.cluster.looked() - looks; n != 0 {
		t.Errorf("the next restart looks %d times more", n)
	}
}

func TestNothingIsReadAfterAFixThatDidNotLast(t *testing.T) {
	d := newDesk(t)
	d.cluster.keep(7, 0)
	d.Limits.Recovery = 50 * time.Millisecond // beyond the fix, on the desk's clock, which stands still
	id, plan := d.planned()
	d.must(d.ApplyPlan(context.Background(), id, bob, consentTo(plan)))
	for d.get(id).State != incident.Fixed {
		time.Sleep(time.Millisecond)
	}
	d.must(d.UndoPlan(context.Background(), id, bob, 1))
	d.Wait()
	if inc := d.get(id); inc.Kept.Fixed || inc.State == incident.Fixed {
		t.Errorf("%s, and read again: %t", inc.State, inc.Kept.Fixed)
	}
}

func TestWithoutPrometheusNothingIsKept(t *testing.T) {
	d := newDesk(t)
	id, plan := d.planned()
	d.must(d.ApplyPlan(context.Background(), id, bob, consentTo(plan)))
	d.Wait()
	if kept := d.get(id).Kept; kept != (incident.Kept{}) {
		t.Errorf("it keeps %+v", kept)
	}
}
