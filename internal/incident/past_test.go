package incident_test

import (
	"strings"
	"testing"
	"time"

	"redis-session-bot/internal/incident"
)

// judgedLines are what the timeline says of the verdict.
func judgedLines(inc incident.Incident) string {
	var lines []string
	for _, entry := range inc.Timeline {
		if strings.HasPrefix(entry.Text, "judged: ") {
			lines = append(lines, entry.Actor.ID+" "+entry.Text)
		}
	}
	return strings.Join(lines, "; ")
}

func TestAChangedVerdictIsNotedOnce(t *testing.T) {
	d := newDesk(t)
	id := d.open()
	for range 3 { // the same evidence says the same
		d.must(d.RunAll(t.Context(), id, ada))
		d.Wait()
	}
	inc := d.get(id)
	if got := judgedLines(inc); got != "bot judged: Broken — certain" || len(inc.Judgements) != 1 {
		t.Errorf("%q, %v", got, inc.Judgements)
	}
	d.cluster.set(true, false)
	d.must(d.RunAll(t.Context(), id, ada))
	d.Wait()
	inc = d.get(id)
	if got := judgedLines(inc); got != "bot judged: Broken — certain; bot judged: Well — certain" || len(inc.Judgements) != 2 {
		t.Errorf("%q, %v", got, inc.Judgements)
	}
	cause, ok := inc.Cause(d.Runbooks["queue"])
	if !ok || cause.Title != "Broken" || !cause.At.Equal(inc.Judgements[0].At) {
		t.Errorf("the cause that stands at the end is %v at %s", cause, cause.At)
	}
}

func TestAnIncidentLikeThisOneIsRemembered(t *testing.T) {
	walk := func(d desk) incident.Incident {
		id := d.open()
		d.must(d.RunAll(t.Context(), id, ada))
		d.Wait()
		return d.get(id)
	}
	for name, test := range map[string]struct {
		later time.Duration
		mend  bool
		undo  bool
		want  incident.Past
	}{
		"mended":       {time.Hour, true, false, incident.Past{Incident: "INC-1", Plan: 1, Action: "mend it"}},
		"undone":       {time.Hour, true, true, incident.Past{Incident: "INC-1", Plan: 1, Action: "mend it", Undone: true}},
		"only closed":  {time.Hour, false, false, incident.Past{Incident: "INC-1"}},
		"too long ago": {91 * 24 * time.Hour, true, false, incident.Past{}},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDesk(t)
			first := walk(d)
			if first.Alike != nil {
				t.Errorf("the first one is like %v", first.Alike)
			}
			if test.mend {
				d.cluster.works = true
				d.must(d.MakePlan(t.Context(), first.ID, ada, "broken", nil))
				d.Wait()
				d.must(d.ApplyPlan(t.Context(), first.ID, bob, consentTo(d.get(first.ID).Plans[0])))
				d.Wait()
			}
			if test.undo {
				d.must(d.UndoPlan(t.Context(), first.ID, bob, 1))
				d.Wait()
			}
			d.must(d.Close(t.Context(), first.ID, ada))
			d.cluster.set(false, true)
			d.clock.forward(test.later)
			second := walk(d)
			if test.want.Incident == "" {
				if second.Alike != nil {
					t.Errorf("it is like %v", second.Alike)
				}
				return
			}
			got := second.Alike
			if got == nil || got.Incident != test.want.Incident || got.Plan != test.want.Plan || got.Action != test.want.Action || got.Undone != test.want.Undone || got.Fixed.IsZero() == (test.mend && !test.undo) {
				t.Fatalf("it is like %+v, not %+v", got, test.want)
			}
			if got.Cause.Title != "Broken" {
				t.Errorf("its cause was %v", got.Cause)
			}
		})
	}
}

func TestTheReportIsAskedFor(t *testing.T) {
	d := newDesk(t)
	id := d.open()
	d.must(d.Close(t.Context(), id, ada))
	for range 12 {
		d.must(d.AskReport(t.Context(), id, ada, "Europe/Berlin"))
	}
	inc := d.get(id)
	if n := len(inc.Asked); n != 10 || inc.Asked[n-1].Number != 12 || inc.Asked[n-1].Zone != "Europe/Berlin" || inc.Asked[n-1].By != ada {
		t.Errorf("%d wishes: %+v", n, inc.Asked)
	}
	if last := inc.Timeline[len(inc.Timeline)-1]; last.Text != "asked for the report" || last.Actor != ada || inc.State != incident.Closed {
		t.Errorf("%s, %+v", inc.State, last)
	}
	d.refused(d.AskReport(t.Context(), id, eve, ""), "not")
}

func TestWhatPeoplePost(t *testing.T) {
	d := newDesk(t)
	id := d.open()
	d.must(d.Post(t.Context(), id, ada, "users", "To users", " We are on it.\n"))
	inc := d.get(id)
	if len(inc.Letters) != 1 || inc.Letters[0].Text != "We are on it." || inc.Letters[0].By != ada || inc.Timeline[len(inc.Timeline)-1].Text != "posted: To users" {
		t.Errorf("%+v", inc.Letters)
	}
	for _, bad := range []string{" \n", strings.Repeat("x", 3001)} {
		if err := d.Post(t.Context(), id, ada, "users", "To users", bad); err == nil {
			t.Errorf("%d characters were taken", len(bad))
		}
	}
	d.refused(d.Post(t.Context(), id, eve, "users", "To users", "x"), "not")
	for range 49 {
		d.must(d.Post(t.Context(), id, ada, "users", "To users", "more"))
	}
	d.refused(d.Post(t.Context(), id, ada, "users", "To users", "more"), "Nothing was posted")
}
