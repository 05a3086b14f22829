package slack_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"redis-session-bot/internal/commands"
	"redis-session-bot/internal/slack"
	"redis-session-bot/internal/slack/slacktest"
	"redis-session-bot/internal/slack/slacktest/blockkit"
)

func question() *commands.Form {
	return &commands.Form{ID: "plan", Value: "INC-1 more", Title: "Values of the plan", Submit: "Make the plan",
		Parts: []commands.Part{commands.Paragraph{Text: commands.Text{{Text: "Nothing is changed yet."}}}},
		Inputs: []commands.Input{{ID: "limit", Label: "Memory limit", Hint: "what the node can give", Value: "1.5Gi"},
			{ID: "maxmemory", Label: "maxmemory", Value: "1024mb"}}}
}

// asked types a command that is answered with a form, and gives its modal.
func (o *office) asked() map[string]any {
	o.t.Helper()
	o.command("U_RESPONDER", "C_INC", "more")
	var view map[string]any
	o.until("the modal is open", func() bool { view = o.workspace.View("U_RESPONDER"); return view != nil })
	return view
}

func (o *office) submit(view map[string]any, answers map[string]string) slacktest.Result {
	values := map[string]map[string]json.RawMessage{}
	for block, answer := range answers {
		text, err := json.Marshal(answer)
		if err != nil {
			o.t.Fatal(err)
		}
		values[block] = map[string]json.RawMessage{"answer": text}
	}
	return o.workspace.Submit(slacktest.Submission{User: "U_RESPONDER", ViewID: view["id"].(string), Values: values})
}

// TestAFormIsAskedInAModal: what is wrong keeps it open, and its answers come
// with the place that it was opened from.
func TestAFormIsAskedInAModal(t *testing.T) {
	o := open(t, slacktest.Options{})
	o.handler.form, o.handler.wrong = question(), map[string]string{"limit": "More than the node has."}
	o.run()
	view := o.asked()
	if got := o.submit(view, map[string]string{"limit": "9Gi"}); !got.OK || got.Errors["limit"] != "More than the node has." {
		t.Fatalf("a wrong answer: %+v", got)
	}
	o.handler.mu.Lock()
	o.handler.wrong = map[string]string{"": "Too late for this."}
	o.handler.mu.Unlock()
	if got := o.submit(view, nil); got.Errors["limit"] != "Too late for this." {
		t.Fatalf("what is about no input: %+v", got)
	}
	o.handler.mu.Lock()
	o.handler.wrong = nil
	o.handler.mu.Unlock()
	if err := o.workspace.Inject(slacktest.Fault{Kind: "duplicate", Count: 1}); err != nil {
		t.Fatal(err)
	}
	if got := o.submit(view, map[string]string{"limit": "2Gi"}); !got.OK || len(got.Errors) > 0 || o.workspace.View("U_RESPONDER") != nil {
		t.Fatalf("a right answer: %+v", got)
	}
	asked := o.handler.requests()
	if len(asked) != 4 {
		t.Fatalf("%d requests, want the command and three answers", len(asked))
	}
	last := asked[3]
	if diff := cmp.Diff(map[string]string{"limit": "2Gi", "maxmemory": "1024mb"}, last.Answers); diff != "" {
		t.Errorf("answers: %s", diff)
	}
	if last.Action != "plan" || last.Value != "INC-1 more" || last.Place.Channel != "C_INC" || last.Actor.ID != "U_RESPONDER" {
		t.Errorf("asked: %+v", last)
	}
}

