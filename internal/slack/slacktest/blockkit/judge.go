package blockkit

import (
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"
)

const (
	plainText = "plain_text"
	mrkdwn    = "mrkdwn"

	// maxMessageBlocks is the number of blocks of a message; limits.json knows a view's only.
	maxMessageBlocks = 50
	// markdownChars is the sum over all markdown blocks of one message.
	markdownChars = 12000
)

// Problem is one thing that Slack refuses.
type Problem struct {
	Text    string
	Pointer string // JSON pointer to the offending value
}

// String is the problem as Slack words it.
func (p Problem) String() string { return p.Text + " [json-pointer:" + p.Pointer + "]" }

// judge collects the problems of one piece of Block Kit.
type judge struct {
	schema   *Schema
	surface  Surface
	problems []Problem
	blockIDs map[string]bool
	focused  int
	markdown int
}

// Blocks judges the blocks of a message (or of a view, without the rest of it). at is the JSON pointer to the list.
func (s *Schema) Blocks(surface Surface, blocks []any, at string) []Problem {
	j := &judge{schema: s, surface: surface, blockIDs: map[string]bool{}}
	most := maxMessageBlocks
	if surface != Message {
		most = s.views[string(surface)].Props["blocks"].MaxItems
	}
	j.blocks(blocks, at, most)
	return j.problems
}

// View judges a modal or a home tab as a whole. at is the JSON pointer to it.
func (s *Schema) View(surface Surface, view map[string]any, at string) []Problem {
	j := &judge{schema: s, surface: surface, blockIDs: map[string]bool{}}
	kind, _ := view["type"].(string)
	if kind != string(surface) {
		j.say(at+"/type", "must be %q", surface)
		return j.problems
	}
	j.object(s.views[kind], view, at)
	blocks, _ := view["blocks"].([]any)
	input := slices.ContainsFunc(blocks, func(b any) bool {
		block, ok := b.(map[string]any)
		return ok && block["type"] == "input"
	})
	if surface == Modal && input && view["submit"] == nil {
		j.say(at, "missing required field: submit (a modal with an input block needs it)")
	}
	return j.problems
}

func (j *judge) say(at, format string, args ...any) {
	j.problems = append(j.problems, Problem{Text: fmt.Sprintf(format, args...), Pointer: at})
}

func (j *judge) blocks(blocks []any, at string, most int) {
	if len(blocks) > most {
		j.say(at, "no more than %d items allowed", most)
	}
	seen := map[string]bool{}
	for i, b := range blocks {
		here := fmt.Sprintf("%s/%d", at, i)
		block, ok := b.(map[string]any)
		if !ok {
			j.say(here, "must provide an object")
			continue
		}
		kind, _ := block["type"].(string)
		sh := j.schema.blocks[kind]
		if sh != nil && sh.Alone && seen[kind] {
			j.say(here, "only_one_%s_allowed", kind)
		}
		seen[kind] = true
		j.block(block, here)
	}
}

// block judges one block: known, allowed here, and with ids of its own.
func (j *judge) block(block map[string]any, at string) {
	kind, isText := block["type"].(string)
	sh := j.schema.blocks[kind]
	switch {
	case !isText:
		j.say(at, "missing required field: type")
		return
	case sh == nil, !slices.Contains(sh.On, j.surface):
		j.say(at+"/type", "unsupported type: %s", kind)
		return
	}
	j.object(sh, block, at)
	if id, _ := block["block_id"].(string); id != "" {
		if j.blockIDs[id] {
			j.say(at+"/block_id", "`block_id` must be unique, %q is there twice", id)
		}
		j.blockIDs[id] = true
	}
	j.actionIDs(block, at)
	if text, _ := block["text"].(string); kind == "markdown" {
		j.markdown += utf8.RuneCountInString(text)
		if j.markdown > markdownChars {
			j.say(at+"/text", "all markdown blocks together must be less than %d characters", markdownChars+1)
		}
	}
}

// actionIDs are unique within their block.
func (j *judge) actionIDs(block map[string]any, at string) {
	list, _ := block["elements"].([]any)
	seen := map[string]bool{}
	for i, e := range list {
		element, _ := e.(map[string]any)
		id, _ := element["action_id"].(string)
		if id != "" && seen[id] {
			j.say(fmt.Sprintf("%s/elements/%d/action_id", at, i), "`action_id` must be unique within its block, %q is there twice", id)
		}
		seen[id] = true
	}
}

// object judges an object's fields against its shape.
func (j *judge) object(sh *shape, o map[string]any, at string) {
	for _, name := range sh.Needs {
		if _, ok := o[name]; !ok {
			j.say(at, "missing required field: %s", name)
		}
	}
	given := func(names []string) (n int) {
		for _, name := range names {
			if _, ok := o[name]; ok {
				n++
			}
		}
		return n
	}
	if len(sh.AnyOf) > 0 && given(sh.AnyOf) == 0 {
		j.say(at, "missing required field: one of %s", strings.Join(sh.AnyOf, ", "))
	}
	if n := given(sh.OneOf); len(sh.OneOf) > 0 && n != 1 {
		j.say(at, "must have exactly one of %s", strings.Join(sh.OneOf, ", "))
	}
	for _, name := range slices.Sorted(maps.Keys(o)) {
		r := sh.Props[name]
		switch {
		case r != nil:
			j.value(r, o[name], at+"/"+name)
		case name != "type":
			j.say(at, "invalid additional property: %s", name)
		}
	}
	if o["focus_on_load"] == true {
		if j.focused++; j.focused > 1 {
			j.say(at+"/focus_on_load", "only one element can have focus_on_load")
		}
	}
}

