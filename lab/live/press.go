package live

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"
)

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
	if answer := r.click(user, b, stale); answer["ok"] != true {
		r.T.Fatalf("click %s: %v", b.Action, answer)
	}
}

func (r *Room) click(user string, b Button, stale bool) (answer map[string]any) {
	r.T.Helper()
	body := map[string]any{"user": user, "channel": "C_INC", "ts": b.Message, "actionId": b.Action, "blockId": b.Block}
	if stale {
		body["stale"], body["value"], body["confirmed"] = true, b.Value, true
	}
	answer = r.Post("/user/click", body)
	if answer["error"] == "needs_confirmation" {
		body["confirmed"] = true
		answer = r.Post("/user/click", body)
	}
	return answer
}

// Press waits for a button whose label begins so, and presses it. Where the message
// was drawn anew between the look and the click, it looks again.
func (r *Room) Press(user, label string) {
	r.T.Helper()
	r.Until(user+" presses "+label, 2*time.Minute, func() bool {
		b := r.Wait(label)
		answer := r.click(user, b, false)
		if answer["ok"] != true && answer["error"] != "no_such_action" {
			r.T.Fatalf("click %s: %v", b.Action, answer)
		}
		return answer["ok"] == true
	})
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
