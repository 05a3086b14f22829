// Package spine holds the whole way of the bot on a real cluster: a fault, the
// diagnosis, the fix through Slack, the verification, and the way back.
package spine

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"redis-session-bot/internal/slack/slacktest"
	"redis-session-bot/lab/cluster"
	"redis-session-bot/lab/workload"
)

// bench is what all tests share: the cluster and the bot's binary.
type bench struct{ kubeconfig, bot string }

// set brings the cluster and builds the bot, once for all tests.
var set = sync.OnceValues(func() (bench, error) {
	repo, err := filepath.Abs("../../..")
	if err != nil {
		return bench{}, err
	}
	lab, err := cluster.Up(context.Background(), cluster.Options{Repo: repo, Images: workload.Images})
	if err != nil {
		return bench{}, err
	}
	bot := filepath.Join(repo, "bin", "bot-under-test")
	build := exec.Command("go", "build", "-trimpath", "-o", bot, "./cmd/bot")
	build.Dir, build.Env = repo, append(os.Environ(), "CGO_ENABLED=0")
	if output, err := build.CombinedOutput(); err != nil {
		return bench{}, fmt.Errorf("build the bot: %w\n%s", err, output)
	}
	return bench{lab.Kubeconfig, bot}, nil
})

// patient is one copy of the workload in a namespace of its own.
type patient struct {
	bench
	t         *testing.T
	namespace string
	options   workload.Options
	copy      *workload.Copy
}

func admit(t *testing.T, namespace, shape, password string) *patient {
	t.Helper()
	b, err := set()
	if err != nil {
		t.Fatal(err)
	}
	p := &patient{bench: b, t: t, namespace: namespace,
		options: workload.Options{Kubeconfig: b.kubeconfig, Namespace: namespace, Shape: shape, Password: password}}
	if err := workload.Up(t.Context(), p.options); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := workload.Down(context.Background(), p.options); err != nil {
			t.Error(err)
		}
	})
	if p.copy, err = workload.Open(p.options); err != nil {
		t.Fatal(err)
	}
	return p
}

// diagnosis is what `bot diagnose -o json` prints, as far as tests look.
type diagnosis struct {
	Healthy bool `json:"healthy"`
	Steps   []struct {
		ID     string `json:"id"`
		Status string `json:"status"`
	} `json:"steps"`
	Verdict struct {
		Scenario   string   `json:"scenario"`
		Confidence string   `json:"confidence"`
		Because    []string `json:"because"`
	} `json:"verdict"`
}

// diagnose runs the bot in a terminal and returns its exit code.
func (p *patient) diagnose(args ...string) (d diagnosis, code int, output string) {
	p.t.Helper()
	command := exec.CommandContext(p.t.Context(), p.bot, append([]string{"diagnose", "-o", "json", "-n", p.namespace}, args...)...)
	command.Env = append(os.Environ(), "KUBECONFIG="+p.kubeconfig)
	command.Dir = p.t.TempDir()
	var stdout, stderr bytes.Buffer
	command.Stdout, command.Stderr = &stdout, &stderr
	err := command.Run()
	var ended *exec.ExitError
	if err != nil && !errors.As(err, &ended) {
		p.t.Fatalf("bot diagnose: %v", err)
	}
	output = stdout.String() + stderr.String()
	if stdout.Len() > 0 {
		if err := json.Unmarshal(stdout.Bytes(), &d); err != nil {
			p.t.Fatalf("bot diagnose printed no JSON: %v\n%s", err, output)
		}
	}
	return d, command.ProcessState.ExitCode(), output
}

// room is the local Slack with the bot in it, driven over HTTP as people do.
type room struct {
	t    *testing.T
	page string
	log  *safeBuffer
	root string // timestamp of the incident's message
}

type safeBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *safeBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *safeBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// serve starts the bot in a workspace of its own; at the end nothing of it is
// left, and it has broken no rule of Slack's.
func (p *patient) serve() *room {
	p.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	workspace, err := slacktest.Start(ctx, slacktest.Options{Listen: "127.0.0.1:0"})
	if err != nil {
		p.t.Fatal(err)
	}
	ready := workspace.Ready()
	config := filepath.Join(p.t.TempDir(), "config.yaml")
	content := fmt.Sprintf("targets:\n  - {name: test, namespace: %s}\nslack: {channels: [inc-redis]}\nroles: {responders: [U_RESPONDER], approvers: [\"@sre-oncall\"]}\n", p.namespace)
	if err := os.WriteFile(config, []byte(content), 0o600); err != nil {
		p.t.Fatal(err)
	}
	r := &room{t: p.t, page: strings.TrimSuffix(ready.Page, "/"), log: &safeBuffer{}}
	command := exec.Command(p.bot, "serve", "--config", config)
	command.Env = append(os.Environ(), "SLACK_BOT_TOKEN="+ready.BotToken, "SLACK_APP_TOKEN="+ready.AppToken, "SLACK_API_URL="+ready.API, "KUBECONFIG="+p.kubeconfig)
	command.Stdout, command.Stderr = r.log, r.log
	if err := command.Start(); err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() {
		if p.t.Failed() {
			p.t.Logf("the bot's log:\n%s", r.log)
		}
		if err := command.Process.Signal(syscall.SIGTERM); err != nil {
			p.t.Errorf("stop the bot: %v", err)
		}
		if err := command.Wait(); err != nil {
			p.t.Errorf("the bot ended with %v", err)
		}
		if violations := workspace.Violations(); len(violations) > 0 {
			p.t.Errorf("rules of Slack's broken: %+v", violations)
		}
		if err := workspace.Close(); err != nil {
			p.t.Error(err)
		}
		cancel()
	})
	r.until("the bot is connected", 20*time.Second, func() bool { return strings.Contains(r.log.String(), "connected to Slack") })
	return r
}

