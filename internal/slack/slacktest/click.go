package slacktest

import "encoding/json"

// Press is a click on an element of a message, or, with ViewID, of a modal.
type Press struct {
	User      string          `json:"user"`
	Channel   string          `json:"channel"`
	TS        string          `json:"ts"`
	ViewID    string          `json:"viewId"`
	ActionID  string          `json:"actionId"`
	BlockID   string          `json:"blockId"`
	Value     json.RawMessage `json:"value"`     // what was chosen; for a stale button, its old value
	Confirmed bool            `json:"confirmed"` // the element's confirm dialog was answered with yes
	Stale     bool            `json:"stale"`     // send it although the message no longer has the element
}

// Click sends a click to the app and waits for the acknowledgement, up to 3 s.
func (w *Workspace) Click(p Press) Result {
	if !w.enter() {
		return Result{Error: "closed"}
	}
	defer w.work.Done()
	w.mu.Lock()
	payload, refused := w.pressed(p)
	w.mu.Unlock()
	if payload == nil {
		return refused
	}
	out := w.deliver(&envelope{
		kind: interactions, what: "click on " + p.ActionID, takes: w.opts.Facts.BlockActionsTakePayload, payload: payload,
	})
	if !out.acked {
		return timedOut(out)
	}
	return Result{OK: true, AckMs: out.took.Milliseconds()}
}

// pressed makes the block_actions payload of a click, or says why there is none. The caller holds w.mu.
func (w *Workspace) pressed(p Press) (object, Result) {
	if p.ViewID != "" {
		return w.pressedInView(p)
	}
	u, r, refused := w.present(p.User, p.Channel)
	if refused != "" {
		return nil, Result{Error: refused}
	}
	m := w.find(r.ID, p.TS)
	if m != nil && m.only != "" && m.only != u.ID {
		m = nil
	}
	if m == nil && !p.Stale {
		return nil, Result{Error: "message_not_found"}
	}
	if m == nil {
		m = &message{ts: p.TS, channel: r.ID, user: BotUser, bot: true}
	}
	action, result := w.acted(m.blocks, p)
	if action == nil {
		return nil, result
	}
	container := object{"type": "message", "message_ts": m.ts, "channel_id": r.ID, "is_ephemeral": m.only != ""}
	thread := m.thread
	if thread != "" {
		container["thread_ts"] = thread
	}
	if m.state == nil {
		m.state = map[string]object{}
	}
	if m.state[u.ID] == nil {
		m.state[u.ID] = initial(m.blocks)
	}
	w.keep(m.state[u.ID], action)
	payload := w.blockActions(u, container, action)
	name := r.Name
	if r.im != "" {
		name = "directmessage"
	}
	payload["channel"] = object{"id": r.ID, "name": name}
	payload["state"] = object{"values": m.state[u.ID]}
	payload["response_url"] = w.replyURL(u.ID, r.ID, thread, m.ts)
	payload["trigger_id"] = w.trigger(u.ID, "")
	if m.only == "" {
		payload["message"] = w.json(m) // what only one person sees has no place in the payload
	}
	return clone(payload), Result{}
}

func (w *Workspace) pressedInView(p Press) (object, Result) {
	u, ok := w.user(p.User)
	v := w.byID(p.ViewID)
	if !ok || v == nil || v.owner != u.ID {
		return nil, Result{Error: "not_found"}
	}
	blocks, _ := v.body["blocks"].([]any)
	action, result := w.acted(blocks, p)
	if action == nil {
		return nil, result
	}
	w.keep(v.state, action)
	payload := w.blockActions(u, object{"type": "view", "view_id": v.id}, action)
	payload["view"] = v.json()
	payload["trigger_id"] = w.trigger(u.ID, v.id)
	return clone(payload), Result{}
}

// acted makes the entry of "actions" for a click on an element.
func (w *Workspace) acted(blocks []any, p Press) (object, Result) {
	found := findElement(blocks, p.BlockID, p.ActionID)
	if found == nil && !p.Stale {
		return nil, Result{Error: "no_such_action"}
	}
	if found == nil {
		return w.outdated(p), Result{}
	}
	if confirm, ok := found.element["confirm"].(object); ok && !p.Confirmed {
		return nil, Result{Error: "needs_confirmation", Confirm: clone(confirm)}
	}
	action, err := chosen(found.element, p.Value)
	if err != nil {
		return nil, Result{Error: err.Error()}
	}
	for _, key := range []string{"text", "style", "placeholder"} {
		if v, ok := found.element[key]; ok {
			action[key] = v
		}
	}
	action["action_id"], action["block_id"], action["action_ts"] = p.ActionID, found.blockID(), w.mint()
	return action, Result{}
}

// outdated is a click that was on its way while the message changed.
func (w *Workspace) outdated(p Press) object {
	block := p.BlockID
	if block == "" {
		block = w.id("blk")
	}
	action := object{
		"type": "button", "action_id": p.ActionID, "block_id": block, "action_ts": w.mint(),
		"text": object{"type": "plain_text", "text": "Button", "emoji": true},
	}
	var value string
	if json.Unmarshal(p.Value, &value) == nil && value != "" {
		action["value"] = value
	}
	return action
}

// keep stores the choice of an action in a state.
func (w *Workspace) keep(state, action object) {
	kind := action["type"]
	if stateless(kind) {
		return
	}
	block, _ := action["block_id"].(string)
	id, _ := action["action_id"].(string)
	put(state, block, id, object{"type": kind, valueKey(kind): action[valueKey(kind)]})
}

func (w *Workspace) blockActions(u User, container, action object) object {
	return object{
		"type": "block_actions", "token": "verification", "api_app_id": AppID, "user": u.actor(), "container": container,
		"team": object{"id": TeamID, "domain": teamDomain}, "enterprise": nil, "is_enterprise_install": false,
		"actions": []any{action},
	}
}

// actor is the user object of interaction payloads.
func (u User) actor() object {
	return object{"id": u.ID, "username": u.Name, "name": u.Name, "team_id": u.team()}
}
