package slacktest

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"unicode/utf8"

	"redis-session-bot/internal/slack/slacktest/blockkit"
)

// Submission is a modal as somebody fills it in and submits it.
type Submission struct {
	User   string                                `json:"user"`
	ViewID string                                `json:"viewId"`
	Values map[string]map[string]json.RawMessage `json:"values"` // block id → action id → value
}

// Submit sends a modal to the app and waits for the acknowledgement, up to 3 s. What is missing in it is told at once,
// without asking the app, as Slack's client does.
func (w *Workspace) Submit(s Submission) Result {
	if !w.enter() {
		return Result{Error: "closed"}
	}
	defer w.work.Done()
	w.mu.Lock()
	v, payload, result := w.submitted(s)
	w.mu.Unlock()
	if payload == nil {
		return result
	}
	callback := payload["view"].(object)["callback_id"]
	var errs map[string]string
	var bad *refusal
	out := w.deliver(&envelope{
		kind: interactions, what: fmt.Sprintf("submission of %v", callback), takes: true, payload: payload,
		heard: func(answer json.RawMessage) {
			if errs, bad = w.answered(v, answer); bad != nil {
				w.breach(AckBad, "submission of %v: %s: %s", callback, bad.code, bad.detail)
			}
		},
	})
	if !out.acked {
		return timedOut(out)
	}
	result = Result{OK: bad == nil, AckMs: out.took.Milliseconds(), Errors: errs}
	if bad != nil {
		result.Error = bad.code
	}
	return result
}

// submitted makes the view_submission payload, or says why there is none. The caller holds w.mu.
func (w *Workspace) submitted(s Submission) (*view, object, Result) {
	u, ok := w.user(s.User)
	v := w.byID(s.ViewID)
	switch {
	case !ok || v == nil || v.owner != u.ID:
		return nil, nil, Result{Error: "not_found"}
	case v != w.top(u.ID):
		return nil, nil, Result{Error: "not_on_top"}
	case v.body["submit"] == nil:
		return nil, nil, Result{Error: "no_submit"}
	}
	blocks, _ := v.body["blocks"].([]any)
	for block, actions := range s.Values {
		for action, raw := range actions {
			found := findElement(blocks, block, action)
			if found == nil {
				return nil, nil, Result{Error: "no_such_action"}
			}
			value, err := chosen(found.element, raw)
			if err != nil {
				return nil, nil, Result{Error: err.Error()}
			}
			put(v.state, block, action, value)
		}
	}
	if errs := incomplete(blocks, v.state); len(errs) > 0 {
		return nil, nil, Result{OK: true, Errors: errs}
	}
	payload := object{
		"type": "view_submission", "token": "verification", "api_app_id": AppID, "user": u.actor(),
		"team": object{"id": TeamID, "domain": teamDomain}, "trigger_id": w.trigger(u.ID, v.id), "view": v.json(),
		"response_urls": []any{}, "is_enterprise_install": false, "enterprise": nil,
	}
	return v, clone(payload), Result{}
}

// incomplete is what Slack's client itself finds wrong with a filled-in modal, by block.
func incomplete(blocks []any, state object) map[string]string {
	errs := map[string]string{}
	locate(blocks, func(l located) bool {
		if l.block["type"] != "input" {
			return true
		}
		action, _ := l.element["action_id"].(string)
		actions, _ := state[l.blockID()].(object)
		value, _ := actions[action].(object)
		if empty(value) {
			if l.block["optional"] != true {
				errs[l.blockID()] = "Please complete this required field."
			}
			return true
		}
		if why := outOfBounds(l.element, value); why != "" {
			errs[l.blockID()] = why
		}
		return true
	})
	return errs
}

