package slacktest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

	"redis-session-bot/internal/slack/slacktest/page"
)

// routes are the three faces of the workspace: the app's, the people's, and the page.
func (w *Workspace) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/api/{method}", w.api(answers()))
	mux.HandleFunc("/link/", w.socket)
	mux.HandleFunc("POST /upload/v1/{ticket}", w.upload)
	mux.HandleFunc("POST /actions/{team}/{id}", w.respond)
	mux.HandleFunc("POST /user/command", posted(w.Command))
	mux.HandleFunc("POST /user/click", posted(w.Click))
	mux.HandleFunc("POST /user/submit", posted(w.Submit))
	mux.HandleFunc("POST /user/close", posted(w.CloseView))
	mux.HandleFunc("POST /user/message", posted(w.Say))
	mux.HandleFunc("POST /user/fault", posted(func(f Fault) Result {
		if err := w.Inject(f); err != nil {
			return Result{Error: err.Error()}
		}
		return Result{OK: true}
	}))
	mux.HandleFunc("GET /user/view", func(rw http.ResponseWriter, r *http.Request) {
		writeJSON(rw, http.StatusOK, w.View(r.URL.Query().Get("user")))
	})
	mux.HandleFunc("GET /user/messages", func(rw http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		messages, err := w.Messages(q.Get("user"), q.Get("channel"), q.Get("thread"))
		if err != nil {
			writeJSON(rw, http.StatusOK, object{"ok": false, "error": err.Error()})
			return
		}
		writeJSON(rw, http.StatusOK, object{"ok": true, "messages": messages})
	})
	mux.HandleFunc("GET /user/violations", func(rw http.ResponseWriter, _ *http.Request) {
		writeJSON(rw, http.StatusOK, object{"ok": true, "violations": w.Violations()})
	})
	mux.HandleFunc("GET /user/workspace", func(rw http.ResponseWriter, _ *http.Request) {
		writeJSON(rw, http.StatusOK, w.describe())
	})
	mux.HandleFunc("GET /user/events", w.events)
	mux.HandleFunc("GET /files/{id}/download/{name}", w.download)
	mux.HandleFunc("GET /archives/{channel}/{ts}", w.archive)
	mux.Handle("/", page.Handler())
	return w.counted(mux)
}

// counted refuses requests of a workspace that closes, and makes Close wait for those under way.
func (w *Workspace) counted(next http.Handler) http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if !w.enter() {
			http.Error(rw, "the workspace is closed", http.StatusServiceUnavailable)
			return
		}
		defer w.work.Done()
		next.ServeHTTP(rw, r)
	})
}

// enter counts a piece of work in, unless the workspace is closed.
func (w *Workspace) enter() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return false
	}
	w.work.Add(1)
	return true
}

// Result is the answer to what a person did.
type Result struct {
	OK      bool              `json:"ok"`
	Error   string            `json:"error,omitempty"`
	AckMs   int64             `json:"ackMs"`             // milliseconds until the app's acknowledgement
	Ack     json.RawMessage   `json:"ack,omitempty"`     // its payload
	Confirm map[string]any    `json:"confirm,omitempty"` // the dialog that wants an answer first
	Errors  map[string]string `json:"errors,omitempty"`  // what is wrong with a submission, by block
	TS      string            `json:"ts,omitempty"`      // of the message that somebody wrote
}

// posted makes a handler of something that a person does.
func posted[T any](do func(T) Result) http.HandlerFunc {
	return func(rw http.ResponseWriter, r *http.Request) {
		var body T
		dec := json.NewDecoder(http.MaxBytesReader(rw, r.Body, maxBody))
		dec.DisallowUnknownFields()
		if err := dec.Decode(&body); err != nil {
			writeJSON(rw, http.StatusBadRequest, object{"ok": false, "error": fmt.Sprintf("invalid_json: %v", err)})
			return
		}
		writeJSON(rw, http.StatusOK, do(body))
	}
}

// present finds a person and a conversation that they are in. The caller holds w.mu.
func (w *Workspace) present(user, channel string) (User, *room, string) {
	u, ok := w.user(user)
	if !ok || u.Bot {
		return u, nil, "user_not_found"
	}
	if u.Deleted {
		return u, nil, "account_inactive"
	}
	r := w.room(channel)
	if r == nil || !r.has(u.ID) {
		return u, nil, "channel_not_found"
	}
	return u, r, ""
}

// Messages are what a user sees of a channel, or of a thread when thread is its parent's ts, in time order.
func (w *Workspace) Messages(user, channel, thread string) ([]map[string]any, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	_, r, refused := w.present(user, channel)
	if refused != "" {
		return nil, fmt.Errorf("%s", refused)
	}
	return w.conversation(user, r.ID, thread), nil
}

// View is the modal on top for a user, or nil.
func (w *Workspace) View(user string) map[string]any {
	w.mu.Lock()
	defer w.mu.Unlock()
	v := w.top(user)
	if v == nil {
		return nil
	}
	return clone(v.json())
}

// HomeView is a user's home tab as the app published it, or nil.
func (w *Workspace) HomeView(user string) map[string]any {
	w.mu.Lock()
	defer w.mu.Unlock()
	v := w.homes[user]
	if v == nil {
		return nil
	}
	return clone(v.json())
}

// describe is what the page needs to know beforehand.
func (w *Workspace) describe() object {
	w.mu.Lock()
	defer w.mu.Unlock()
	users, channels, commands, groups := []any{}, []any{}, []any{}, []any{}
	for _, u := range w.users {
		if !u.Bot && !u.Deleted {
			users = append(users, object{"id": u.ID, "name": u.Name, "real_name": u.RealName, "role": u.Role})
		}
	}
	for _, r := range w.rooms {
		if r.im == "" {
			channels = append(channels, object{"id": r.ID, "name": r.Name, "topic": r.Topic, "bot_member": r.has(BotUser)})
		}
	}
	for _, c := range w.opts.Commands {
		commands = append(commands, object{"command": c.Name, "usage_hint": c.UsageHint, "description": c.Description})
	}
	for _, g := range w.opts.Groups {
		groups = append(groups, object{"id": g.ID, "handle": g.Handle, "name": g.Name, "users": g.Users})
	}
	return object{
		"ok": true, "team": teamName, "users": users, "channels": channels, "commands": commands, "usergroups": groups, "guide": w.opts.Guide,
		"bot": object{"user_id": BotUser, "name": BotName, "connected": len(w.greeted) > 0}, "now": w.now().UTC().Format(time.RFC3339),
	}
}

// archive leads a permalink to the page.
func (w *Workspace) archive(rw http.ResponseWriter, r *http.Request) {
	q := "/?channel=" + r.PathValue("channel")
	ts := strings.TrimPrefix(r.PathValue("ts"), "p")
	if thread := r.URL.Query().Get("thread_ts"); thread != "" {
		q += "&thread=" + thread
	} else if len(ts) > 6 {
		q += "&message=" + ts[:len(ts)-6] + "." + ts[len(ts)-6:]
	}
	http.Redirect(rw, r, q, http.StatusFound)
}