// value judges one value.
func (j *judge) value(r *rule, v any, at string) {
	if v == nil && r.Nullable {
		return
	}
	switch r.Is {
	case "string":
		s, ok := v.(string)
		if !ok {
			j.say(at, "must provide a string")
			return
		}
		j.text(r, s, at)
	case "boolean":
		if _, ok := v.(bool); !ok {
			j.say(at, "must provide a boolean")
		}
	case "number", "integer":
		j.number(r, v, at)
	case "text":
		j.textObject(r, v, at)
	case "list":
		j.list(r, v, at)
	case "blocks":
		list, ok := v.([]any)
		switch {
		case !ok:
			j.say(at, "must provide an array")
		case len(list) < r.MinItems:
			j.say(at, "no less than %d items allowed", r.MinItems)
		default:
			j.blocks(list, at, r.MaxItems)
		}
	case "object":
		if o, ok := v.(map[string]any); ok {
			j.object(j.schema.objects[r.Shape], o, at)
		} else {
			j.say(at, "must provide an object")
		}
	case "typed":
		j.typed(r, v, at)
	}
}

func (j *judge) text(r *rule, s, at string) {
	n := utf8.RuneCountInString(s)
	switch {
	case r.MaxLength > 0 && n > r.MaxLength:
		j.say(at, "must be less than %d characters", r.MaxLength+1)
	case n < r.MinLength:
		j.say(at, "must be more than %d characters", r.MinLength-1)
	case len(r.Of) > 0 && !slices.Contains(r.Of, s):
		j.say(at, "must be one of: %s", strings.Join(r.Of, ", "))
	case r.pattern != nil && !r.pattern.MatchString(s):
		j.say(at, "must match %s", r.Pattern)
	case r.URL:
		if u, err := url.Parse(s); err != nil || u.Host == "" || (u.Scheme != "https" && u.Scheme != "http") {
			j.say(at, "must be a valid URL")
		}
	}
}

func (j *judge) number(r *rule, v any, at string) {
	n, ok := v.(float64)
	switch {
	case !ok:
		j.say(at, "must provide a number")
	case r.Is == "integer" && n != float64(int64(n)):
		j.say(at, "must be an integer")
	case r.Min != nil && n < *r.Min:
		j.say(at, "must be at least %v", *r.Min)
	case r.Max != nil && n > *r.Max:
		j.say(at, "must be at most %v", *r.Max)
	}
}

// textObject judges a text object: which of the two kinds, and the text's length.
func (j *judge) textObject(r *rule, v any, at string) {
	o, ok := v.(map[string]any)
	if !ok {
		j.say(at, "must provide an object")
		return
	}
	kind, _ := o["type"].(string)
	if (kind != plainText && kind != mrkdwn) || (r.Only != "" && kind != r.Only) {
		if r.Only != "" {
			j.say(at+"/type", "must be %q", r.Only)
		} else {
			j.say(at+"/type", "must be %q or %q", plainText, mrkdwn)
		}
		return
	}
	flag := map[string]string{plainText: "emoji", mrkdwn: "verbatim"}[kind]
	for _, name := range slices.Sorted(maps.Keys(o)) {
		switch name {
		case "type", "text":
		case flag:
			if _, ok := o[name].(bool); !ok {
				j.say(at+"/"+name, "must provide a boolean")
			}
		default:
			j.say(at, "invalid additional property: %s", name)
		}
	}
	s, ok := o["text"].(string)
	if !ok {
		j.say(at, "missing required field: text")
		return
	}
	bounded := *r
	bounded.MinLength = max(1, r.MinLength)
	bounded.Of, bounded.URL = nil, false
	if bounded.MaxLength == 0 {
		bounded.MaxLength = 3000
	}
	j.text(&bounded, s, at+"/text")
}

func (j *judge) list(r *rule, v any, at string) {
	list, ok := v.([]any)
	if !ok {
		j.say(at, "must provide an array")
		return
	}
	if r.MaxItems > 0 && len(list) > r.MaxItems {
		j.say(at, "no more than %d items allowed", r.MaxItems)
	}
	if len(list) < r.MinItems {
		j.say(at, "no less than %d items allowed", r.MinItems)
	}
	for i, item := range list {
		j.value(r.Each, item, fmt.Sprintf("%s/%d", at, i))
	}
}

// typed judges an object by the type that it names itself.
func (j *judge) typed(r *rule, v any, at string) {
	o, ok := v.(map[string]any)
	if !ok {
		j.say(at, "must provide an object")
		return
	}
	kind, ok := o["type"].(string)
	switch {
	case !ok:
		j.say(at, "missing required field: type")
	case !slices.Contains(r.Of, kind):
		j.say(at+"/type", "unsupported type: %s", kind)
	case kind == plainText, kind == mrkdwn:
		j.textObject(&rule{Only: kind}, v, at)
	case j.schema.elements[kind] != nil:
		j.object(j.schema.elements[kind], o, at)
	default:
		j.block(o, at)
	}
}
