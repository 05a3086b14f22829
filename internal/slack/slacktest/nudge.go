package slacktest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"time"
)

// nudge tells the page what to fetch again.
type nudge struct {
	Type    string `json:"type"`
	Channel string `json:"channel,omitempty"`
}

// nudge tells all watchers. One that does not keep up has nudges waiting anyway, and fetches everything then. The caller
// holds w.mu.
func (w *Workspace) nudge(n nudge) {
	for ch := range w.watchers {
		select {
		case ch <- n:
		default:
		}
	}
}

// events is the stream of nudges, as server-sent events.
func (w *Workspace) events(rw http.ResponseWriter, r *http.Request) {
	flush := http.NewResponseController(rw)
	ch := make(chan nudge, 256)
	w.mu.Lock()
	w.watchers[ch] = struct{}{}
	w.mu.Unlock()
	defer func() {
		w.mu.Lock()
		delete(w.watchers, ch)
		w.mu.Unlock()
	}()
	rw.Header().Set("Content-Type", "text/event-stream")
	rw.Header().Set("Cache-Control", "no-store")
	_, _ = fmt.Fprint(rw, ": open\n\n")
	_ = flush.Flush()
	alive := time.NewTicker(15 * time.Second)
	defer alive.Stop()
	for {
		select {
		case <-r.Context().Done():
			return
		case <-alive.C:
			_, _ = fmt.Fprint(rw, ": alive\n\n")
		case n := <-ch:
			line, err := json.Marshal(n)
			if err != nil {
				return
			}
			_, _ = fmt.Fprintf(rw, "data: %s\n\n", line)
		}
		if flush.Flush() != nil {
			return
		}
	}
}
