package slack_test

import (
	"strings"
	"testing"

	"redis-session-bot/internal/commands"
	"redis-session-bot/internal/slack/slacktest"
)

// asked is an answer for everybody, with a file.
func asked() *commands.Message {
	return &commands.Message{View: commands.View{Summary: "an answer", Parts: []commands.Part{commands.Paragraph{Text: commands.Text{{Text: "an answer for all"}}}}},
		Files: []commands.File{{Name: "answer.yaml", Title: "The answer", Text: "kind: Answer"}}}
}

// tsOf is the timestamp of the message that says so; "" while there is none.
func (o *office) tsOf(user, says string) string {
	for _, m := range o.messages(user, "") {
		if ts, ok := m["ts"].(string); ok && m["text"] == says {
			return ts
		}
	}
	return ""
}

func TestAnAnswerForAllIsPostedWithItsFile(t *testing.T) {
	o := open(t, slacktest.Options{})
	o.handler.post = asked()
	o.run()
	o.command("U_RESPONDER", "C_INC", "ha")
	o.until("somebody else sees it", func() bool { return strings.Contains(o.text("U_MEMBER", ""), "an answer for all") })
	o.until("the file is below it", func() bool {
		return strings.Contains(o.text("U_MEMBER", o.tsOf("U_MEMBER", "an answer")), "answer.yaml")
	})
	if n := strings.Count(o.text("U_MEMBER", ""), "an answer for all"); n != 1 {
		t.Errorf("it is there %d times", n)
	}
}

func TestAnAnswerToAThreadStaysInIt(t *testing.T) {
	o := open(t, slacktest.Options{})
	o.handler.post = asked()
	o.run()
	first := o.workspace.Say(slacktest.Line{User: "U_RESPONDER", Channel: "C_INC", Text: "what would it take?"})
	if result := o.workspace.Say(slacktest.Line{User: "U_RESPONDER", Channel: "C_INC", Thread: first.TS, Text: "<@U_BOT> ha"}); !result.OK {
		t.Fatalf("say: %+v", result)
	}
	o.until("both are in the thread", func() bool {
		seen := o.text("U_MEMBER", first.TS)
		return strings.Contains(seen, "an answer for all") && strings.Contains(seen, "answer.yaml")
	})
	if o.tsOf("U_MEMBER", "an answer") != "" {
		t.Error("it is in the channel, too")
	}
}

func TestAnAnswerThatSlackRefusesIsWhispered(t *testing.T) {
	o := open(t, slacktest.Options{})
	o.handler.post = asked()
	o.run()
	if err := o.workspace.Inject(slacktest.Fault{Kind: "error", Method: "chat.postMessage", Error: "not_in_channel"}); err != nil {
		t.Fatal(err)
	}
	o.command("U_RESPONDER", "C_INC", "ha")
	o.until("the person who asked reads it", func() bool {
		seen := o.text("U_RESPONDER", "")
		return strings.Contains(seen, "an answer for all") && strings.Contains(seen, "Slack did not take the file")
	})
	if strings.Contains(o.text("U_MEMBER", ""), "an answer for all") {
		t.Error("somebody else reads it")
	}
}

func TestAFileThatSlackRefusesIsTold(t *testing.T) {
	o := open(t, slacktest.Options{})
	o.handler.post = asked()
	o.run()
	if err := o.workspace.Inject(slacktest.Fault{Kind: "error", Method: "files.getUploadURLExternal", Error: "storage_limit_reached"}); err != nil {
		t.Fatal(err)
	}
	o.command("U_RESPONDER", "C_INC", "ha")
	o.until("the person who asked reads of it", func() bool { return strings.Contains(o.text("U_RESPONDER", ""), "Slack did not take the file") })
	if !strings.Contains(o.text("U_MEMBER", ""), "an answer for all") {
		t.Error("the answer itself is not there")
	}
}

// TestWhatTakesAWhileIsOneMessage: how far it is stands where the answer will.
func TestWhatTakesAWhileIsOneMessage(t *testing.T) {
	o := open(t, slacktest.Options{})
	o.handler.post, o.handler.takes = asked(), []string{"1 of 3", "2 of 3"}
	o.run()
	o.command("U_RESPONDER", "C_INC", "check")
	o.until("the answer", func() bool { return strings.Contains(o.text("U_MEMBER", ""), "an answer for all") })
	o.until("the file is below it", func() bool {
		return strings.Contains(o.text("U_MEMBER", o.tsOf("U_MEMBER", "an answer")), "answer.yaml")
	})
	if seen := o.text("U_MEMBER", ""); strings.Contains(seen, "of 3") {
		t.Errorf("it is there still: %s", seen)
	}
}
