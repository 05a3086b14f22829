package slacktest_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"redis-session-bot/internal/slack/slacktest"
)

// installWithin bounds npm's download of Slack's clients.
const installWithin = 5 * time.Minute

// clients installs Slack's own Node clients, once, and gives the folder to run them in.
func clients(t *testing.T) string {
	t.Helper()
	for _, tool := range []string{"node", "npm"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Fatalf("%s is missing: this test runs Slack's own Node clients; install Node 20 or later with npm, for example: apt-get install nodejs npm", tool)
		}
	}
	dir, err := filepath.Abs(filepath.Join("..", "..", "..", ".tools", "node-slack"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	lock, err := os.ReadFile(filepath.Join("testdata", "node", "package-lock.json"))
	if err != nil {
		t.Fatal(err)
	}
	installed, _ := os.ReadFile(filepath.Join(dir, "installed"))
	if !bytes.Equal(lock, installed) {
		install(t, dir, lock)
	}
	for _, script := range []string{"client.mjs", "bolt.mjs"} {
		copyFile(t, script, dir)
	}
	return dir
}

func install(t *testing.T, dir string, lock []byte) {
	t.Helper()
	t.Logf("installing Slack's Node clients into %s (some 15 s, once)", dir)
	for _, name := range []string{"package.json", "package-lock.json"} {
		copyFile(t, name, dir)
	}
	ctx, cancel := context.WithTimeout(t.Context(), installWithin)
	defer cancel()
	cmd := exec.CommandContext(ctx, "npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts")
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("npm ci in %s: %v\n%s", dir, err, out)
	}
	if err := os.WriteFile(filepath.Join(dir, "installed"), lock, 0o644); err != nil {
		t.Fatal(err)
	}
}

func copyFile(t *testing.T, name, dir string) {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("testdata", "node", name))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, name), raw, 0o644); err != nil {
		t.Fatal(err)
	}
}

// nodeApp is a running script and what it tells.
type nodeApp struct {
	told chan M
}

func node(t *testing.T, w *slacktest.Workspace, script string) *nodeApp {
	t.Helper()
	ready, err := json.Marshal(w.Ready())
	if err != nil {
		t.Fatal(err)
	}
	// The test's own context ends before its clean-up, where the script is asked to end by itself.
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	cmd := exec.CommandContext(ctx, "node", script)
	cmd.Dir = clients(t)
	cmd.Env = append(os.Environ(), "WORKSPACE="+string(ready))
	var trouble bytes.Buffer
	cmd.Stderr = &trouble
	cmd.WaitDelay = patience
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	a := &nodeApp{told: make(chan M, 100)}
	read := make(chan struct{})
	go func() {
		defer close(read)
		lines := bufio.NewScanner(stdout)
		for lines.Scan() {
			var m M
			if json.Unmarshal(lines.Bytes(), &m) == nil {
				a.told <- m
			}
		}
	}()
	t.Cleanup(func() {
		_ = stdin.Close()
		defer time.AfterFunc(patience, cancel).Stop()
		<-read
		if err := cmd.Wait(); err != nil {
			t.Errorf("%s: %v", script, err)
		}
		cancel()
		if t.Failed() {
			t.Logf("%s said: %s", script, trouble.String())
		}
	})
	return a
}

func (a *nodeApp) next(t *testing.T, what string) M {
	t.Helper()
	select {
	case m := <-a.told:
		if m["what"] != what {
			t.Fatalf("told %v, want %s", m, what)
		}
		return m
	case <-time.After(patience):
		t.Fatalf("no %s within %s", what, patience)
	}
	return nil
}

