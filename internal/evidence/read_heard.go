package evidence

import (
	"regexp"
	"slices"
	"strings"
	"time"
)

// heardWindow is how far back what a client heard still counts; what it heard
// before may be mended since.
const heardWindow = 10 * time.Minute

// readHeard collects what the store's clients heard: the bot and the
// application when asked now, the application by its log, and the kubelet's
// probes of pods that are not ready. It is unknown where none of them is known.
func (r *reader) readHeard() {
	e := &r.evidence
	if !e.Knows("redis") && !e.Knows("reach") && !e.Knows("events") && !e.Knows("app") {
		e.Unknown["heard"] = e.Unknown["redis"]
		return
	}
	for _, event := range e.Events {
		if event.Reason == "Unhealthy" && e.At.Sub(event.Last) <= heardWindow && r.suffers(event.Name) {
			e.Heard = append(e.Heard, Heard{By: "probe", Text: oneLine(event.Message), At: event.Last})
		}
	}
	for i, line := range e.App.Said {
		at, text := stamped(line)
		if at.IsZero() && slices.ContainsFunc(e.App.Said[i:], sessionCreated.MatchString) {
			continue // it went on after that
		}
		if isTrouble.MatchString(text) && ofStore.MatchString(text) && (at.IsZero() || e.At.Sub(at) <= heardWindow && at.After(e.App.CreatedAt)) {
			e.Heard = append(e.Heard, Heard{By: "log", Text: text, At: at})
		}
	}
	for _, try := range e.Reach {
		if !try.OK {
			e.Heard = append(e.Heard, Heard{By: try.From, Text: oneLine(try.Error), At: e.At})
		}
	}
	for _, server := range e.Redis {
		if !server.OK {
			e.Heard = append(e.Heard, Heard{By: "bot", Text: oneLine(server.Error), At: e.At})
		}
	}
	slices.SortStableFunc(e.Heard, func(a, b Heard) int { return a.At.Compare(b.At) })
}

// isTrouble tells a line of the application's about trouble from the rest.
var isTrouble = regexp.MustCompile(`(?i)error|fail|refus|denied|timed? ?out|[A-Z]{4,} |EOF|reset by peer|no such host|broken pipe`)

// ofStore tells the application's trouble with its store from trouble with
// anything else that a session takes part in.
var ofStore = regexp.MustCompile(`(?i)redis|valkey|6379|noauth|wrongpass|misconf|readonly you|sessions?[ _-]?(store|storage|backend|save)`)

// suffers reports whether a pod of the workload is not ready now. One that the
// pods' list does not name is gone, and its trouble with it.
func (r *reader) suffers(name string) bool {
	return slices.ContainsFunc(r.evidence.Pods, func(p Pod) bool { return p.Name == name && !p.Ready })
}

func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }
