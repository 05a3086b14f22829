package live

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
)

// Room is the local Slack with the bot in it, driven over HTTP as people do.
type Room struct {
	T    *testing.T
	Root string // timestamp of the incident's message

	page        string
	start, kill func()
	Log         fmt.Stringer // what the bot has logged
}

// Enter is a room in which somebody else runs the bot.
func Enter(t *testing.T, page string) *Room {
	return &Room{T: t, page: strings.TrimSuffix(page, "/"), Log: &safeBuffer{}}
}

// Until waits for what must become true.
func (r *Room) Until(what string, limit time.Duration, ok func() bool) {
	r.T.Helper()
	deadline := time.Now().Add(limit)
	for !ok() {
		if time.Now().After(deadline) {
			r.T.Fatalf("not within %s: %s\n%s\n%s", limit, what, r.Seen(false), r.Seen(true))
		}
		time.Sleep(400 * time.Millisecond) // people look again; there is no event to wait for
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
