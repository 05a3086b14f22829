package incident

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"redis-session-bot/internal/evidence"
)

// TestKeep: what is dropped of incidents that were closed 1, 2, 3, … days ago.
func TestKeep(t *testing.T) {
	now := time.Date(2026, 1, 31, 0, 0, 0, 0, time.UTC)
	ago := func(days int) time.Time { return now.Add(-time.Duration(days) * 24 * time.Hour) }
	closed := func(id string, days int) Brief { return Brief{ID: id, ClosedAt: ago(days)} }
	applied := func(id, fix, debt string, days int) Incident {
		return Incident{ID: id, State: Closed, ClosedAt: ago(days), Target: evidence.Target{Workload: "store"},
			Plans: []Plan{{Number: 1, State: Applied, Fix: fix, Debt: debt, AppliedAt: ago(days)}}}
	}
	week := Keep{Age: 7 * 24 * time.Hour}
	for name, test := range map[string]struct {
		keep   Keep
		index  []Brief
		recent []Incident
		want   []string
	}{
		"all is kept":              {Keep{}, []Brief{closed("INC-1", 4000)}, nil, nil},
		"by age, the oldest first": {week, []Brief{closed("INC-1", 9), closed("INC-2", 7), closed("INC-3", 10)}, nil, []string{"INC-3: closed more than 7 days ago", "INC-1: closed more than 7 days ago"}},
		"by count":                 {Keep{Count: 2}, []Brief{closed("INC-1", 1), closed("INC-2", 3), closed("INC-3", 2)}, nil, []string{"INC-2: 2 closed ones are kept"}},
		"by both":                  {Keep{Age: week.Age, Count: 1}, []Brief{closed("INC-1", 9), closed("INC-2", 3), closed("INC-3", 2)}, nil, []string{"INC-1: closed more than 7 days ago", "INC-2: 1 closed ones are kept"}},
		"what is open does not count": {Keep{Age: week.Age, Count: 1}, []Brief{{ID: "INC-1"}, {ID: "INC-2"}, closed("INC-3", 1)},
			[]Incident{{ID: "INC-1"}, {ID: "INC-2"}}, nil},
		"a debt is kept":                          {week, []Brief{closed("INC-1", 9), closed("INC-2", 8)}, []Incident{applied("INC-1", "fallback", "forgets", 9)}, []string{"INC-2: closed more than 7 days ago"}},
		"a debt that is paid is not":              {week, []Brief{closed("INC-1", 9), closed("INC-2", 8)}, []Incident{applied("INC-1", "fallback", "forgets", 9), applied("INC-2", "fallback-end", "", 8)}, []string{"INC-1: closed more than 7 days ago", "INC-2: closed more than 7 days ago"}},
		"what has paid stays as long as the debt": {week, []Brief{closed("INC-1", 1), closed("INC-2", 8)}, []Incident{applied("INC-1", "fallback", "forgets", 9), applied("INC-2", "fallback-end", "", 8)}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			over, why := test.keep.over(test.index, test.recent, now)
			var got []string
			for _, brief := range over {
				got = append(got, fmt.Sprintf("%s: %s", brief.ID, why[brief.ID]))
			}
			if !slices.Equal(got, test.want) {
				t.Errorf("dropped:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(test.want, "\n"))
			}
		})
	}
}

func TestRests(t *testing.T) {
	debt := []Plan{{State: Applied, Debt: "forgets"}}
	for name, test := range map[string]struct {
		inc  Incident
		want bool
	}{
		"open":                   {Incident{State: Fixed}, false},
		"closed":                 {Incident{State: Closed}, true},
		"with a debt":            {Incident{State: Closed, Plans: debt}, false},
		"with one that may pay":  {Incident{State: Closed, Plans: []Plan{{State: Applied, Fix: "fallback-end"}}}, false},
		"with a debt not made":   {Incident{State: Closed, Plans: []Plan{{State: Failed, Debt: "forgets"}}}, true},
		"with a debt taken back": {Incident{State: Closed, Plans: []Plan{{State: Undone, Debt: "forgets"}}}, true},
	} {
		if got := test.inc.Rests(); got != test.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}
