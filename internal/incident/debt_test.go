package incident_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"redis-session-bot/internal/evidence"
	"redis-session-bot/internal/incident"
)

func TestDebts(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 0, 0, 0, time.UTC)
	shop, other := evidence.Target{Namespace: "shop", Workload: "queue"}, evidence.Target{Namespace: "other", Workload: "queue"}
	plan := func(fix string, state incident.PlanState, minute int, debt string) incident.Plan {
		return incident.Plan{Number: 1, Fix: fix, State: state, Debt: debt, AppliedAt: at.Add(time.Duration(minute) * time.Minute)}
	}
	in := func(id string, target evidence.Target, plans ...incident.Plan) incident.Incident {
		return incident.Incident{ID: id, Target: target, State: incident.Closed, Plans: plans}
	}
	begun := in("INC-1", shop, plan("fallback", incident.Applied, 1, "it lives in memory"))
	for name, test := range map[string]struct {
		all  []incident.Incident
		want []string
	}{
		"nothing":                     {nil, nil},
		"a plan that leaves nothing":  {[]incident.Incident{in("INC-1", shop, plan("mend", incident.Applied, 1, ""))}, nil},
		"a plan that was not applied": {[]incident.Incident{in("INC-1", shop, plan("fallback", incident.Failed, 1, "it lives in memory"))}, nil},
		"an undone plan":              {[]incident.Incident{in("INC-1", shop, plan("fallback", incident.Undone, 1, "it lives in memory"))}, nil},
		"one of a closed incident":    {[]incident.Incident{begun}, []string{"INC-1 fallback-end"}},
		"one that is undone to end":   {[]incident.Incident{in("INC-1", shop, plan("volume/stopgap", incident.Applied, 1, "no disk"))}, []string{"INC-1 "}},
		"ended later":                 {[]incident.Incident{begun, in("INC-2", shop, plan("fallback-end", incident.Applied, 2, ""))}, nil},
		"ended before":                {[]incident.Incident{in("INC-0", shop, plan("fallback-end", incident.Applied, 0, "")), begun}, []string{"INC-1 fallback-end"}},
		"ended in vain":               {[]incident.Incident{begun, in("INC-2", shop, plan("fallback-end", incident.Failed, 2, ""))}, []string{"INC-1 fallback-end"}},
		"ended for another":           {[]incident.Incident{begun, in("INC-2", other, plan("fallback-end", incident.Applied, 2, ""))}, []string{"INC-1 fallback-end"}},
	} {
		t.Run(name, func(t *testing.T) {
			var got []string
			for _, debt := range incident.Debts(test.all, func(_ incident.Incident, ref string) bool { return ref == "fallback-end" }) {
				got = append(got, debt.Incident+" "+debt.End)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}
