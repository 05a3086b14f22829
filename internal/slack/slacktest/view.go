package slacktest

import (
	"encoding/json"
	"fmt"
	"slices"

	"redis-session-bot/internal/slack/slacktest/blockkit"
)

const (
	maxViewBytes = 250 * 1000
	maxStack     = 3
)

// view is a modal that is open for somebody, or their home tab.
type view struct {
	id, root, previous string
	owner              string
	body               object
	hash               string
	state              object // block id → action id → value, of what its owner filled in
}

func (w *Workspace) newView(owner string, body object) *view {
	v := &view{id: w.id("V"), owner: owner, body: body, state: object{}}
	v.root = v.id
	w.fill(v, body)
	return v
}

// fill gives a view its content, a new hash, and the state of the inputs that it still has.
func (w *Workspace) fill(v *view, body object) {
	blocks, _ := body["blocks"].([]any)
	w.blockIDs(blocks)
	v.body, v.hash = body, fmt.Sprintf("%d.%s", w.now().Unix(), secret()[:8])
	before := v.state
	v.state = initial(blocks)
	for block, actions := range before {
		for action, value := range actions.(object) {
			if findElement(blocks, block, action) != nil {
				put(v.state, block, action, value)
			}
		}
	}
}

// json is the view object of the Web API and of payloads.
func (v *view) json() object {
	out := object{
		"id": v.id, "team_id": TeamID, "app_id": AppID, "app_installed_team_id": TeamID, "bot_id": BotID, "hash": v.hash,
		"root_view_id": v.root, "previous_view_id": nil, "private_metadata": "", "callback_id": "", "external_id": "",
		"title": nil, "close": nil, "submit": nil, "clear_on_close": false, "notify_on_close": false, "submit_disabled": false,
		"state": object{"values": v.state},
	}
	if v.previous != "" {
		out["previous_view_id"] = v.previous
	}
	for key, value := range v.body {
		out[key] = value
	}
	return out
}

// viewBody reads and judges the view of a call, or of an answer to a submission.
func (w *Workspace) viewBody(value any, surface blockkit.Surface, at string) (object, *refusal) {
	body, ok := value.(object)
	if !ok {
		return nil, refuseWith("invalid_arguments", []string{"[ERROR] must provide an object [json-pointer:" + at + "]"})
	}
	raw, err := json.Marshal(body)
	if err != nil || len(raw) > maxViewBytes {
		return nil, refuse("view_too_large")
	}
	if problems := w.kit.View(surface, body, at); len(problems) > 0 {
		messages := make([]string, len(problems))
		for i, p := range problems {
			messages[i] = "[ERROR] " + p.String()
		}
		return nil, refuseWith("invalid_arguments", messages)
	}
	if ext, _ := body["external_id"].(string); ext != "" && w.byExternal(ext) != nil {
		return nil, refuse("duplicate_external_id")
	}
	return body, nil
}

func (w *Workspace) viewArgument(args arguments, surface blockkit.Surface) (object, *refusal) {
	value, ok := args.decoded("view")
	if !ok {
		return nil, refuseWith("invalid_arguments", []string{"[ERROR] must be valid JSON [json-pointer:/view]"})
	}
	return w.viewBody(value, surface, "/view")
}

func (w *Workspace) byExternal(id string) *view {
	for _, stack := range w.stacks {
		for _, v := range stack {
			if v.body["external_id"] == id {
				return v
			}
		}
	}
	return nil
}

func (w *Workspace) byID(id string) *view {
	for _, stack := range w.stacks {
		for _, v := range stack {
			if v.id == id {
				return v
			}
		}
	}
	for _, v := range w.homes {
		if v.id == id {
			return v
		}
	}
	return nil
}

func (w *Workspace) viewsOpen(args arguments) (object, *refusal) {
	body, bad := w.viewArgument(args, blockkit.Modal)
	if bad != nil {
		return nil, bad
	}
	t, bad := w.exchange(args)
	if bad != nil {
		return nil, bad
	}
	v := w.newView(t.user, body)
	w.stacks[t.user] = []*view{v}
	w.nudge(nudge{Type: "view"})
	return object{"view": v.json()}, nil
}

func (w *Workspace) viewsPush(args arguments) (object, *refusal) {
	body, bad := w.viewArgument(args, blockkit.Modal)
	if bad != nil {
		return nil, bad
	}
	t, bad := w.exchange(args)
	if bad != nil {
		return nil, bad
	}
	if t.view == "" || len(w.stacks[t.user]) == 0 {
		return nil, refuse("not_found") // pushing takes a trigger from within an open modal
	}
	v, bad := w.push(t.user, body)
	if bad != nil {
		return nil, bad
	}
	return object{"view": v.json()}, nil
}

func (w *Workspace) push(user string, body object) (*view, *refusal) {
	stack := w.stacks[user]
	if len(stack) >= maxStack {
		return nil, refuse("push_limit_reached")
	}
	v := w.newView(user, body)
	v.root, v.previous = stack[0].id, stack[len(stack)-1].id
	w.stacks[user] = append(stack, v)
	w.nudge(nudge{Type: "view"})
	return v, nil
}

func (w *Workspace) viewsUpdate(args arguments) (object, *refusal) {
	var v *view
	switch {
	case args.has("view_id"):
		v = w.byID(args.text("view_id"))
	case args.has("external_id"):
		v = w.byExternal(args.text("external_id"))
	default:
		return nil, refuseWith("invalid_arguments", []string{"[ERROR] missing required field: view_id"})
	}
	if v == nil {
		return nil, refuse("not_found")
	}
	if hash := args.text("hash"); hash != "" && hash != v.hash {
		return nil, refuse("hash_conflict")
	}
	keep := v.body["external_id"]
	delete(v.body, "external_id") // a view may keep its own
	body, bad := w.viewArgument(args, surfaceOf(v))
	if keep != nil {
		v.body["external_id"] = keep
	}
	if bad != nil {
		return nil, bad
	}
	w.fill(v, body)
	w.nudge(nudge{Type: "view"})
	return object{"view": v.json()}, nil
}

func surfaceOf(v *view) blockkit.Surface {
	if v.body["type"] == string(blockkit.Home) {
		return blockkit.Home
	}
	return blockkit.Modal
}

func (w *Workspace) viewsPublish(args arguments) (object, *refusal) {
	user := args.text("user_id")
	if u, ok := w.user(user); !ok || u.Bot {
		return nil, refuseWith("invalid_arguments", []string{"[ERROR] invalid `user_id`"})
	}
	v := w.homes[user]
	if hash := args.text("hash"); v != nil && hash != "" && hash != v.hash {
		return nil, refuse("hash_conflict")
	}
	body, bad := w.viewArgument(args, blockkit.Home)
	if bad != nil {
		return nil, bad
	}
	if v == nil {
		v = w.newView(user, body)
		w.homes[user] = v
	} else {
		w.fill(v, body)
	}
	w.nudge(nudge{Type: "view"})
	return object{"view": v.json()}, nil
}

// top is the modal that a user has in front of them.
func (w *Workspace) top(user string) *view {
	stack := w.stacks[user]
	if len(stack) == 0 {
		return nil
	}
	return stack[len(stack)-1]
}

// pop closes a view and what lies over it.
func (w *Workspace) pop(v *view) {
	stack := w.stacks[v.owner]
	i := slices.Index(stack, v)
	if i < 0 {
		return
	}
	w.stacks[v.owner] = stack[:i]
	w.nudge(nudge{Type: "view"})
}
