package slacktest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"slices"
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

// TypedCommand is a slash command as somebody types it.
type TypedCommand struct {
	User    string `json:"user"`
	Channel string `json:"channel"`
	Command string `json:"command"` // with its slash
	Text    string `json:"text"`
}

// Command sends a slash command to the app and waits for the acknowledgement, up to 3 s.
func (w *Workspace) Command(c TypedCommand) Result {
	if !w.enter() {
		return Result{Error: "closed"}
	}
	defer w.work.Done()
	w.mu.Lock()
	u, r, refused := w.present(c.User, c.Channel)
	if refused != "" {
		w.mu.Unlock()
		return Result{Error: refused}
	}
	if !slices.ContainsFunc(w.opts.Commands, func(k Command) bool { return k.Name == c.Command }) {
		w.mu.Unlock()
		return Result{Error: "unknown_command"}
	}
	name := r.Name
	if r.im != "" {
		name = "directmessage"
	}
	payload := object{
		"token": "verification", "team_id": u.team(), "team_domain": teamDomain, "channel_id": r.ID, "channel_name": name,
		"user_id": u.ID, "user_name": u.Name, "command": c.Command, "text": c.Text, "api_app_id": AppID,
		"is_enterprise_install": "false", "response_url": w.replyURL(u.ID, r.ID, "", ""), "trigger_id": w.trigger(u.ID, ""),
	}
	w.mu.Unlock()
	var bad *refusal
	out := w.deliver(&envelope{
		kind: slashCommands, what: c.Command + " " + c.Text, takes: true, payload: payload,
		heard: func(answer json.RawMessage) {
			if bad = w.spoken(u.ID, r.ID, answer); bad != nil {
				w.breach(AckBad, "%s: %s: %s", c.Command, bad.code, bad.detail)
			}
		},
	})
	if !out.acked {
		return timedOut(out)
	}
	result := Result{OK: bad == nil, AckMs: out.took.Milliseconds(), Ack: json.RawMessage("null")}
	if filled(out.payload) {
		result.Ack = out.payload
	}
	if bad != nil {
		result.Error = "dispatch_unknown_error"
	}
	return result
}

// spoken posts what a slash command's acknowledgement says.
func (w *Workspace) spoken(user, channel string, payload json.RawMessage) *refusal {
	if !filled(payload) {
		return nil
	}
	var body object
	var text string
	if json.Unmarshal(payload, &text) == nil {
		body = object{"text": text}
	} else if json.Unmarshal(payload, &body) != nil {
		return refuse("invalid_command_response")
	}
	return w.reply(&replyURL{user: user, channel: channel}, body)
}

func timedOut(out outcome) Result {
	return Result{Error: "operation_timeout", AckMs: out.took.Milliseconds()}
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

// Line is a message as somebody writes it; Thread is the ts of the parent, if any.
type Line struct {
	User    string `json:"user"`
	Channel string `json:"channel"`
	Text    string `json:"text"`
	Thread  string `json:"thread"`
}

var markup = regexp.MustCompile(`<[@#!][^<>]+>|[&<>]`)

// typed is text as Slack stores what a person typed: mentions kept or made, the rest escaped.
func typed(text string) string {
	text = markup.ReplaceAllStringFunc(text, func(s string) string {
		switch s {
		case "&":
			return "&amp;"
		case "<":
			return "&lt;"
		case ">":
			return "&gt;"
		}
		return s
	})
	return strings.ReplaceAll(text, "@"+BotName, "<@"+BotUser+">")
}

// Say writes a person's message. When it mentions the bot where the bot is, an app_mention follows.
func (w *Workspace) Say(l Line) Result {
	if !w.enter() {
		return Result{Error: "closed"}
	}
	defer w.work.Done()
	w.mu.Lock()
	defer w.mu.Unlock()
	u, r, refused := w.present(l.User, l.Channel)
	switch {
	case refused != "":
		return Result{Error: refused}
	case strings.TrimSpace(l.Text) == "":
		return Result{Error: "no_text"}
	case l.Thread != "" && w.find(r.ID, l.Thread) == nil:
		return Result{Error: "thread_not_found"}
	}
	m := w.add(&message{channel: r.ID, user: u.ID, text: cut(typed(l.Text), postChars), thread: l.Thread})
	if r.has(BotUser) {
		w.tell(u, r, m)
	}
	return Result{OK: true, TS: m.ts}
}

// tell sends the events of a message that the app is subscribed to, and allowed to hear.
func (w *Workspace) tell(u User, r *room, m *message) {
	event := object{
		"user": u.ID, "text": m.text, "ts": m.ts, "channel": r.ID, "event_ts": m.ts, "team": u.team(), "client_msg_id": secret(),
	}
	if m.thread != "" {
		event["thread_ts"] = m.thread
	}
	kinds := []struct{ name, scope, sub string }{{"message", "channels:history", "message.channels"}}
	if r.im != "" {
		kinds[0].scope, kinds[0].sub = "im:history", "message.im"
	}
	if strings.Contains(m.text, "<@"+BotUser+">") && r.im == "" {
		kinds = append(kinds, struct{ name, scope, sub string }{"app_mention", "app_mentions:read", "app_mention"})
	}
	for _, k := range kinds {
		if !slices.Contains(w.opts.Events, k.sub) || !slices.Contains(w.opts.Scopes, k.scope) {
			continue
		}
		told := clone(event)
		told["type"] = k.name
		if k.name == "message" {
			told["channel_type"] = map[bool]string{true: "im", false: "channel"}[r.im != ""]
		}
		payload := object{
			"token": "verification", "team_id": TeamID, "context_team_id": TeamID, "api_app_id": AppID, "event": told,
			"type": "event_callback", "event_id": w.id("Ev"), "event_time": w.now().Unix(), "is_ext_shared_channel": false,
			"authorizations": []any{object{"enterprise_id": nil, "team_id": TeamID, "user_id": BotUser, "is_bot": true, "is_enterprise_install": false}},
			"event_context":  "4-" + secret(),
		}
		e := &envelope{kind: eventsAPI, what: k.name + " " + m.ts, payload: payload}
		w.work.Go(func() { w.deliver(e) })
	}
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
		"ok": true, "team": teamName, "users": users, "channels": channels, "commands": commands, "usergroups": groups,
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
