package slacktest

import (
	"regexp"
	"slices"
	"strings"
)

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
