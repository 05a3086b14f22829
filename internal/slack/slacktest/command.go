package slacktest

import (
	"encoding/json"
	"slices"
)

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
