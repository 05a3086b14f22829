package slack_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"redis-session-bot/internal/commands"
	"redis-session-bot/internal/slack"
	"redis-session-bot/internal/slack/slacktest/blockkit"
)

// everything is a View with every part and every span, all saying text.
func everything(text string) commands.View {
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	spans := commands.Text{{Text: text}, {Kind: commands.Strong, Text: text}, {Kind: commands.Soft, Text: text}, {Kind: commands.Mono, Text: text},
		{Kind: commands.Emoji, Text: "x"}, {Kind: commands.Person, Text: "U_ADA"}, {Kind: commands.Channel, Text: "C_INC"}, {Kind: commands.Clock, At: at}}
	return commands.View{Summary: text, Parts: []commands.Part{
		commands.Heading{Text: text}, commands.Paragraph{Text: spans}, commands.Note{Text: spans}, commands.Note{Text: commands.Text{{Text: text}}},
		commands.Code{Text: text}, commands.Code{Text: text, Diff: true}, commands.Rule{},
		commands.Buttons{Buttons: []commands.Button{
			{ID: "apply", Value: text, Label: text, Style: commands.Primary, Confirm: &commands.Confirm{Title: "Apply?", Text: "Sure? " + text, Yes: "Apply", No: "No"}},
			{ID: "cancel", Value: "INC-1", Label: "Cancel", Style: commands.Danger},
		}},
	}}
}

// drawn gives the blocks as Slack gets them.
func drawn(t *testing.T, view commands.View) ([]any, string) {
	t.Helper()
	blocks, text := slack.Blocks(view)
	data, err := json.Marshal(blocks)
	if err != nil {
		t.Fatal(err)
	}
	var plain []any
	if err := json.Unmarshal(data, &plain); err != nil {
		t.Fatal(err)
	}
	return plain, text
}

// accepted holds blocks against Slack's own limits, and looks for mentions
// that no person span asked for.
func accepted(t *testing.T, schema *blockkit.Schema, view commands.View) {
	t.Helper()
	blocks, text := drawn(t, view)
	if problems := schema.Blocks(blockkit.Message, blocks, "/blocks"); len(problems) > 0 {
		t.Errorf("Slack refuses: %v", problems)
	}
	data, err := json.Marshal(blocks)
	if err != nil {
		t.Fatal(err)
	}
	if n := utf8.RuneCount(data); n > 13_000 {
		t.Errorf("%d code points of blocks", n)
	}
	if strings.ContainsAny(text, "<>") {
		t.Errorf("the plain text can hold a tag: %q", text)
	}
	walk(blocks, func(object map[string]any) {
		switch object["type"] {
		case "mrkdwn":
			bare := strings.NewReplacer("<@U_ADA>", "", "<#C_INC>", "", "<!date^1767323045^{time}|03:04 UTC>", "").Replace(object["text"].(string))
			if strings.ContainsAny(bare, "<>") {
				t.Errorf("mrkdwn can hold a tag: %q", bare)
			}
		case "user":
			if object["user_id"] != "U_ADA" {
				t.Errorf("it mentions %v", object["user_id"])
			}
		case "broadcast", "usergroup":
			t.Errorf("it mentions a %v", object["type"])
		}
	})
}

func walk(node any, visit func(map[string]any)) {
	switch n := node.(type) {
	case []any:
		for _, child := range n {
			walk(child, visit)
		}
	case map[string]any:
		visit(n)
		for _, child := range n {
			walk(child, visit)
		}
	}
}

func TestBlocksAreAccepted(t *testing.T) {
	schema, err := blockkit.Load()
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"a word", "", " ", "\n", "<!channel> <@U_EVE> *b* _i_ ~s~ `c` ```", "```\n</pre>", "&amp;<", "\x00\x1b[2J\u202e", "\xff\xfe",
		strings.Repeat("long ", 4000), strings.Repeat("👩‍👩‍👧", 2000), strings.Repeat("l\n", 5000)} {
		accepted(t, schema, everything(text))
	}
	many := commands.View{Summary: "many"}
	for range 200 {
		many.Parts = append(many.Parts, commands.Paragraph{Text: commands.Text{{Text: strings.Repeat("x", 300)}}})
	}
	accepted(t, schema, many)
}

func TestButtonsAreTheLastToGo(t *testing.T) {
	schema, err := blockkit.Load()
	if err != nil {
		t.Fatal(err)
	}
	view := commands.View{Summary: "many"}
	for range 100 {
		view.Parts = append(view.Parts, commands.Rule{})
	}
	var buttons commands.Buttons
	for range 30 {
		buttons.Buttons = append(buttons.Buttons, commands.Button{ID: "plan", Value: "INC-1 volume", Label: "Plan"})
	}
	view.Parts = append(view.Parts, buttons)
	accepted(t, schema, view)
	blocks, _ := drawn(t, view)
	ids := map[any]bool{}
	walk(blocks, func(object map[string]any) {
		if object["type"] == "button" {
			ids[object["action_id"]] = true
		}
	})
	if len(ids) != 25 || len(blocks) != 50 {
		t.Errorf("%d blocks, %d different action IDs; want 50 and 25 in the fullest row", len(blocks), len(ids))
	}
}

func TestHostileIDsStayHarmless(t *testing.T) {
	schema, err := blockkit.Load()
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"", "!channel", "<!here>", "U1|x> <!everyone", "javascript:alert(1)"} {
		spans := commands.Text{{Text: "x"}, {Kind: commands.Emoji, Text: text}, {Kind: commands.Clock}, {Kind: commands.Link, Text: "here", URL: text}}
		accepted(t, schema, commands.View{Parts: []commands.Part{commands.Paragraph{Text: spans}, commands.Note{Text: spans}}})
		mention := commands.Text{{Kind: commands.Person, Text: text}, {Kind: commands.Channel, Text: text}}
		blocks, fallback := drawn(t, commands.View{Parts: []commands.Part{commands.Note{Text: mention}}})
		data, err := json.Marshal(blocks)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(data), "!") || strings.Contains(string(data), "|") || fallback == "" {
			t.Errorf("%q is drawn as %s, %q", text, data, fallback)
		}
	}
}

func FuzzBlocks(f *testing.F) {
	schema, err := blockkit.Load()
	if err != nil {
		f.Fatal(err)
	}
	f.Add("<!channel|here> <@U_EVE>")
	f.Add("```")
	f.Fuzz(func(t *testing.T, text string) { accepted(t, schema, everything(text)) })
}
