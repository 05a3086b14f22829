package blockkit_test

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"

	"redis-session-bot/internal/slack/slacktest/blockkit"
)

func load(t testing.TB) *blockkit.Schema {
	t.Helper()
	s, err := blockkit.Load()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func parse(t testing.TB, s string) any {
	t.Helper()
	var v any
	if err := json.Unmarshal([]byte(s), &v); err != nil {
		t.Fatalf("%v in %s", err, s)
	}
	return v
}

func lines(problems []blockkit.Problem) string {
	var out []string
	for _, p := range problems {
		out = append(out, p.String())
	}
	return strings.Join(out, "\n")
}

// runes is a string of n code points, each more than one byte long.
func runes(n int) string { return strings.Repeat("é", n) }

func section(text string) string {
	return fmt.Sprintf(`{"type":"section","text":{"type":"mrkdwn","text":%q}}`, text)
}

func actions(elements ...string) string {
	return `{"type":"actions","elements":[` + strings.Join(elements, ",") + `]}`
}

func many(n int, item string) string {
	return strings.TrimSuffix(strings.Repeat(item+",", n), ",")
}

func numbered(n int, format string) string {
	out := make([]string, n)
	for i := range out {
		out[i] = fmt.Sprintf(format, i)
	}
	return strings.Join(out, ",")
}

func TestBlocks(t *testing.T) {
	const (
		button = `{"type":"button","text":{"type":"plain_text","text":"x"}%s}`
		option = `{"text":{"type":"plain_text","text":"o"},"value":"%d"}`
	)
	for name, c := range map[string]struct {
		surface blockkit.Surface // message unless told
		blocks  string
		want    string // each line a problem; empty for none
	}{
		"a section of 3000 code points":  {blocks: section(runes(3000))},
		"a section of 3001":              {blocks: section(runes(3001)), want: "must be less than 3001 characters [json-pointer:/blocks/0/text/text]"},
		"an empty section":               {blocks: section(""), want: "must be more than 0 characters [json-pointer:/blocks/0/text/text]"},
		"a section of nothing":           {blocks: `{"type":"section"}`, want: "missing required field: one of text, fields [json-pointer:/blocks/0]"},
		"ten fields":                     {blocks: `{"type":"section","fields":[` + many(10, `{"type":"mrkdwn","text":"f"}`) + `]}`},
		"eleven fields":                  {blocks: `{"type":"section","fields":[` + many(11, `{"type":"mrkdwn","text":"f"}`) + `]}`, want: "no more than 10 items allowed [json-pointer:/blocks/0/fields]"},
		"a field of 2000":                {blocks: `{"type":"section","fields":[{"type":"plain_text","text":"` + runes(2000) + `"}]}`},
		"a field of 2001":                {blocks: `{"type":"section","fields":[{"type":"plain_text","text":"` + runes(2001) + `"}]}`, want: "must be less than 2001 characters [json-pointer:/blocks/0/fields/0/text]"},
		"fifty blocks":                   {blocks: many(50, `{"type":"divider"}`)},
		"fifty-one blocks":               {blocks: many(51, `{"type":"divider"}`), want: "no more than 50 items allowed [json-pointer:/blocks]"},
		"a hundred blocks in a modal":    {surface: blockkit.Modal, blocks: many(100, `{"type":"divider"}`)},
		"a hundred and one in a modal":   {surface: blockkit.Modal, blocks: many(101, `{"type":"divider"}`), want: "no more than 100 items allowed [json-pointer:/blocks]"},
		"a header of 150":                {blocks: `{"type":"header","text":{"type":"plain_text","text":"` + runes(150) + `"}}`},
		"a header of 151":                {blocks: `{"type":"header","text":{"type":"plain_text","text":"` + runes(151) + `"}}`, want: "must be less than 151 characters [json-pointer:/blocks/0/text/text]"},
		"a header in mrkdwn":             {blocks: `{"type":"header","text":{"type":"mrkdwn","text":"x"}}`, want: `must be "plain_text" [json-pointer:/blocks/0/text/type]`},
		"mrkdwn with emoji":              {blocks: `{"type":"section","text":{"type":"mrkdwn","text":"x","emoji":true}}`, want: "invalid additional property: emoji [json-pointer:/blocks/0/text]"},
		"plain_text with verbatim":       {blocks: `{"type":"section","text":{"type":"plain_text","text":"x","verbatim":true}}`, want: "invalid additional property: verbatim [json-pointer:/blocks/0/text]"},
		"an unknown block":               {blocks: `{"type":"sektion"}`, want: "unsupported type: sektion [json-pointer:/blocks/0/type]"},
		"a block without type":           {blocks: `{}`, want: "missing required field: type [json-pointer:/blocks/0]"},
		"a block that is none":           {blocks: `"x"`, want: "must provide an object [json-pointer:/blocks/0]"},
		"an unknown field":               {blocks: `{"type":"divider","colour":"red"}`, want: "invalid additional property: colour [json-pointer:/blocks/0]"},
		"an unknown element":             {blocks: actions(`{"type":"knob"}`), want: "unsupported type: knob [json-pointer:/blocks/0/elements/0/type]"},
		"an input's element in actions":  {blocks: actions(`{"type":"plain_text_input"}`), want: "unsupported type: plain_text_input [json-pointer:/blocks/0/elements/0/type]"},
		"a file cannot be posted":        {blocks: `{"type":"file","external_id":"x","source":"remote"}`, want: "unsupported type: file [json-pointer:/blocks/0/type]"},
		"markdown in a modal":            {surface: blockkit.Modal, blocks: `{"type":"markdown","text":"# x"}`, want: "unsupported type: markdown [json-pointer:/blocks/0/type]"},
		"12,000 of markdown in two":      {blocks: many(2, `{"type":"markdown","text":"`+runes(6000)+`"}`)},
		"more markdown in two":           {blocks: many(2, `{"type":"markdown","text":"`+runes(6001)+`"}`), want: "all markdown blocks together must be less than 12001 characters [json-pointer:/blocks/1/text]"},
		"two tables":                     {blocks: many(2, `{"type":"table","rows":[[{"type":"raw_text","text":"x"}]]}`), want: "only_one_table_allowed [json-pointer:/blocks/1]"},
		"a block_id twice":               {blocks: many(2, `{"type":"divider","block_id":"d"}`), want: "`block_id` must be unique, \"d\" is there twice [json-pointer:/blocks/1/block_id]"},
		"an action_id twice in a block":  {blocks: actions(fmt.Sprintf(button, `,"action_id":"a"`), fmt.Sprintf(button, `,"action_id":"a"`)), want: "`action_id` must be unique within its block, \"a\" is there twice [json-pointer:/blocks/0/elements/1/action_id]"},
		"an action_id in two blocks":     {blocks: actions(fmt.Sprintf(button, `,"action_id":"a"`)) + "," + actions(fmt.Sprintf(button, `,"action_id":"a"`))},
		"an action_id of 256":            {blocks: actions(fmt.Sprintf(button, `,"action_id":"`+runes(256)+`"`)), want: "must be less than 256 characters [json-pointer:/blocks/0/elements/0/action_id]"},
		"twenty-five buttons":            {blocks: actions(many(25, fmt.Sprintf(button, "")))},
		"twenty-six buttons":             {blocks: actions(many(26, fmt.Sprintf(button, ""))), want: "no more than 25 items allowed [json-pointer:/blocks/0/elements]"},
		"no button":                      {blocks: actions(), want: "no less than 1 items allowed [json-pointer:/blocks/0/elements]"},
		"a button's value of 2001":       {blocks: actions(fmt.Sprintf(button, `,"value":"`+runes(2001)+`"`)), want: "must be less than 2001 characters [json-pointer:/blocks/0/elements/0/value]"},
		"a button's style":               {blocks: actions(fmt.Sprintf(button, `,"style":"default"`)), want: "must be one of: primary, danger [json-pointer:/blocks/0/elements/0/style]"},
		"a button's text of 76":          {blocks: actions(`{"type":"button","text":{"type":"plain_text","text":"` + runes(76) + `"}}`), want: "must be less than 76 characters [json-pointer:/blocks/0/elements/0/text/text]"},
		"a button's URL":                 {blocks: actions(fmt.Sprintf(button, `,"url":"runbook"`)), want: "must be a valid URL [json-pointer:/blocks/0/elements/0/url]"},
		"a button's value as a number":   {blocks: actions(fmt.Sprintf(button, `,"value":7`)), want: "must provide a string [json-pointer:/blocks/0/elements/0/value]"},
		"a dialog of 100, 300, 30":       {blocks: actions(fmt.Sprintf(button, confirm(100, 300, 30)))},
		"a dialog of 101, 301, 31":       {blocks: actions(fmt.Sprintf(button, confirm(101, 301, 31))), want: "must be less than 31 characters [json-pointer:/blocks/0/elements/0/confirm/confirm/text]\nmust be less than 301 characters [json-pointer:/blocks/0/elements/0/confirm/text/text]\nmust be less than 101 characters [json-pointer:/blocks/0/elements/0/confirm/title/text]"},
		"ten in a context":               {blocks: `{"type":"context","elements":[` + many(10, `{"type":"mrkdwn","text":"c"}`) + `]}`},
		"eleven in a context":            {blocks: `{"type":"context","elements":[` + many(11, `{"type":"mrkdwn","text":"c"}`) + `]}`, want: "no more than 10 items allowed [json-pointer:/blocks/0/elements]"},
		"a select of 100":                {blocks: actions(`{"type":"static_select","options":[` + numbered(100, option) + `]}`)},
		"a select of 101":                {blocks: actions(`{"type":"static_select","options":[` + numbered(101, option) + `]}`), want: "no more than 100 items allowed [json-pointer:/blocks/0/elements/0/options]"},
		"a select of nothing":            {blocks: actions(`{"type":"static_select"}`), want: "must have exactly one of options, option_groups [json-pointer:/blocks/0/elements/0]"},
		"an overflow of 6":               {blocks: actions(`{"type":"overflow","options":[` + numbered(6, option) + `]}`), want: "no more than 5 items allowed [json-pointer:/blocks/0/elements/0/options]"},
		"an option's value of 151":       {blocks: actions(`{"type":"static_select","options":[{"text":{"type":"plain_text","text":"o"},"value":"` + runes(151) + `"}]}`), want: "must be less than 151 characters [json-pointer:/blocks/0/elements/0/options/0/value]"},
		"two in focus":                   {surface: blockkit.Modal, blocks: many(2, `{"type":"input","label":{"type":"plain_text","text":"l"},"element":{"type":"plain_text_input","focus_on_load":true}}`), want: "only one element can have focus_on_load [json-pointer:/blocks/1/element/focus_on_load]"},
		"an input without label":         {surface: blockkit.Modal, blocks: `{"type":"input","element":{"type":"plain_text_input"}}`, want: "missing required field: label [json-pointer:/blocks/0]"},
		"rich text":                      {blocks: `{"type":"rich_text","elements":[{"type":"rich_text_section","elements":[{"type":"text","text":"x","style":{"bold":true}},{"type":"user","user_id":"U"}]},{"type":"rich_text_list","style":"bullet","elements":[{"type":"rich_text_section","elements":[{"type":"emoji","name":"x"}]}]},{"type":"rich_text_preformatted","elements":[{"type":"text","text":"x"}]}]}`},
		"rich text with a mention quote": {blocks: `{"type":"rich_text","elements":[{"type":"rich_text_preformatted","elements":[{"type":"user","user_id":"U"}]}]}`, want: "unsupported type: user [json-pointer:/blocks/0/elements/0/elements/0/type]"},
		"an image without words":         {blocks: `{"type":"image","image_url":"https://x.y/z.png"}`, want: "missing required field: alt_text [json-pointer:/blocks/0]"},
		"a container with a section":     {blocks: `{"type":"container","title":{"type":"plain_text","text":"t"},"child_blocks":[` + section("x") + `]}`},
		"null where a text belongs":      {blocks: `{"type":"section","text":null}`, want: "must provide an object [json-pointer:/blocks/0/text]"},
	} {
		t.Run(name, func(t *testing.T) {
			surface := c.surface
			if surface == "" {
				surface = blockkit.Message
			}
			blocks := parse(t, "["+c.blocks+"]").([]any)
			if got := lines(load(t).Blocks(surface, blocks, "/blocks")); got != c.want {
				t.Errorf("got:\n%s\nwant:\n%s", got, c.want)
			}
		})
	}
}

func confirm(title, text, button int) string {
	plain := func(n int) string { return `{"type":"plain_text","text":"` + runes(n) + `"}` }
	return `,"confirm":{"title":` + plain(title) + `,"text":` + plain(text) + `,"confirm":` + plain(button) + `,"deny":` + plain(5) + `}`
}

func TestView(t *testing.T) {
	const input = `{"type":"input","label":{"type":"plain_text","text":"l"},"element":{"type":"plain_text_input"}}`
	modal := func(title, rest, blocks string) string {
		return `{"type":"modal","title":{"type":"plain_text","text":"` + title + `"}` + rest + `,"blocks":[` + blocks + `]}`
	}
	for name, c := range map[string]struct{ view, want string }{
		"a modal":                {view: modal("Why?", "", section("x"))},
		"an input with submit":   {view: modal("Why?", `,"submit":{"type":"plain_text","text":"Send"}`, input)},
		"an input alone":         {view: modal("Why?", "", input), want: "missing required field: submit (a modal with an input block needs it) [json-pointer:/view]"},
		"a title of 24":          {view: modal(runes(24), "", section("x"))},
		"a title of 25":          {view: modal(runes(25), "", section("x")), want: "must be less than 25 characters [json-pointer:/view/title/text]"},
		"no blocks":              {view: modal("Why?", "", ""), want: "no less than 1 items allowed [json-pointer:/view/blocks]"},
		"metadata of 3001":       {view: modal("Why?", `,"private_metadata":"`+runes(3001)+`"`, section("x")), want: "must be less than 3001 characters [json-pointer:/view/private_metadata]"},
		"an unknown field":       {view: modal("Why?", `,"colour":"red"`, section("x")), want: "invalid additional property: colour [json-pointer:/view]"},
		"a table":                {view: modal("Why?", "", `{"type":"table","rows":[[{"type":"raw_text","text":"x"}]]}`), want: "unsupported type: table [json-pointer:/view/blocks/0/type]"},
		"a home tab as a modal":  {view: `{"type":"home","blocks":[` + section("x") + `]}`, want: `must be "modal" [json-pointer:/view/type]`},
		"neither title nor type": {view: `{"type":"modal","blocks":[` + section("x") + `]}`, want: "missing required field: title [json-pointer:/view]"},
	} {
		t.Run(name, func(t *testing.T) {
			view := parse(t, c.view).(map[string]any)
			if got := lines(load(t).View(blockkit.Modal, view, "/view")); got != c.want {
				t.Errorf("got:\n%s\nwant:\n%s", got, c.want)
			}
		})
	}
}

// Every limit of limits.json that concerns a type of the schema is used by it, so that a new version of the file is not
// half read.
func TestLimitsAreUsed(t *testing.T) {
	limits, err := os.ReadFile("limits.json")
	if err != nil {
		t.Fatal(err)
	}
	schema, err := os.ReadFile("schema.json")
	if err != nil {
		t.Fatal(err)
	}
	// Charts are not in the schema, and "text" is the text object's own bound.
	apart := []string{"data_visualization", "text", "data_table.cell_text", "data_table.content"}
	for name := range parse(t, string(limits)).(map[string]any) {
		if !strings.Contains(string(schema), `"`+name+`"`) && !strings.Contains(string(schema), `"`+name+`.`) && !contains(apart, name) {
			t.Errorf("the schema uses no limit of %q", name)
		}
	}
}

func contains(list []string, s string) bool {
	for _, l := range list {
		if l == s {
			return true
		}
	}
	return false
}

func FuzzBlocks(f *testing.F) {
	f.Add(`[` + section("x") + `]`)
	f.Add(`[{"type":"actions","elements":[{"type":"button","text":{"type":"plain_text","text":"x"}}]}]`)
	f.Add(`[{"type":"rich_text","elements":[null]}]`)
	s := load(f)
	f.Fuzz(func(t *testing.T, raw string) {
		var blocks []any
		if json.Unmarshal([]byte(raw), &blocks) != nil {
			return
		}
		s.Blocks(blockkit.Message, blocks, "/blocks")
		s.Blocks(blockkit.Modal, blocks, "/view/blocks")
	})
}
