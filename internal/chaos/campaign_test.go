// Package chaos is a fault campaign: two replicas of the engine over one store, with
// people, alerts and pagers around them, and faults of everything.
//
// A run is made of one seed: what people do, what fails, and where a replica dies.
// Time is synctest's, so that a run of hours takes a fraction of a second. Once all
// faults are over and everything has come to rest, a run is held against what must
// never happen. It holds tests only.
package chaos

import (
	"flag"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"redis-session-bot/internal/incident"
	"redis-session-bot/internal/incident/incidenttest"
	"redis-session-bot/internal/runbook"
)

var (
	runs     = flag.Int("runs", 8, "how many runs there are")
	seed     = flag.Uint64("seed", 1, "of the first run; the others follow")
	schedule = flag.Bool("schedule", false, "print what happened in each run")
)

// enough runs die at every point of the engine; fewer are not held to it.
const enough = 300

// TestCampaign runs one seed after another. -args -runs 1 -seed N repeats one.
func TestCampaign(t *testing.T) {
	book := document.Load(t)
	book.EscalateAfter = delay
	count := &tally{deaths: map[death]int{}, seen: map[string]int{}}
	began := time.Now()
	t.Run("seed", func(t *testing.T) {
		for n := range *runs {
			number := *seed + uint64(n)
			t.Run(fmt.Sprint(number), func(t *testing.T) {
				t.Parallel()
				path := ""
				if number%20 == 0 {
					path = t.TempDir()
				}
				synctest.Test(t, func(t *testing.T) { newWorld(t, number, book, count, path).run() })
			})
		}
	})
	t.Logf("%d runs in %s: %s", *runs, time.Since(began).Round(time.Millisecond), count)
	if *runs < enough || t.Failed() {
		return
	}
	for _, point := range points() {
		for _, after := range []bool{false, true} {
			if one := (death{point, after}); count.deaths[one] == 0 {
				t.Errorf("no replica has died %s", one)
			}
		}
	}
}

// TestASeedIsRepeated: the same seed gives the same run.
func TestASeedIsRepeated(t *testing.T) {
	book := document.Load(t)
	book.EscalateAfter = delay
	var stories [2]string
	for i := range stories {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, 4711, book, &tally{deaths: map[death]int{}, seen: map[string]int{}}, "")
			w.run()
			stories[i] = w.plan()
		})
	}
	if stories[0] != stories[1] || len(stories[0]) == 0 {
		t.Errorf("two runs of one seed:\n%s\n%s", stories[0], stories[1])
	}
}

// delay is the runbook's before somebody is paged.
const delay = 10 * time.Minute

// document has fixes that write one object, two, and three one after another; one
// that asks, one that loses data, and a measure that leaves a debt.
var document = incidenttest.Runbook{Steps: "### Logs\nWhat the logs say.\n```yaml\nid: logs\ncheck: logs\n```\n", Scenarios: `### Broken
It does not run.
` + "```yaml" + `
id: broken
signs:
  - when: pods.exists(p, !p.ready)
    says: ${pods[0].name} is not ready
    weight: decisive
fixes:
  - id: enlarge
    action: enlarge it
    changes:
      - mend: {object: queue-settings, key: size, value: large}
      - mend: {object: queue, key: restartedAt, value: now}
  - id: restart
    action: restart it
    changes:
      - mend: {object: queue, key: restartedAt, value: now}
  - id: clean
    action: work on its disk
    changes:
      - mend: {work: clean}
  - id: limit
    action: give it more
    inputs:
      - {id: limit, label: Memory limit, value: 1Gi}
    changes:
      - mend: {object: queue, key: limit, value: "${input.limit}"}
  - id: empty
    action: start empty
    caution: every message in it is gone
    changes:
      - mend: {work: clean}
` + "```" + `
### Well
` + "```yaml\nid: well\nok: true\nsigns:\n  - when: pods.exists(p, p.ready)\n    says: it runs\n    weight: decisive\n```\n",
	Measures: `### Fall back
` + "```yaml\nid: fallback\naction: keep messages in memory\ndebt: messages live in memory only\nchanges:\n  - mend: {object: queue-settings, key: fallback, value: \"on\"}\n```" + `
### End of the fallback
` + "```yaml\nid: fallback-end\naction: keep messages on disk again\nchanges:\n  - mend: {object: queue-settings, key: fallback, clear: true}\n```\n"}

// command is the name of the runbook.
const command = "queue"

// death is where a replica has died: before or after what it called for took effect.
type death struct {
	point string
	after bool
}

func (d death) String() string {
	if d.after {
		return "after " + d.point
	}
	return "before " + d.point
}

// points are all the places where the engine calls for something: a method each.
func points() []string {
	all := []string{pointAnnounce}
	for _, port := range []reflect.Type{reflect.TypeFor[incident.Store](), reflect.TypeFor[incident.Cluster](), reflect.TypeFor[incident.Look](),
		reflect.TypeFor[incident.Pager](), reflect.TypeFor[incident.Roles]()} {
		for method := range port.NumMethod() {
			name := port.Name() + "." + port.Method(method).Name
			if name == "Cluster.Look" || name == "Store.List" {
				continue // the one calls for nothing yet; the other is for reports in a terminal
			}
			all = append(all, name)
		}
	}
	return all
}

// tally is what has happened in all runs.
type tally struct {
	mu     sync.Mutex
	deaths map[death]int
	seen   map[string]int
}

func (c *tally) died(at death) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.deaths[at]++
	c.seen["deaths"]++
}

func (c *tally) saw(what string, n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.seen[what] += n
}

// String is how often each thing has happened.
func (c *tally) String() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var words []string
	for _, what := range slices.Sorted(maps.Keys(c.seen)) {
		words = append(words, fmt.Sprintf("%d %s", c.seen[what], what))
	}
	return strings.Join(words, ", ")
}

// fixed gives the runbooks of a service.
func fixed(book *runbook.Runbook) map[string]*runbook.Runbook {
	return map[string]*runbook.Runbook{command: book}
}
