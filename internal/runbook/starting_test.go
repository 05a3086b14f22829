package runbook_test

import (
	"slices"
	"testing"
	"time"

	"redis-session-bot/internal/evidence"
	"redis-session-bot/internal/runbook"
)

// TestAPodThatOnlyStarts: where nothing is known of a pod because it was made just
// now, the verdict says so; where it is older, failed, or another cause is named, it does not.
func TestAPodThatOnlyStarts(t *testing.T) {
	book, err := runbook.Load("x.md", []byte(front+step+scenario("id: down\nok: true\n"+sign)), vocabulary())
	if err != nil {
		t.Fatal(err)
	}
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	says := []string{"pods: queue-0 is 12 s old and still starts; look again in half a minute"}
	for name, test := range map[string]struct {
		pods []evidence.Pod
		want []string
	}{
		"young":   {[]evidence.Pod{{Name: "queue-0", CreatedAt: at.Add(-12 * time.Second)}}, says},
		"old":     {[]evidence.Pod{{Name: "queue-0", CreatedAt: at.Add(-time.Minute)}}, nil},
		"ready":   {[]evidence.Pod{{Name: "queue-0", CreatedAt: at.Add(-12 * time.Second), Ready: true}}, nil},
		"goes":    {[]evidence.Pod{{Name: "queue-0", CreatedAt: at.Add(-12 * time.Second), Deleting: true}}, nil},
		"failed":  {[]evidence.Pod{{Name: "queue-0", CreatedAt: at.Add(-12 * time.Second), Containers: []evidence.Container{{LastExit: evidence.Exit{Happened: true}}}}}, nil},
		"a cause": {nil, nil},
	} {
		t.Run(name, func(t *testing.T) {
			verdict := book.Judge(evidence.Evidence{At: at, Pods: test.pods})
			if (len(verdict.Causes) > 0) != (name == "a cause") || !slices.Equal(verdict.Unknown, test.want) {
				t.Errorf("%+v", verdict)
			}
		})
	}
}