// TestAnAnswerIsChosenFromAMenu: an input with options is a menu, within Slack's
// limits, and the chosen one's value is the answer.
func TestAnAnswerIsChosenFromAMenu(t *testing.T) {
	o := open(t, slacktest.Options{})
	form := question()
	form.Inputs[0] = commands.Input{ID: "revision", Label: "Revision", Value: "3", Options: []commands.Option{{Value: "3", Label: "3 · 2 h ago", Note: strings.Repeat("é", 200)}, {Value: "2"}}}
	for i := range 200 {
		form.Inputs[0].Options = append(form.Inputs[0].Options, commands.Option{Value: fmt.Sprint("old-", i), Label: strings.Repeat("x", 100)})
	}
	o.handler.form = form
	o.run()
	view := o.asked()
	drawn, err := json.Marshal(view)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"static_select"`, `"initial_option":{`, `3 · 2 h ago`} {
		if !strings.Contains(string(drawn), want) {
			t.Errorf("%s is not in %s", want, drawn)
		}
	}
	if got := o.submit(view, map[string]string{"revision": "2"}); !got.OK || len(got.Errors) > 0 {
		t.Fatalf("%+v", got)
	}
	asked := o.handler.requests()
	if diff := cmp.Diff(map[string]string{"revision": "2", "maxmemory": "1024mb"}, asked[len(asked)-1].Answers); diff != "" {
		t.Errorf("answers: %s", diff)
	}
	if violations := o.workspace.Violations(); len(violations) > 0 {
		t.Errorf("rules of Slack's broken: %+v", violations)
	}
}

// TestNothingWaitsOnAModal: where the bot is slower than Slack waits, the modal
// closes and the person is told.
func TestNothingWaitsOnAModal(t *testing.T) {
	o := open(t, slacktest.Options{})
	o.handler.form, o.handler.wrong = question(), map[string]string{"limit": "More than the node has."}
	o.run()
	view := o.asked()
	gate := make(chan struct{})
	o.handler.slow = gate
	if got := o.submit(view, nil); !got.OK || o.workspace.View("U_RESPONDER") != nil {
		t.Errorf("a slow answer: %+v", got)
	}
	close(gate)
	o.until("the person is told", func() bool { return strings.Contains(o.text("U_RESPONDER", ""), "More than the node has.") })
}

// TestAFormWithoutATriggerIsAskedByAButton: a mention may open no modal, and
// an old trigger neither.
func TestAFormWithoutATriggerIsAskedByAButton(t *testing.T) {
	for name, ask := range map[string]func(o *office){
		"mention": func(o *office) {
			if got := o.workspace.Say(slacktest.Line{User: "U_RESPONDER", Channel: "C_INC", Text: "<@" + slacktest.BotUser + "> more"}); !got.OK {
				o.t.Fatalf("mention: %+v", got)
			}
		},
		"slow bot": func(o *office) {
			if err := o.workspace.Inject(slacktest.Fault{Kind: "error", Method: "views.open", Error: "expired_trigger_id"}); err != nil {
				o.t.Fatal(err)
			}
			o.command("U_RESPONDER", "C_INC", "more")
		},
	} {
		t.Run(name, func(t *testing.T) {
			o := open(t, slacktest.Options{})
			o.handler.form = question()
			o.run()
			ask(o)
			var press *slacktest.Press
			o.until("there is a button", func() bool {
				for _, message := range o.messages("U_RESPONDER", "") {
					blocks, _ := message["blocks"].([]any)
					for _, block := range blocks {
						if one := block.(map[string]any); one["type"] == "actions" {
							press = &slacktest.Press{User: "U_RESPONDER", Channel: "C_INC", TS: message["ts"].(string), ActionID: "plan"}
						}
					}
				}
				return press != nil
			})
			if got := o.workspace.Click(*press); !got.OK {
				t.Fatalf("click: %+v", got)
			}
			o.until("the modal is open", func() bool { return o.workspace.View("U_RESPONDER") != nil })
		})
	}
}

// FuzzModal: whatever a document or a cluster says, Slack takes the modal.
func FuzzModal(f *testing.F) {
	schema, err := blockkit.Load()
	if err != nil {
		f.Fatal(err)
	}
	f.Add("Memory limit")
	f.Add("")
	f.Add(" ")
	f.Add("\x00<!channel>\u202e")
	f.Add(strings.Repeat("ü", 4000))
	f.Fuzz(func(t *testing.T, text string) {
		form := commands.Form{ID: "plan", Value: "INC-1", Title: text, Submit: text, Parts: everything(text).Parts[:6],
			Inputs: []commands.Input{{ID: "one", Label: text, Hint: text, Value: text}}}
		data, err := json.Marshal(slack.Modal(form, "{}"))
		if err != nil {
			t.Fatal(err)
		}
		var view map[string]any
		if err := json.Unmarshal(data, &view); err != nil {
			t.Fatal(err)
		}
		if problems := schema.View(blockkit.Modal, view, "/view"); len(problems) > 0 {
			t.Errorf("Slack refuses: %v", problems)
		}
	})
}