func TestNodeSocketMode(t *testing.T) {
	w := start(t, slacktest.Options{})
	a := node(t, w, "client.mjs")
	if hello := a.next(t, "hello"); hello["bot"] != slacktest.BotID || hello["members"] != 6.0 {
		t.Errorf("hello: %v", hello)
	}
	a.next(t, "connected")

	if got := post(t, w, "user/command", M{"user": "U_MEMBER", "channel": "C_INC", "command": "/redis-session", "text": "diagnose"}); got["ok"] != true {
		t.Fatalf("command: %v", got)
	}
	cmd := a.next(t, "command")
	if cmd["text"] != "diagnose" || cmd["blocks"] != 2.0 {
		t.Errorf("command: %v", cmd)
	}
	if got := post(t, w, "user/click", M{"user": "U_APPROVER", "channel": "C_INC", "ts": cmd["ts"], "actionId": "apply"}); got["ok"] != true {
		t.Fatalf("click: %v", got)
	}
	click := a.next(t, "click")
	if click["action"] != "apply" || click["value"] != "3" {
		t.Errorf("click: %v", click)
	}
	if got := post(t, w, "user/submit", M{"user": "U_APPROVER", "viewId": click["view"], "values": M{"reason": M{"text": "no"}}}); dig(t, got, "errors", "reason") != "Say more." {
		t.Errorf("submit: %v", got)
	}
	a.next(t, "submission")
	if got := post(t, w, "user/submit", M{"user": "U_APPROVER", "viewId": click["view"], "values": M{"reason": M{"text": "yes"}}}); got["ok"] != true || got["errors"] != nil {
		t.Errorf("submit: %v", got)
	}
	a.next(t, "submission")
	if view := get(t, w, "user/view?user=U_APPROVER"); view != nil {
		t.Errorf("still open: %v", view)
	}
	thread, err := w.Messages("U_MEMBER", "C_INC", cmd["ts"].(string))
	if err != nil || len(thread) != 2 || thread[0]["text"] != "Applied" || dig(t, thread[1], "files", 0, "content") != "it fails" {
		t.Errorf("thread: %v, %v", thread, err)
	}
	noViolations(t, w)

	// Node's client comes back by itself, after each way to lose a connection.
	for _, f := range []slacktest.Fault{{Kind: "disconnect", Reason: "warning", Seconds: 0.2}, {Kind: "refresh"}, {Kind: "disconnect"}} {
		post(t, w, "user/fault", f)
		a.next(t, "connected")
		noViolations(t, w)
	}
	// It also waits out a rate limit.
	post(t, w, "user/fault", slacktest.Fault{Kind: "ratelimit", Method: "chat.postMessage", Seconds: 1})
	if got := post(t, w, "user/command", M{"user": "U_MEMBER", "channel": "C_INC", "command": "/redis-session", "text": "again"}); got["ok"] != true {
		t.Fatalf("command: %v", got)
	}
	a.next(t, "command")
	noViolations(t, w)

	if got := w.Say(slacktest.Line{User: "U_MEMBER", Channel: "C_INC", Text: "<@U_BOT> status"}); !got.OK {
		t.Fatalf("message: %+v", got)
	}
	mention := a.next(t, "mention")
	if mention["error"] != "invalid_blocks" || dig(t, mention, "messages", 0) != "[ERROR] missing required field: one of text, fields [json-pointer:/blocks/0]" {
		t.Errorf("mention: %v", mention)
	}
	violated(t, w, slacktest.PayloadRefused)
}

func TestNodeBolt(t *testing.T) {
	w := start(t, slacktest.Options{})
	a := node(t, w, "bolt.mjs")
	a.next(t, "connected")

	got := post(t, w, "user/command", M{"user": "U_MEMBER", "channel": "C_GEN", "command": "/redis-session", "text": "status"})
	if got["ok"] != true || dig(t, got, "ack", "text") != "On it." {
		t.Fatalf("command: %v", got)
	}
	a.next(t, "command")
	messages, err := w.Messages("U_MEMBER", "C_GEN", "")
	if err != nil || len(messages) != 2 {
		t.Fatalf("messages: %v, %v", messages, err)
	}
	// The acknowledgement and the post take different ways: either may arrive first.
	if messages[1]["text"] != "Done" {
		slices.Reverse(messages)
	}
	if messages[0]["is_ephemeral"] != true || messages[1]["text"] != "Done" {
		t.Fatalf("messages: %v", messages)
	}
	press := M{"user": "U_SECOND", "channel": "C_GEN", "ts": messages[1]["ts"], "actionId": "revision", "value": "2"}
	if got := post(t, w, "user/click", press); got["ok"] != true {
		t.Fatalf("click: %v", got)
	}
	if told := a.next(t, "action"); told["value"] != "2" || told["user"] != "U_SECOND" {
		t.Errorf("action: %v", told)
	}
	messages, _ = w.Messages("U_MEMBER", "C_GEN", "")
	if messages[1]["is_ephemeral"] == true {
		slices.Reverse(messages)
	}
	if messages[1]["text"] != "Revision 2" || messages[1]["blocks"] != nil {
		t.Errorf("replaced: %v", messages[1])
	}

	said := w.Say(slacktest.Line{User: "U_MEMBER", Channel: "C_INC", Text: "@redis-session-bot hi"})
	a.next(t, "mention")
	thread, err := w.Messages("U_MEMBER", "C_INC", said.TS)
	if err != nil || len(thread) != 2 || thread[1]["text"] != "<@U_MEMBER> here" {
		t.Errorf("thread: %v, %v", thread, err)
	}
	noViolations(t, w)
}
