package preflight_test

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"redis-session-bot/internal/preflight"
)

// after answers so late, whatever becomes of ctx.
func after(d time.Duration, what string) preflight.Question {
	return preflight.Question{About: "about " + what, What: what, Ask: func(context.Context) []preflight.Finding {
		time.Sleep(d)
		return []preflight.Finding{{About: "about " + what, What: what, Status: preflight.OK}}
	}}
}

// TestRun: they are asked side by side, each is told of in its place, who is
// late is unknown, and nobody waits in silence.
func TestRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var told []preflight.Progress
		runner := preflight.Runner{Now: time.Now, Within: 4 * time.Second}
		began := time.Now()
		report := runner.Run(t.Context(), []preflight.Question{after(time.Hour, "never"), after(2500*time.Millisecond, "slow"), after(0, "quick")},
			func(p preflight.Progress) { told = append(told, p) })
		if took := time.Since(began); took > 5*time.Second {
			t.Errorf("it took %s", took)
		}
		want := []preflight.Progress{{Answered: 1, All: 3, Waiting: []string{"never", "slow"}}, {Answered: 2, All: 3, Waiting: []string{"never"}}, {Answered: 2, All: 3, Waiting: []string{"never"}}}
		if diff := cmp.Diff(want, told); diff != "" {
			t.Errorf("told (-want +got):\n%s", diff)
		}
		var stands []string
		for _, one := range report.Findings {
			stands = append(stands, one.What+" "+string(one.Status))
		}
		if want := []string{"never unknown", "slow ok", "quick ok"}; !slices.Equal(stands, want) {
			t.Errorf("got %q", stands)
		}
		if says := report.Findings[0]; says.Says != "no answer within 4s" || says.About != "about never" || says.Mend == "" {
			t.Errorf("%+v", says)
		}
		time.Sleep(time.Hour) // who was left behind ends, too
	})
}

func TestRunQuicklySaysNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		runner := preflight.Runner{Now: time.Now, Within: time.Minute}
		report := runner.Run(t.Context(), []preflight.Question{after(time.Second, "quick")}, func(p preflight.Progress) { t.Errorf("told %+v", p) })
		if len(report.Findings) != 1 || !report.OK() {
			t.Errorf("%+v", report)
		}
	})
}

// TestRunEndsWithItsContext, and waits for nobody.
func TestRunEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		began := time.Now()
		report := preflight.Runner{Now: time.Now, Within: time.Minute}.Run(ctx, []preflight.Question{after(2*time.Second, "slow")}, nil)
		if time.Since(began) > time.Second || report.Count(preflight.Unknown) != 1 {
			t.Errorf("after %s: %+v", time.Since(began), report)
		}
		time.Sleep(time.Minute)
	})
}

func TestReport(t *testing.T) {
	outside := preflight.Finding{Status: preflight.Unknown, Minor: true}
	for _, test := range []struct {
		findings []preflight.Finding
		ok       bool
		unasked  int
	}{
		{nil, true, 0},
		{[]preflight.Finding{{Status: preflight.OK}, outside}, true, 0},
		{[]preflight.Finding{{Status: preflight.Unknown}, outside}, false, 1},
		{[]preflight.Finding{{Status: preflight.Wrong}}, false, 0},
	} {
		report := preflight.Report{Findings: test.findings}
		if report.OK() != test.ok || report.Unasked() != test.unasked {
			t.Errorf("%+v: ok %t, %d unasked", test.findings, report.OK(), report.Unasked())
		}
	}
}

func TestSkew(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for name, test := range map[string]struct {
		sent, got, date, want time.Duration // date is in whole seconds, as the header is
	}{
		"the same":               {0, 200 * time.Millisecond, 0, 0},
		"within the second":      {900 * time.Millisecond, time.Second, 0, 0},
		"while it was under way": {0, 20 * time.Second, 12 * time.Second, 0},
		"this clock is behind":   {0, time.Second, time.Minute, -59 * time.Second},
		"this clock is ahead":    {time.Minute, time.Minute, 0, 59 * time.Second},
	} {
		if got := preflight.Skew(at.Add(test.sent), at.Add(test.got), at.Add(test.date)); got != test.want {
			t.Errorf("%s: %s, want %s", name, got, test.want)
		}
	}
}

func TestClock(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for name, test := range map[string]struct {
		date string
		want preflight.Status
		says string
	}{
		"right":     {"Fri, 02 Jan 2026 03:04:05 GMT", preflight.OK, "as Slack's, within a second"},
		"close":     {"Fri, 02 Jan 2026 03:04:09 GMT", preflight.OK, "4s behind Slack's"},
		"behind":    {"Fri, 02 Jan 2026 03:06:05 GMT", preflight.Wrong, "2m0s behind Slack's"},
		"ahead":     {"Fri, 02 Jan 2026 02:04:04 GMT", preflight.Wrong, "1h0m0s ahead of Slack's"},
		"no header": {"", preflight.Unknown, "Slack did not say what time it is"},
	} {
		got := preflight.Clock("Slack", "Slack", at, at, test.date)
		if got.Status != test.want || got.Says != test.says {
			t.Errorf("%s: %+v", name, got)
		}
		if got.Status == preflight.Wrong && got.Mend == "" {
			t.Errorf("%s: no mend", name)
		}
	}
}
