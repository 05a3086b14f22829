package page_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"redis-session-bot/internal/slack/slacktest/page"
)

// double answers what the page asks with canned JSON and keeps what the page
// sends, so that each drawing and each sentence can be seen by itself. The real
// workspace is tested in workspace_test.go.
type double struct {
	*httptest.Server

	mu       sync.Mutex
	messages map[string]json.RawMessage // by thread; "" is the channel itself
	view     string
	guide    string              // JSON
	answers  map[string][]string // by path: what to say, in turn
	heard    []call
	nudges   chan string
	stop     chan struct{}
}

type call struct {
	Path string
	Body map[string]any
}

func newDouble(t *testing.T) *double {
	t.Helper()
	d := &double{
		messages: map[string]json.RawMessage{"": read(t, "gallery.json"), "1732331400.000100": read(t, "thread.json")},
		view:     "null",
		guide:    "null",
		answers:  map[string][]string{},
		nudges:   make(chan string, 16),
		stop:     make(chan struct{}),
	}
	workspace := read(t, "workspace.json")
	mux := http.NewServeMux()
	mux.Handle("/", page.Handler())
	mux.HandleFunc("GET /user/workspace", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, `{"guide":%s,%s`, d.guide, bytes.TrimPrefix(workspace, []byte("{")))
	})
	mux.HandleFunc("GET /user/messages", d.serveMessages)
	mux.HandleFunc("GET /user/view", func(w http.ResponseWriter, _ *http.Request) {
		d.mu.Lock()
		defer d.mu.Unlock()
		fmt.Fprint(w, d.view)
	})
	mux.HandleFunc("GET /user/events", d.serveEvents)
	mux.HandleFunc("POST /user/", d.serveCall)
	d.Server = httptest.NewServer(mux)
	t.Cleanup(func() {
		close(d.stop)
		d.Close()
	})
	return d
}

func read(t *testing.T, name string) json.RawMessage {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func (d *double) serveMessages(w http.ResponseWriter, r *http.Request) {
	d.mu.Lock()
	defer d.mu.Unlock()
	list, known := d.messages[r.FormValue("thread")]
	if !known || r.FormValue("channel") != "C_INC" {
		list = json.RawMessage("[]")
	}
	fmt.Fprintf(w, `{"ok":true,"messages":%s}`, list)
}

func (d *double) serveEvents(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/event-stream")
	for {
		if err := http.NewResponseController(w).Flush(); err != nil {
			return
		}
		select {
		case nudge := <-d.nudges:
			fmt.Fprintf(w, "data: %s\n\n", nudge)
		case <-r.Context().Done():
			return
		case <-d.stop:
			return
		}
	}
}

func (d *double) serveCall(w http.ResponseWriter, r *http.Request) {
	var body map[string]any
	if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.heard = append(d.heard, call{r.URL.Path, body})
	answer := `{"ok":true,"ackMs":3}`
	if queue := d.answers[r.URL.Path]; len(queue) > 0 {
		answer, d.answers[r.URL.Path] = queue[0], queue[1:]
	}
	if r.URL.Path == "/user/close" {
		d.view = "null"
	}
	fmt.Fprint(w, answer)
}

// say queues the answers of one path.
func (d *double) say(path string, answers ...string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.answers[path] = append(d.answers[path], answers...)
}

// show replaces the channel's messages and tells the page to look.
func (d *double) show(messages string) {
	d.mu.Lock()
	d.messages[""] = json.RawMessage(messages)
	d.mu.Unlock()
	d.nudges <- `{"type":"message","channel":"C_INC"}`
}

// open shows a view and tells the page to look.
func (d *double) open(view string) {
	d.mu.Lock()
	d.view = view
	d.mu.Unlock()
	d.nudges <- `{"type":"view"}`
}

// calls is what the page has sent to a path so far.
func (d *double) calls(path string) []map[string]any {
	d.mu.Lock()
	defer d.mu.Unlock()
	var bodies []map[string]any
	for _, each := range d.heard {
		if each.Path == path {
			bodies = append(bodies, each.Body)
		}
	}
	return bodies
}