// until waits for what must become true.
func (r *room) until(what string, limit time.Duration, ok func() bool) {
	r.t.Helper()
	deadline := time.Now().Add(limit)
	for !ok() {
		if time.Now().After(deadline) {
			r.t.Fatalf("not within %s: %s\n%s\n%s", limit, what, r.seen(false), r.seen(true))
		}
		time.Sleep(150 * time.Millisecond) // people look again; there is no event to wait for
	}
}

// post does what a person does.
func (r *room) post(path string, body any) map[string]any {
	r.t.Helper()
	data, err := json.Marshal(body)
	if err != nil {
		r.t.Fatal(err)
	}
	response, err := http.Post(r.page+path, "application/json", bytes.NewReader(data))
	if err != nil {
		r.t.Fatal(err)
	}
	defer response.Body.Close()
	var answer map[string]any
	if err := json.NewDecoder(response.Body).Decode(&answer); err != nil {
		r.t.Fatal(err)
	}
	return answer
}

type message map[string]any

func (r *room) messages(user, thread string) []message {
	r.t.Helper()
	address := r.page + "/user/messages?channel=C_INC&user=" + user
	if thread != "" {
		address += "&thread=" + thread
	}
	response, err := http.Get(address)
	if err != nil {
		r.t.Fatal(err)
	}
	defer response.Body.Close()
	var answer struct {
		Messages []message `json:"messages"`
	}
	if err := json.NewDecoder(response.Body).Decode(&answer); err != nil {
		r.t.Fatal(err)
	}
	return answer.Messages
}

// transcript is everything that a person sees, files and all.
func (r *room) transcript(user string) string {
	all := r.messages(user, "")
	if r.root != "" {
		all = append(all, r.messages(user, r.root)...)
	}
	data, err := json.MarshalIndent(all, "", " ")
	if err != nil {
		r.t.Fatal(err)
	}
	return string(data)
}

// diagnose types the command and finds the incident's message.
func (r *room) diagnose(user string) {
	r.t.Helper()
	r.command(user, "diagnose")
	r.until("the incident has a message", 15*time.Second, func() bool {
		for _, m := range r.messages(user, "") {
			if m["blocks"] != nil && m["is_ephemeral"] != true {
				r.root = m["ts"].(string)
			}
		}
		return r.root != ""
	})
}

func (r *room) command(user, text string) {
	r.t.Helper()
	answer := r.post("/user/command", map[string]string{"user": user, "channel": "C_INC", "command": "/redis-session", "text": text})
	if answer["ok"] != true {
		r.t.Fatalf("/redis-session %s: %v", text, answer)
	}
}

// seen is the text of one message: the incident's, or all of its thread.
func (r *room) seen(thread bool) string {
	var b strings.Builder
	for _, m := range r.messages("U_RESPONDER", r.root) {
		if thread == (m["ts"] == r.root) {
			continue
		}
		words(&b, m["blocks"])
		b.WriteString("\n")
	}
	return strings.Join(strings.Fields(b.String()), " ")
}

// words collects every text of a block.
func words(b *strings.Builder, node any) {
	switch n := node.(type) {
	case []any:
		for _, child := range n {
			words(b, child)
		}
	case map[string]any:
		if text, ok := n["text"].(string); ok {
			b.WriteString(text + " ")
		}
		for _, key := range []string{"text", "elements"} {
			if _, plain := n[key].(string); !plain {
				words(b, n[key])
			}
		}
	}
}

// button is where a button stands.
type button struct{ ts, block, action, value string }

// find looks for the newest button whose label begins so; nil for none.
func (r *room) find(label string) *button {
	var found *button
	for _, m := range r.messages("U_RESPONDER", r.root) {
		blocks, _ := m["blocks"].([]any)
		for _, block := range blocks {
			b := block.(map[string]any)
			if b["type"] != "actions" {
				continue
			}
			for _, element := range b["elements"].([]any) {
				e := element.(map[string]any)
				text := e["text"].(map[string]any)["text"].(string)
				if strings.HasPrefix(text, label) {
					value, _ := e["value"].(string)
					found = &button{m["ts"].(string), b["block_id"].(string), e["action_id"].(string), value}
				}
			}
		}
	}
	return found
}

// wait waits for a button.
func (r *room) wait(label string) button {
	r.t.Helper()
	var found *button
	r.until("there is a button "+label, 60*time.Second, func() bool {
		found = r.find(label)
		return found != nil
	})
	return *found
}

// click presses a button and confirms where Slack asks.
func (r *room) click(user string, b button, stale bool) {
	r.t.Helper()
	body := map[string]any{"user": user, "channel": "C_INC", "ts": b.ts, "actionId": b.action, "blockId": b.block}
	if stale {
		body["stale"], body["value"], body["confirmed"] = true, b.value, true
	}
	answer := r.post("/user/click", body)
	if answer["error"] == "needs_confirmation" {
		body["confirmed"] = true
		answer = r.post("/user/click", body)
	}
	if answer["ok"] != true {
		r.t.Fatalf("click %s: %v", b.action, answer)
	}
}

// whispered waits for a sentence that only this person sees.
func (r *room) whispered(user, says string) {
	r.t.Helper()
	r.until(user+" is told: "+says, 15*time.Second, func() bool {
		for _, m := range append(r.messages(user, r.root), r.messages(user, "")...) {
			var b strings.Builder
			words(&b, m["blocks"])
			if m["is_ephemeral"] == true && strings.Contains(b.String(), says) {
				return true
			}
		}
		return false
	})
}
