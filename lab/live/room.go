package live

import (
	"bytes"
	"context"
	"encoding/json"
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
)

// Room is the local Slack with the bot in it, driven over HTTP as people do.
type Room struct {
	T    *testing.T
	Root string // timestamp of the incident's message

	page    string
	command func() *exec.Cmd
	bot     *exec.Cmd
	Log     *safeBuffer // what the bot has logged
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

// Serve starts the bot in a workspace of its own; at the end nothing of it is
// left, and it has broken no rule of Slack's.
func (p *Patient) Serve() *Room { return p.ServeWith("") }

// ServeWith serves with more settings, and more of the environment.
func (p *Patient) ServeWith(settings string, environment ...string) *Room {
	p.T.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	workspace, err := slacktest.Start(ctx, slacktest.Options{Listen: "127.0.0.1:0"})
	if err != nil {
		p.T.Fatal(err)
	}
	ready := workspace.Ready()
	config := filepath.Join(p.T.TempDir(), "config.yaml")
	content := fmt.Sprintf("targets:\n  - {name: test, namespace: %s}\nslack: {channels: [inc-redis]}\nroles: {responders: [U_RESPONDER], approvers: [\"@sre-oncall\"]}\n", p.Namespace) + settings
	if err := os.WriteFile(config, []byte(content), 0o600); err != nil {
		p.T.Fatal(err)
	}
	r := &Room{T: p.T, page: strings.TrimSuffix(ready.Page, "/"), Log: &safeBuffer{}}
	r.command = func() *exec.Cmd {
		command := exec.Command(p.Bot, "serve", "--config", config)
		command.Env = append(os.Environ(), "SLACK_BOT_TOKEN="+ready.BotToken, "SLACK_APP_TOKEN="+ready.AppToken, "SLACK_API_URL="+ready.API, "KUBECONFIG="+p.Kubeconfig)
		command.Env = append(command.Env, environment...)
		command.Stdout, command.Stderr = r.Log, r.Log
		return command
	}
	r.Start()
	p.T.Cleanup(func() {
		if p.T.Failed() {
			p.T.Logf("the bot's log:\n%s", r.Log)
		}
		if err := r.bot.Process.Signal(syscall.SIGTERM); err != nil {
			p.T.Errorf("stop the bot: %v", err)
		}
		if err := r.bot.Wait(); err != nil {
			p.T.Errorf("the bot ended with %v", err)
		}
		if violations := workspace.Violations(); len(violations) > 0 {
			p.T.Errorf("rules of Slack's broken: %+v", violations)
		}
		if err := workspace.Close(); err != nil {
			p.T.Error(err)
		}
		cancel()
	})
	return r
}

// Enter is a room in which somebody else runs the bot.
func Enter(t *testing.T, page string) *Room {
	return &Room{T: t, page: strings.TrimSuffix(page, "/"), Log: &safeBuffer{}}
}

// Start starts the bot and waits until it is connected.
func (r *Room) Start() {
	r.T.Helper()
	before := strings.Count(r.Log.String(), connected)
	r.bot = r.command()
	if err := r.bot.Start(); err != nil {
		r.T.Fatal(err)
	}
	r.Until("the bot is connected", 20*time.Second, func() bool { return strings.Count(r.Log.String(), connected) > before })
}

// connected is what the bot logs once it can be talked to.
const connected = "connected to Slack"

// Kill ends the bot without a warning, as a node that dies does.
func (r *Room) Kill() {
	r.T.Helper()
	if err := r.bot.Process.Kill(); err != nil {
		r.T.Fatal(err)
	}
	_ = r.bot.Wait() // it says that it was killed
}

// Until waits for what must become true.
func (r *Room) Until(what string, limit time.Duration, ok func() bool) {
	r.T.Helper()
	deadline := time.Now().Add(limit)
	for !ok() {
		if time.Now().After(deadline) {
			r.T.Fatalf("not within %s: %s\n%s\n%s", limit, what, r.Seen(false), r.Seen(true))
		}
		time.Sleep(150 * time.Millisecond) // people look again; there is no event to wait for
	}
}

// Post does what a person does.
func (r *Room) Post(path string, body any) map[string]any {
	r.T.Helper()
	data, err := json.Marshal(body)
	if err != nil {
		r.T.Fatal(err)
	}
	response, err := http.Post(r.page+path, "application/json", bytes.NewReader(data))
	if err != nil {
		r.T.Fatal(err)
	}
	defer response.Body.Close()
	var answer map[string]any
	if err := json.NewDecoder(response.Body).Decode(&answer); err != nil {
		r.T.Fatal(err)
	}
	return answer
}

// Message is one message as Slack has it.
type Message map[string]any

// Messages are those of the channel, or of a thread, as the user sees them.
func (r *Room) Messages(user, thread string) []Message {
	r.T.Helper()
	address := r.page + "/user/messages?channel=C_INC&user=" + user
	if thread != "" {
		address += "&thread=" + thread
	}
	response, err := http.Get(address)
	if err != nil {
		r.T.Fatal(err)
	}
	defer response.Body.Close()
	var answer struct {
		Messages []Message `json:"messages"`
	}
	if err := json.NewDecoder(response.Body).Decode(&answer); err != nil {
		r.T.Fatal(err)
	}
	return answer.Messages
}

// Transcript is everything that a person sees, files and all.
func (r *Room) Transcript(user string) string {
	all := r.Messages(user, "")
	if r.Root != "" {
		all = append(all, r.Messages(user, r.Root)...)
	}
	data, err := json.MarshalIndent(all, "", " ")
	if err != nil {
		r.T.Fatal(err)
	}
	return string(data)
}

// Diagnose types the command and finds the incident's message.
func (r *Room) Diagnose(user string) {
	r.T.Helper()
	r.Opens(user, "diagnose")
}

// Opens types a command that opens an incident, and finds its message.
func (r *Room) Opens(user, text string) {
	r.T.Helper()
	r.Command(user, text)
	r.Appears(user, 15*time.Second)
}

// Appears waits for the message of an incident.
func (r *Room) Appears(user string, limit time.Duration) {
	r.T.Helper()
	r.Until("the incident has a message", limit, func() bool {
		for _, m := range r.Messages(user, "") {
			if m["blocks"] != nil && m["is_ephemeral"] != true {
				r.Root = m["ts"].(string)
			}
		}
		return r.Root != ""
	})
}

// Command types the slash command with text after it.
func (r *Room) Command(user, text string) {
	r.T.Helper()
	answer := r.Post("/user/command", map[string]string{"user": user, "channel": "C_INC", "command": "/redis-session", "text": text})
	if answer["ok"] != true {
		r.T.Fatalf("/redis-session %s: %v", text, answer)
	}
}

// Seen is the text of one message: the incident's, or all of its thread.
func (r *Room) Seen(thread bool) string {
	var b strings.Builder
	for _, m := range r.Messages("U_RESPONDER", r.Root) {
		if thread == (m["ts"] == r.Root) {
			continue
		}
		Words(&b, m["blocks"])
		b.WriteString("\n")
	}
	return strings.Join(strings.Fields(b.String()), " ")
}

// Words collects every text of a block.
func Words(b *strings.Builder, node any) {
	switch n := node.(type) {
	case []any:
		for _, child := range n {
			Words(b, child)
		}
	case map[string]any:
		if text, ok := n["text"].(string); ok {
			b.WriteString(text + " ")
		}
		for _, key := range []string{"text", "elements"} {
			if _, plain := n[key].(string); !plain {
				Words(b, n[key])
			}
		}
	}
}

// Typed are the command lines that the incident's message gives to people.
func (r *Room) Typed() []string {
	var lines []string
	for _, m := range r.Messages("U_RESPONDER", r.Root) {
		if m["ts"] == r.Root {
			lines = append(lines, code(m["blocks"])...)
		}
	}
	return lines
}

// code collects what is shown as code.
func code(node any) []string {
	var all []string
	switch n := node.(type) {
	case []any:
		for _, child := range n {
			all = append(all, code(child)...)
		}
	case map[string]any:
		if style, ok := n["style"].(map[string]any); ok && style["code"] == true {
			all = append(all, fmt.Sprint(n["text"]))
		}
		all = append(all, code(n["elements"])...)
	}
	return all
}

// Button is where a button stands.
type Button struct{ Message, Block, Action, Value string }

// Find looks for the button whose label begins so, in the newest message that
// has one, and the first there; nil for none.
func (r *Room) Find(label string) *Button {
	var found *Button
	for _, m := range r.Messages("U_RESPONDER", r.Root) {
		blocks, _ := m["blocks"].([]any)
		here := false
		for _, block := range blocks {
			b := block.(map[string]any)
			if b["type"] != "actions" || here {
				continue
			}
			for _, element := range b["elements"].([]any) {
				e := element.(map[string]any)
				text := e["text"].(map[string]any)["text"].(string)
				if strings.HasPrefix(text, label) && !here {
					here = true
					value, _ := e["value"].(string)
					found = &Button{m["ts"].(string), b["block_id"].(string), e["action_id"].(string), value}
				}
			}
		}
	}
	return found
}

// Wait waits for a button.
func (r *Room) Wait(label string) Button {
	r.T.Helper()
	var found *Button
	r.Until("there is a button "+label, 2*time.Minute, func() bool {
		found = r.Find(label)
		return found != nil
	})
	return *found
}

// Click presses a button and confirms where Slack asks.
func (r *Room) Click(user string, b Button, stale bool) {
	r.T.Helper()
	body := map[string]any{"user": user, "channel": "C_INC", "ts": b.Message, "actionId": b.Action, "blockId": b.Block}
	if stale {
		body["stale"], body["value"], body["confirmed"] = true, b.Value, true
	}
	answer := r.Post("/user/click", body)
	if answer["error"] == "needs_confirmation" {
		body["confirmed"] = true
		answer = r.Post("/user/click", body)
	}
	if answer["ok"] != true {
		r.T.Fatalf("click %s: %v", b.Action, answer)
	}
}

// Whispered waits for a sentence that only this person sees.
func (r *Room) Whispered(user, says string) {
	r.T.Helper()
	r.Until(user+" is told: "+says, 15*time.Second, func() bool {
		for _, m := range append(r.Messages(user, r.Root), r.Messages(user, "")...) {
			var b strings.Builder
			Words(&b, m["blocks"])
			if m["is_ephemeral"] == true && strings.Contains(strings.Join(strings.Fields(b.String()), " "), says) {
				return true
			}
		}
		return false
	})
}

// Modal is the modal that a person has open.
type Modal struct {
	ID     string
	Title  string
	Text   string   // every word of it
	Inputs []string // block and action of each input, as "block action"
}

// Modal gives the modal on top for a user; nil for none.
func (r *Room) Modal(user string) *Modal {
	r.T.Helper()
	response, err := http.Get(r.page + "/user/view?user=" + user)
	if err != nil {
		r.T.Fatal(err)
	}
	defer response.Body.Close()
	var view map[string]any // or null
	if err := json.NewDecoder(response.Body).Decode(&view); err != nil {
		r.T.Fatal(err)
	}
	if view == nil {
		return nil
	}
	found := &Modal{ID: fmt.Sprint(view["id"])}
	if title, ok := view["title"].(map[string]any); ok {
		found.Title = fmt.Sprint(title["text"])
	}
	var b strings.Builder
	Words(&b, view["blocks"])
	found.Text = b.String()
	blocks, _ := view["blocks"].([]any)
	for _, block := range blocks {
		one, _ := block.(map[string]any)
		if element, ok := one["element"].(map[string]any); ok && one["type"] == "input" {
			found.Inputs = append(found.Inputs, fmt.Sprintf("%s %s", one["block_id"], element["action_id"]))
		}
	}
	return found
}

// Submit fills in the inputs of a modal in their order and sends it. It
// returns what the modal says is wrong, by block; nil when it was taken.
func (r *Room) Submit(user string, m *Modal, answers ...string) map[string]any {
	r.T.Helper()
	values := map[string]map[string]string{}
	for i, answer := range answers {
		block, action, _ := strings.Cut(m.Inputs[i], " ")
		values[block] = map[string]string{action: answer}
	}
	answer := r.Post("/user/submit", map[string]any{"user": user, "viewId": m.ID, "values": values})
	if answer["ok"] != true {
		r.T.Fatalf("submit %s: %v", m.Title, answer)
	}
	wrong, _ := answer["errors"].(map[string]any)
	return wrong
}

// WaitModal waits until a user has a modal open.
func (r *Room) WaitModal(user string) *Modal {
	r.T.Helper()
	var found *Modal
	r.Until(user+" has a modal open", 15*time.Second, func() bool {
		found = r.Modal(user)
		return found != nil
	})
	return found
}
