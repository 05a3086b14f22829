package slacktest

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
)

// elements are the interactive parts of a block, wherever they stand in it.
func elements(block object) []object {
	var out []object
	take := func(v any) {
		if e, ok := v.(object); ok {
			out = append(out, e)
		}
	}
	take(block["accessory"])
	take(block["element"])
	for _, key := range []string{"elements", "actions"} {
		list, _ := block[key].([]any)
		for _, v := range list {
			take(v)
		}
	}
	return out
}

// interactive says whether an element can be acted on, and so has an action_id.
func interactive(e object) bool {
	switch e["type"] {
	case "image", "plain_text", "mrkdwn", "rich_text_section", "rich_text_list", "rich_text_quote", "rich_text_preformatted", "card":
		return false
	}
	return e["type"] != nil
}

// located is an element, and the block that it stands in.
type located struct {
	element object
	block   object
}

func (l located) blockID() string { s, _ := l.block["block_id"].(string); return s }

// locate walks blocks, and the blocks within them.
func locate(blocks []any, each func(located) bool) bool {
	for _, b := range blocks {
		block, ok := b.(object)
		if !ok {
			continue
		}
		for _, e := range elements(block) {
			if interactive(e) && !each(located{e, block}) {
				return false
			}
		}
		for _, key := range []string{"child_blocks", "elements"} {
			if inner, ok := block[key].([]any); ok && (block["type"] == "container" || block["type"] == "carousel") && !locate(inner, each) {
				return false
			}
		}
	}
	return true
}

// findElement finds an element by its ids; an empty block id matches any block.
func findElement(blocks []any, block, action string) *located {
	var found *located
	locate(blocks, func(l located) bool {
		if l.element["action_id"] == action && (block == "" || l.blockID() == block) {
			found = &l
		}
		return found == nil
	})
	return found
}

// put stores a value of a state.
func put(state object, block, action string, value any) {
	actions, ok := state[block].(object)
	if !ok {
		actions = object{}
		state[block] = actions
	}
	actions[action] = value
}

// stateless elements act and hold no value.
func stateless(kind any) bool {
	return slices.Contains([]any{"button", "overflow", "workflow_button", "icon_button", "feedback_buttons"}, kind)
}

// initial is the state of blocks that nobody has touched.
func initial(blocks []any) object {
	state := object{}
	locate(blocks, func(l located) bool {
		kind := l.element["type"]
		if stateless(kind) {
			return true
		}
		value := object{"type": kind}
		value[valueKey(kind)] = nil
		for _, key := range []string{
			"initial_option", "initial_options", "initial_value", "initial_user", "initial_users", "initial_channel",
			"initial_channels", "initial_conversation", "initial_conversations", "initial_date", "initial_time", "initial_date_time",
		} {
			if v, ok := l.element[key]; ok {
				value[valueKey(kind)] = v
			}
		}
		if value[valueKey(kind)] == nil && plural(kind) {
			value[valueKey(kind)] = []any{}
		}
		action, _ := l.element["action_id"].(string)
		put(state, l.blockID(), action, value)
		return true
	})
	return state
}

// valueKey is the field that carries the value of an element's kind.
func valueKey(kind any) string {
	switch kind {
	case "static_select", "external_select", "radio_buttons", "overflow":
		return "selected_option"
	case "multi_static_select", "multi_external_select", "checkboxes":
		return "selected_options"
	case "users_select":
		return "selected_user"
	case "multi_users_select":
		return "selected_users"
	case "channels_select":
		return "selected_channel"
	case "multi_channels_select":
		return "selected_channels"
	case "conversations_select":
		return "selected_conversation"
	case "multi_conversations_select":
		return "selected_conversations"
	case "datepicker":
		return "selected_date"
	case "timepicker":
		return "selected_time"
	case "datetimepicker":
		return "selected_date_time"
	case "rich_text_input":
		return "rich_text_value"
	case "file_input":
		return "files"
	}
	return "value"
}

func plural(kind any) bool {
	return slices.Contains([]string{"selected_options", "selected_users", "selected_channels", "selected_conversations", "files"}, valueKey(kind))
}

// chosen is the value object of an element after a person chose raw: a JSON value, for selects the option's own value.
func chosen(element object, raw json.RawMessage) (object, error) {
	kind := element["type"]
	out := object{"type": kind}
	key := valueKey(kind)
	var value any
	if len(raw) > 0 {
		if err := json.Unmarshal(raw, &value); err != nil {
			return nil, fmt.Errorf("value: %w", err)
		}
	}
	switch {
	case stateless(kind) && kind != "overflow":
		if v, ok := element["value"]; ok {
			out["value"] = v
		} else if kind == "feedback_buttons" {
			out["value"] = value
		}
		return out, nil
	case value == nil || value == "":
		out[key] = nil
		if plural(kind) {
			out[key] = []any{}
		}
		return out, nil
	case plural(kind):
		return choices(element, out, key, value)
	case key == "selected_option":
		option := findOption(element, value)
		if option == nil {
			return nil, fmt.Errorf("no_such_option")
		}
		out[key] = option
		return out, nil
	case kind == "datetimepicker":
		if s, ok := value.(string); ok {
			n, err := strconv.ParseInt(s, 10, 64)
			if err != nil {
				return nil, fmt.Errorf("no_such_option")
			}
			value = n
		}
	}
	if n, ok := value.(float64); ok && key == "value" {
		value = strconv.FormatFloat(n, 'f', -1, 64)
	}
	out[key] = value
	return out, nil
}

func choices(element, out object, key string, value any) (object, error) {
	list, ok := value.([]any)
	if !ok {
		list = []any{value}
	}
	picked := []any{}
	for _, v := range list {
		if key != "selected_options" {
			picked = append(picked, v)
			continue
		}
		option := findOption(element, v)
		if option == nil {
			return nil, fmt.Errorf("no_such_option")
		}
		picked = append(picked, option)
	}
	out[key] = picked
	return out, nil
}

// findOption finds an option of a select by its value, in groups too; an option object is taken by its value.
func findOption(element object, value any) any {
	if o, ok := value.(object); ok {
		value = o["value"]
	}
	lists := []any{element["options"]}
	groups, _ := element["option_groups"].([]any)
	for _, g := range groups {
		if group, ok := g.(object); ok {
			lists = append(lists, group["options"])
		}
	}
	for _, l := range lists {
		options, _ := l.([]any)
		for _, o := range options {
			if option, ok := o.(object); ok && option["value"] == value {
				return option
			}
		}
	}
	return nil
}

// empty says whether a value object holds nothing: a required input must not.
func empty(value object) bool {
	v := value[valueKey(value["type"])]
	list, isList := v.([]any)
	return v == nil || v == "" || (isList && len(list) == 0)
}