func outOfBounds(element, value object) string {
	text, isText := value["value"].(string)
	if !isText {
		return ""
	}
	n := float64(utf8.RuneCountInString(text))
	if low, ok := element["min_length"].(float64); ok && n < low {
		return fmt.Sprintf("This must be at least %v characters long.", low)
	}
	if high, ok := element["max_length"].(float64); ok && n > high {
		return fmt.Sprintf("This must be at most %v characters long.", high)
	}
	if element["type"] != "number_input" {
		return ""
	}
	number, err := strconv.ParseFloat(text, 64)
	if err != nil || (element["is_decimal_allowed"] != true && number != float64(int64(number))) {
		return "This must be a number."
	}
	for key, outside := range map[string]func(limit float64) bool{
		"min_value": func(limit float64) bool { return number < limit },
		"max_value": func(limit float64) bool { return number > limit },
	} {
		s, _ := element[key].(string)
		if limit, err := strconv.ParseFloat(s, 64); err == nil && outside(limit) {
			return "This number is out of range."
		}
	}
	return ""
}

// answered does what the acknowledgement of a submission says; an empty one closes the view.
func (w *Workspace) answered(v *view, payload json.RawMessage) (map[string]string, *refusal) {
	if !filled(payload) {
		w.pop(v)
		return nil, nil
	}
	var answer struct {
		Action string            `json:"response_action"`
		Errors map[string]string `json:"errors"`
		View   any               `json:"view"`
	}
	if err := json.Unmarshal(payload, &answer); err != nil {
		return nil, refuse("invalid_response")
	}
	switch answer.Action {
	case "errors":
		return answer.Errors, w.addressed(v, answer.Errors)
	case "clear":
		w.stacks[v.owner] = nil
		w.nudge(nudge{Type: "view"})
		return nil, nil
	case "update", "push":
		body, bad := w.viewBody(answer.View, blockkit.Modal, "/view")
		if bad != nil {
			return nil, bad
		}
		if answer.Action == "push" {
			_, bad = w.push(v.owner, body)
			return nil, bad
		}
		w.fill(v, body)
		w.nudge(nudge{Type: "view"})
		return nil, nil
	case "":
		w.pop(v)
		return nil, nil
	}
	return nil, refuse("invalid_response_action")
}

// addressed holds errors against the view's blocks: Slack shows none that belongs to no input.
func (w *Workspace) addressed(v *view, errs map[string]string) *refusal {
	blocks, _ := v.body["blocks"].([]any)
	for _, id := range slices.Sorted(maps.Keys(errs)) {
		input := func(b any) bool {
			block, ok := b.(object)
			return ok && block["block_id"] == id && block["type"] == "input"
		}
		if !slices.ContainsFunc(blocks, input) {
			bad := refuse("invalid_response_errors")
			bad.detail = "no input block is called " + strconv.Quote(id)
			return bad
		}
	}
	if len(errs) == 0 {
		return refuse("invalid_response_errors")
	}
	return nil
}

// Closing is a modal that somebody closes.
type Closing struct {
	User   string `json:"user"`
	ViewID string `json:"viewId"`
}

// CloseView closes a modal, or the whole stack when the modal says clear_on_close; the app hears of it when the modal
// says notify_on_close.
func (w *Workspace) CloseView(c Closing) Result {
	if !w.enter() {
		return Result{Error: "closed"}
	}
	defer w.work.Done()
	w.mu.Lock()
	u, ok := w.user(c.User)
	v := w.byID(c.ViewID)
	if !ok || v == nil || v.owner != u.ID || w.top(u.ID) == nil {
		w.mu.Unlock()
		return Result{Error: "not_found"}
	}
	cleared := v.body["clear_on_close"] == true
	notify := v.body["notify_on_close"] == true
	payload := clone(object{
		"type": "view_closed", "token": "verification", "api_app_id": AppID, "user": u.actor(),
		"team": object{"id": TeamID, "domain": teamDomain}, "view": v.json(), "is_cleared": cleared,
		"is_enterprise_install": false, "enterprise": nil,
	})
	w.pop(v)
	if cleared {
		w.stacks[u.ID] = nil
	}
	w.mu.Unlock()
	if !notify {
		return Result{OK: true}
	}
	out := w.deliver(&envelope{kind: interactions, what: "closing of a view", payload: payload})
	if !out.acked {
		return timedOut(out)
	}
	return Result{OK: true, AckMs: out.took.Milliseconds()}
}
