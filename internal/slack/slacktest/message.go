package slacktest

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// message is one message of one conversation; an ephemeral one is for a single user.
type message struct {
	ts       string
	channel  string
	thread   string // the parent's ts, on a reply
	user     string
	bot      bool
	text     string
	blocks   []any
	attached []any
	files    []*file
	metadata object
	reacted  map[string][]string
	edited   string // ts of the last edit
	only     string // the user who alone sees it
	username string
	wide     bool // a reply that is broadcast to its channel
	state    map[string]object
}

// mint makes the next timestamp: the clock's microseconds, moved on when the clock stands still.
func (w *Workspace) mint() string {
	micros := max(w.now().UnixMicro(), w.lastMicros+1)
	w.lastMicros = micros
	return fmt.Sprintf("%d.%06d", micros/1e6, micros%1e6)
}

func (w *Workspace) add(m *message) *message {
	m.ts = w.mint()
	w.blockIDs(m.blocks)
	w.messages = append(w.messages, m)
	w.nudge(nudge{Type: "message", Channel: m.channel})
	return m
}

func (w *Workspace) find(channel, ts string) *message {
	for _, m := range w.messages {
		if m.channel == channel && m.ts == ts {
			return m
		}
	}
	return nil
}

func (w *Workspace) remove(m *message) {
	w.messages = slices.DeleteFunc(w.messages, func(o *message) bool { return o == m })
	w.nudge(nudge{Type: "message", Channel: m.channel})
}

// replies are the public replies of a parent.
func (w *Workspace) repliesTo(m *message) []*message {
	var out []*message
	for _, o := range w.messages {
		if o.channel == m.channel && o.thread == m.ts && o.only == "" {
			out = append(out, o)
		}
	}
	return out
}

// blockIDs gives every block without a block_id one, as Slack does.
func (w *Workspace) blockIDs(blocks []any) {
	for _, b := range blocks {
		block, ok := b.(object)
		if !ok {
			continue
		}
		if id, _ := block["block_id"].(string); id == "" {
			block["block_id"] = w.id("blk")
		}
		for _, e := range elements(block) {
			if id, _ := e["action_id"].(string); id == "" && interactive(e) {
				e["action_id"] = w.id("act")
			}
		}
	}
}

// json is the message object of the Web API and of interaction payloads.
func (w *Workspace) json(m *message) object {
	out := object{"type": "message", "ts": m.ts, "text": m.text, "user": m.user, "team": TeamID}
	if m.bot {
		out["bot_id"], out["app_id"] = BotID, AppID
		out["bot_profile"] = object{"id": BotID, "app_id": AppID, "name": BotName, "deleted": false, "updated": 1, "team_id": TeamID}
	}
	if m.username != "" {
		out["username"] = m.username
	}
	if len(m.blocks) > 0 {
		out["blocks"] = m.blocks
	}
	if len(m.attached) > 0 {
		out["attachments"] = m.attached
	}
	if m.edited != "" {
		out["edited"] = object{"user": m.user, "ts": m.edited}
	}
	if len(m.files) > 0 {
		var files []any
		for _, f := range m.files {
			files = append(files, f.json(w))
		}
		out["files"], out["upload"] = files, false
	}
	if len(m.reacted) > 0 {
		var reactions []any
		for _, name := range slices.Sorted(maps.Keys(m.reacted)) {
			reactions = append(reactions, object{"name": name, "users": m.reacted[name], "count": len(m.reacted[name])})
		}
		out["reactions"] = reactions
	}
	w.threaded(m, out)
	return out
}

// threaded adds what a message says of its thread.
func (w *Workspace) threaded(m *message, out object) {
	if m.thread != "" {
		out["thread_ts"] = m.thread
		if parent := w.find(m.channel, m.thread); parent != nil {
			out["parent_user_id"] = parent.user
		}
		if m.wide {
			out["subtype"] = "thread_broadcast"
		}
		return
	}
	replies := w.repliesTo(m)
	if len(replies) == 0 {
		return
	}
	var users []string
	for _, r := range replies {
		if !slices.Contains(users, r.user) {
			users = append(users, r.user)
		}
	}
	out["thread_ts"], out["reply_count"], out["reply_users_count"] = m.ts, len(replies), len(users)
	out["reply_users"], out["latest_reply"] = users, replies[len(replies)-1].ts
}

// seen is the message as its reader's client holds it: with the files' text, or a picture's bytes in base64, and marked when nobody else sees it.
func (w *Workspace) seen(m *message) object {
	out := w.json(m)
	if m.only != "" {
		out["is_ephemeral"] = true
	}
	if len(m.files) > 0 {
		var files []any
		for _, f := range m.files {
			j := f.json(w)
			j["content"] = string(f.content)
			if strings.HasPrefix(f.mimetype(), "image/") {
				j["content"] = base64.StdEncoding.EncodeToString(f.content)
			}
			files = append(files, j)
		}
		out["files"] = files
	}
	return out
}

// conversation is what a user sees of a channel, or of one thread in it, in time order.
func (w *Workspace) conversation(user, channel, thread string) []object {
	out := []object{}
	for _, m := range w.messages {
		switch {
		case m.channel != channel, m.only != "" && m.only != user:
			continue
		case thread == "" && m.thread != "" && !m.wide:
			continue
		case thread != "" && m.ts != thread && m.thread != thread:
			continue
		}
		out = append(out, clone(w.seen(m)))
	}
	return out
}

// clone copies a JSON object, so that it can be read after w.mu is let go.
func clone(o object) object {
	var out object
	raw, err := json.Marshal(o)
	if err == nil {
		err = json.Unmarshal(raw, &out)
	}
	if err != nil {
		panic(fmt.Sprintf("slacktest: a JSON object that is none: %v", err)) // built from decoded JSON only
	}
	return out
}
