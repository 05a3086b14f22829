package slacktest

import (
	"encoding/json"
	"fmt"
	"unicode/utf8"

	"redis-session-bot/internal/slack/slacktest/blockkit"
)

const (
	postChars    = 40000 // chat.postMessage cuts longer text
	updateChars  = 4000  // chat.update refuses longer text
	maxAttached  = 100
	metadataSize = 8000
)

// content is what a message says: the arguments that every posting method has.
type content struct {
	text     string
	blocks   []any
	attached []any
	metadata object
	// given says which of them the call had: chat.update treats an empty list unlike an absent one.
	givenText, givenBlocks bool
}

// content reads and judges the arguments that make up a message.
func (w *Workspace) content(args arguments) (content, *refusal) {
	c := content{text: args.text("text"), givenText: args.has("text")}
	if markdown := args.text("markdown_text"); markdown != "" {
		if args.has("blocks") || args.has("text") {
			return c, refuse("markdown_text_conflict")
		}
		if utf8.RuneCountInString(markdown) > 12000 {
			return c, refuse("msg_too_long")
		}
		c.text = markdown
	}
	var bad *refusal
	if c.blocks, c.givenBlocks, bad = w.blocks(args); bad != nil {
		return c, bad
	}
	attached, ok := args.decoded("attachments")
	list, isList := attached.([]any)
	switch {
	case !ok, attached != nil && !isList:
		return c, refuse("invalid_attachments")
	case len(list) > maxAttached:
		return c, refuse("too_many_attachments")
	}
	c.attached = list
	if bad := w.attachments(list); bad != nil {
		return c, bad
	}
	c.metadata, bad = metadata(args)
	return c, bad
}

// blocks reads the blocks of a message, which are a JSON list, or that list as a string.
func (w *Workspace) blocks(args arguments) (blocks []any, given bool, bad *refusal) {
	value, ok := args.decoded("blocks")
	if !ok {
		return nil, false, refuse("invalid_blocks_format")
	}
	if value == nil {
		return nil, false, nil
	}
	list, isList := value.([]any)
	if !isList {
		return nil, false, refuse("invalid_blocks_format")
	}
	if bad := w.judgeBlocks(list); bad != nil {
		return nil, false, bad
	}
	return list, true, nil
}

func (w *Workspace) judgeBlocks(blocks []any) *refusal {
	if problems := w.kit.Blocks(blockkit.Message, blocks, "/blocks"); len(problems) > 0 {
		return invalidBlocks("invalid_blocks", problems)
	}
	if n := chars(blocks); n > w.opts.Limits.BlocksChars {
		bad := refuse("msg_blocks_too_long")
		bad.detail = fmt.Sprintf("%d characters of blocks, %d are safe", n, w.opts.Limits.BlocksChars)
		return bad
	}
	return nil
}

func (w *Workspace) attachments(list []any) *refusal {
	for i, a := range list {
		attachment, ok := a.(object)
		if !ok {
			return refuse("invalid_attachments")
		}
		blocks, has := attachment["blocks"].([]any)
		if !has {
			continue
		}
		if problems := w.kit.Blocks(blockkit.Message, blocks, fmt.Sprintf("/attachments/%d/blocks", i)); len(problems) > 0 {
			return invalidBlocks("invalid_attachments", problems)
		}
		w.blockIDs(blocks)
	}
	return nil
}

// chars counts the code points of a value as compact JSON.
func chars(v any) int {
	raw, err := json.Marshal(v)
	if err != nil {
		return 0
	}
	return utf8.RuneCount(raw)
}

// invalidBlocks is the refusal of blocks in a message: the same list twice, as Slack sends it.
func invalidBlocks(code string, problems []blockkit.Problem) *refusal {
	plain, marked := make([]string, len(problems)), make([]string, len(problems))
	for i, p := range problems {
		plain[i], marked[i] = p.String(), "[ERROR] "+p.String()
	}
	bad := refuseWith(code, marked)
	bad.extra["errors"] = plain
	return bad
}

// metadata reads a message's metadata. slack-go sends an empty one along with response URLs; that is none.
func metadata(args arguments) (object, *refusal) {
	value, ok := args.decoded("metadata")
	if !ok {
		return nil, refuse("invalid_metadata_format")
	}
	if value == nil {
		return nil, nil
	}
	m, ok := value.(object)
	if !ok {
		return nil, refuse("invalid_metadata_format")
	}
	kind, _ := m["event_type"].(string)
	payload, isObject := m["event_payload"].(object)
	switch {
	case kind == "" && len(payload) == 0:
		return nil, nil
	case kind == "" || !isObject:
		return nil, refuse("invalid_metadata_format")
	case chars(m) > metadataSize:
		return nil, refuse("metadata_too_large")
	}
	return m, nil
}

// cut shortens text on a rune border.
func cut(s string, runes int) string {
	if utf8.RuneCountInString(s) <= runes {
		return s
	}
	return string([]rune(s)[:runes])
}
