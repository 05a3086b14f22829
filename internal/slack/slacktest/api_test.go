package slacktest_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"redis-session-bot/internal/slack/slacktest"
)

// clock is a clock that stands until it is moved.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func newClock() *clock { return &clock{at: time.Date(2026, 11, 23, 2, 41, 0, 0, time.UTC)} }

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) move(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// call is a Web API call as a form, with the bot's token in the header.
func call(t *testing.T, w *slacktest.Workspace, method string, args M) (M, http.Header) {
	t.Helper()
	form := url.Values{}
	for name, v := range args {
		if s, ok := v.(string); ok {
			form.Set(name, s)
			continue
		}
		raw, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		form.Set(name, string(raw))
	}
	return send(t, w, method, "application/x-www-form-urlencoded", form.Encode(), w.Ready().BotToken)
}

func send(t *testing.T, w *slacktest.Workspace, method, kind, body, token string) (M, http.Header) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, w.Ready().API+method, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if kind != "" {
		req.Header.Set("Content-Type", kind)
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	return decode(t, resp), resp.Header
}

// posted is a message of the bot's in C_INC.
func posted(t *testing.T, w *slacktest.Workspace) string {
	t.Helper()
	out, _ := call(t, w, "chat.postMessage", M{"channel": "C_INC", "text": "hello"})
	ts, ok := out["ts"].(string)
	if !ok {
		t.Fatalf("post: %v", out)
	}
	return ts
}

func TestRefusals(t *testing.T) {
	w := start(t, slacktest.Options{
		Limits: slacktest.Limits{NoRates: true},
		Channels: append(slacktest.DefaultChannels(),
			slacktest.Channel{ID: "C_OLD", Name: "old", BotMember: true, Archived: true},
			slacktest.Channel{ID: "G_PRIVATE", Name: "secret", Private: true}),
		Users: append(slacktest.DefaultUsers(), slacktest.User{ID: "U_GONE", Name: "gone", Deleted: true}),
	})
	own := posted(t, w)
	reply, _ := call(t, w, "chat.postMessage", M{"channel": "C_INC", "text": "reply", "thread_ts": own})
	theirs := w.Say(slacktest.Line{User: "U_MEMBER", Channel: "C_INC", Text: "mine"}).TS
	eph, _ := call(t, w, "chat.postEphemeral", M{"channel": "C_INC", "user": "U_MEMBER", "text": "psst"})
	ephemeral := eph["message_ts"].(string)
	view := `{"type":"modal","title":{"type":"plain_text","text":"t"},"blocks":[{"type":"divider"}]}`

	for _, c := range []struct {
		method  string
		args    M
		want    string // error code, or empty for ok
		says    string // part of the messages
		allowed bool   // no violation
	}{
		{method: "chat.postMessage", args: M{"text": "x"}, want: "invalid_arguments", says: "[ERROR] missing required field: channel"},
		{method: "chat.postMessage", args: M{"channel": "C_INC"}, want: "no_text"},
		{method: "chat.postMessage", args: M{"channel": "C_INC", "text": ""}, want: "no_text"},
		{method: "chat.postMessage", args: M{"channel": "C_NONE", "text": "x"}, want: "channel_not_found", allowed: true},
		{method: "chat.postMessage", args: M{"channel": "C_GEN", "text": "x"}, want: "not_in_channel", allowed: true},
		{method: "chat.postMessage", args: M{"channel": "C_OLD", "text": "x"}, want: "is_archived", allowed: true},
		{method: "chat.postMessage", args: M{"channel": "G_PRIVATE", "text": "x"}, want: "channel_not_found", allowed: true},
		{method: "chat.postMessage", args: M{"channel": "#inc-redis", "text": "x"}},
		{method: "chat.postMessage", args: M{"channel": "U_MEMBER", "text": "x"}},
		{method: "chat.postMessage", args: M{"channel": "C_INC", "text": "x", "unfurl_links": "maybe"}, want: "invalid_arguments", says: "json-pointer:/unfurl_links"},
		{method: "chat.postMessage", args: M{"channel": "C_INC", "blocks": "[{"}, want: "invalid_blocks_format"},
		{method: "chat.postMessage", args: M{"channel": "C_INC", "blocks": `{"type":"divider"}`}, want: "invalid_blocks_format"},
		{method: "chat.postMessage", args: M{"channel": "C_INC", "blocks": `[{"type":"section"}]`}, want: "invalid_blocks", says: "[json-pointer:/blocks/0]"},
		{method: "chat.postMessage", args: M{"channel": "C_INC", "blocks": sections(5, 2500)}},
		{method: "chat.postMessage", args: M{"channel": "C_INC", "blocks": sections(5, 2600)}, want: "msg_blocks_too_long"},
		{method: "chat.postMessage", args: M{"channel": "C_INC", "attachments": "{"}, want: "invalid_attachments"},
		{method: "chat.postMessage", args: M{"channel": "C_INC", "text": "x", "metadata": `{"event_type":"t"}`}, want: "invalid_metadata_format"},
		{method: "chat.postMessage", args: M{"channel": "C_INC", "text": "x", "markdown_text": "y"}, want: "markdown_text_conflict"},
		{method: "chat.postMessage", args: M{"channel": "C_INC", "text": "x", "thread_ts": "1.000001"}, want: "cannot_reply_to_message", allowed: true},
		{method: "chat.postMessage", args: M{"channel": "C_INC", "text": "x", "thread_ts": reply["ts"]}, says: ""},
		{method: "chat.postMessage", args: M{"channel": "C_INC", "text": "x", "thread_ts": ephemeral}, want: "cannot_reply_to_message", allowed: true},
		{method: "chat.update", args: M{"channel": "C_INC", "ts": own, "text": strings.Repeat("é", 4000)}},
		{method: "chat.update", args: M{"channel": "C_INC", "ts": own, "text": strings.Repeat("é", 4001)}, want: "msg_too_long"},
		{method: "chat.update", args: M{"channel": "C_INC", "ts": own}, want: "no_text"},
		{method: "chat.update", args: M{"channel": "C_INC", "ts": "now", "text": "x"}, want: "invalid_arguments", says: "json-pointer:/ts"},
		{method: "chat.update", args: M{"channel": "C_INC", "ts": "1.000001", "text": "x"}, want: "message_not_found", allowed: true},
		{method: "chat.update", args: M{"channel": "C_INC", "ts": theirs, "text": "x"}, want: "cant_update_message"},
		{method: "chat.update", args: M{"channel": "C_INC", "ts": ephemeral, "text": "x"}, want: "message_not_found", allowed: true},
		{method: "chat.delete", args: M{"channel": "C_INC", "ts": theirs}, want: "cant_delete_message"},
		{method: "chat.postEphemeral", args: M{"channel": "C_INC", "user": "U_NONE", "text": "x"}, want: "user_not_in_channel", allowed: true},
		{method: "chat.postEphemeral", args: M{"channel": "C_INC", "user": "U_GONE", "text": "x"}, want: "user_not_in_channel", allowed: true},
		{method: "chat.postEphemeral", args: M{"channel": "C_GEN", "user": "U_MEMBER", "text": "x"}, want: "not_in_channel", allowed: true},
		{method: "chat.getPermalink", args: M{"channel": "C_INC", "message_ts": own}},
		{method: "chat.getPermalink", args: M{"channel": "C_INC", "message_ts": "1.000001"}, want: "message_not_found", allowed: true},
		{method: "reactions.add", args: M{"channel": "C_INC", "timestamp": own, "name": "eyes"}},
		{method: "reactions.add", args: M{"channel": "C_INC", "timestamp": own, "name": "eyes"}, want: "already_reacted", allowed: true},
		{method: "reactions.add", args: M{"channel": "C_INC", "timestamp": own, "name": "No Emoji"}, want: "invalid_name"},
		{method: "pins.add", args: M{"channel": "C_INC", "timestamp": own}},
		{method: "pins.add", args: M{"channel": "C_INC", "timestamp": own}, want: "already_pinned", allowed: true},
		{method: "pins.add", args: M{"channel": "C_INC"}, want: "no_item_specified", allowed: true},
		{method: "conversations.info", args: M{"channel": "G_PRIVATE"}, want: "missing_scope", says: ""},
		{method: "conversations.info", args: M{"channel": "C_NONE"}, want: "channel_not_found", allowed: true},
		{method: "conversations.history", args: M{"channel": "C_GEN"}, want: "not_in_channel", allowed: true},
		{method: "conversations.history", args: M{"channel": "C_INC", "cursor": "?"}, want: "invalid_cursor", allowed: true},
		{method: "conversations.replies", args: M{"channel": "C_INC", "ts": "1.000001"}, want: "thread_not_found", allowed: true},
		{method: "conversations.list", args: M{"types": "rooms"}, want: "invalid_types", allowed: true},
		{method: "conversations.open", args: M{"users": "U_MEMBER"}},
		{method: "conversations.open", args: M{"users": "U_GONE"}, want: "user_disabled", allowed: true},
		{method: "users.info", args: M{"user": "U_NONE"}, want: "user_not_found", allowed: true},
		{method: "usergroups.users.list", args: M{"usergroup": "S_NONE"}, want: "no_such_subteam", allowed: true},
		{method: "usergroups.users.list", args: M{"usergroup": "S_APPROVERS"}},
		{method: "files.getUploadURLExternal", args: M{"filename": "x"}, want: "invalid_arguments", says: "missing required field: length"},
		{method: "files.getUploadURLExternal", args: M{"filename": "x", "length": 0}, want: "invalid_arguments", says: "json-pointer:/length"},
		{method: "files.completeUploadExternal", args: M{"files": []M{{"id": "F_NONE"}}}, want: "file_not_found", allowed: true},
		{method: "views.open", args: M{"trigger_id": "1.2.ab"}, want: "invalid_arguments", says: "missing required field: view"},
		{method: "views.open", args: M{"view": view}, want: "invalid_arguments", says: "missing required field: trigger_id"},
		{method: "views.open", args: M{"view": view, "trigger_id": "1.2.ab"}, want: "invalid_trigger_id"},
		{method: "views.open", args: M{"view": `{"type":"modal"}`, "trigger_id": "1.2.ab"}, want: "invalid_arguments", says: "[json-pointer:/view]"},
		{method: "views.open", args: M{"view": strings.Replace(view, "divider", "divider\",\"block_id\":\""+strings.Repeat("x", 250_000), 1), "trigger_id": "1.2.ab"}, want: "view_too_large"},
		{method: "views.update", args: M{"view": view}, want: "invalid_arguments", says: "view_id"},
		{method: "views.update", args: M{"view": view, "view_id": "V_NONE"}, want: "not_found", allowed: true},
		{method: "chat.scheduleMessage", args: M{}, want: "unknown_method"},
	} {
		t.Run(fmt.Sprintf("%s %v", c.method, c.want), func(t *testing.T) {
			before := len(w.Violations())
			out, _ := call(t, w, c.method, c.args)
			got, _ := out["error"].(string)
			if got != c.want || out["ok"] != (c.want == "") {
				t.Fatalf("got %v, want the error %q", out, c.want)
			}
			raw, _ := json.Marshal(out)
			if !strings.Contains(string(raw), c.says) {
				t.Errorf("got %s, want %q in it", raw, c.says)
			}
			// A reply used as a thread is taken, and held against the app.
			breach := c.want != "" && !c.allowed || c.args["thread_ts"] == reply["ts"]
			if after := len(w.Violations()); (after > before) != breach {
				t.Errorf("violations went from %d to %d", before, after)
			}
		})
	}
}

// sections are blocks with text enough to be too long together.
func sections(n, each int) []M {
	var out []M
	for range n {
		out = append(out, M{"type": "section", "text": M{"type": "mrkdwn", "text": strings.Repeat("é", each)}})
	}
	return out
}

func TestPostMessageCutsLongText(t *testing.T) {
	w := start(t, slacktest.Options{})
	out, _ := call(t, w, "chat.postMessage", M{"channel": "C_INC", "text": strings.Repeat("é", 40001)})
	if text := dig(t, out, "message", "text").(string); len([]rune(text)) != 40000 || out["warning"] != "message_truncated" {
		t.Errorf("%d characters, warning %v", len([]rune(text)), out["warning"])
	}
}

func TestTokens(t *testing.T) {
	w := start(t, slacktest.Options{})
	r := w.Ready()
	form, asJSON := "application/x-www-form-urlencoded", "application/json"
	for name, c := range map[string]struct {
		method, kind, body, token string
		want                      string
		breach                    string
	}{
		"none":                         {method: "auth.test", want: "not_authed"},
		"unknown":                      {method: "auth.test", token: "xoxb-other", want: "invalid_auth"},
		"in the header":                {method: "auth.test", token: r.BotToken},
		"in the form":                  {method: "auth.test", kind: form, body: "token=" + r.BotToken},
		"in a JSON body":               {method: "auth.test", kind: asJSON, body: `{"token":"` + r.BotToken + `"}`, want: "not_authed"},
		"in the URL":                   {method: "auth.test?token=" + r.BotToken, want: "invalid_auth", breach: slacktest.TokenMisplaced},
		"app token for a bot's method": {method: "auth.test", token: r.AppToken, want: "not_allowed_token_type", breach: slacktest.TokenMisplaced},
		"bot token to connect":         {method: "apps.connections.open", token: r.BotToken, want: "not_allowed_token_type", breach: slacktest.TokenMisplaced},
		"app token in the form":        {method: "apps.connections.open", kind: form, body: "token=" + r.AppToken, want: "not_authed", breach: slacktest.TokenMisplaced},
		"app token in the header":      {method: "apps.connections.open", token: r.AppToken},
		"a body that is no JSON":       {method: "chat.postMessage", kind: asJSON, body: "{", token: r.BotToken, want: "invalid_json", breach: slacktest.PayloadRefused},
		"a body of another kind":       {method: "chat.postMessage", kind: "text/plain", body: "x", token: r.BotToken, want: "invalid_post_type", breach: slacktest.PayloadRefused},
		"JSON where none is taken":     {method: "users.info", kind: asJSON, body: `{"user":"U_MEMBER"}`, token: r.BotToken, want: "invalid_arguments", breach: slacktest.PayloadRefused},
		"JSON with blocks as a list":   {method: "chat.postMessage", kind: asJSON + "; charset=utf-8", body: `{"channel":"C_INC","blocks":[{"type":"divider"}]}`, token: r.BotToken},
	} {
		t.Run(name, func(t *testing.T) {
			before := len(w.Violations())
			out, header := send(t, w, c.method, c.kind, c.body, c.token)
			if got, _ := out["error"].(string); got != c.want {
				t.Errorf("got %v, want %q", out, c.want)
			}
			if c.token == r.BotToken && !strings.Contains(header.Get("X-OAuth-Scopes"), "chat:write") {
				t.Errorf("no scopes in %v", header)
			}
			switch after := w.Violations(); {
			case c.breach == "" && len(after) > before:
				t.Errorf("violation: %v", after[before:])
			case c.breach != "" && (len(after) == before || after[before].Kind != c.breach):
				t.Errorf("violations %v, want %s", after[before:], c.breach)
			}
		})
	}
}

func TestScopes(t *testing.T) {
	w := start(t, slacktest.Options{Scopes: []string{"commands", "chat:write"}})
	for method, needed := range map[string]string{
		"users.info": "users:read", "conversations.info": "channels:read", "reactions.add": "reactions:write",
		"pins.add": "pins:write", "usergroups.list": "usergroups:read", "files.getUploadURLExternal": "files:write",
		"conversations.join": "channels:join", "conversations.history": "channels:history",
	} {
		out, _ := call(t, w, method, M{"channel": "C_INC"})
		if out["error"] != "missing_scope" || out["needed"] != needed || out["provided"] != "commands,chat:write" {
			t.Errorf("%s: %v", method, out)
		}
	}
	if v := violated(t, w, slacktest.ScopeMissing); v.Detail == "" {
		t.Error("no detail")
	}
	if out, _ := call(t, w, "chat.postMessage", M{"channel": "C_INC", "text": "x"}); out["ok"] != true {
		t.Errorf("chat.postMessage: %v", out)
	}
}

func TestRates(t *testing.T) {
	for name, c := range map[string]struct {
		method  string
		args    M
		allowed int // calls at once
		retry   string
	}{
		"tier 2":                  {method: "users.list", allowed: 20, retry: "3"},
		"tier 3":                  {method: "conversations.info", args: M{"channel": "C_INC"}, allowed: 50, retry: "2"},
		"tier 4":                  {method: "users.info", args: M{"user": "U_MEMBER"}, allowed: 100, retry: "1"},
		"messages in one channel": {method: "chat.postMessage", args: M{"channel": "C_INC", "text": "x"}, allowed: 5, retry: "1"},
	} {
		t.Run(name, func(t *testing.T) {
			clock := newClock()
			w := start(t, slacktest.Options{Now: clock.now})
			for i := range c.allowed {
				if out, _ := call(t, w, c.method, c.args); out["ok"] != true {
					t.Fatalf("call %d: %v", i+1, out)
				}
			}
			out, header := call(t, w, c.method, c.args)
			if out["error"] != "ratelimited" || header.Get("Retry-After") != c.retry {
				t.Fatalf("call %d: %v, Retry-After %q", c.allowed+1, out, header.Get("Retry-After"))
			}
			if name == "messages in one channel" {
				if out, _ := call(t, w, c.method, M{"channel": "C_SRE", "text": "x"}); out["ok"] != true {
					t.Errorf("another channel: %v", out)
				}
			}
			// What was under way when the answer came is refused, not held against the app.
			clock.move(200 * time.Millisecond)
			if out, _ := call(t, w, c.method, c.args); out["error"] != "ratelimited" {
				t.Errorf("within the grace: %v", out)
			}
			noViolations(t, w)
			clock.move(300 * time.Millisecond)
			if out, _ := call(t, w, c.method, c.args); out["error"] != "ratelimited" {
				t.Errorf("before Retry-After: %v", out)
			}
			violated(t, w, slacktest.RateIgnored)
			clock.move(3 * time.Second)
			if out, _ := call(t, w, c.method, c.args); out["ok"] != true {
				t.Errorf("after Retry-After: %v", out)
			}
		})
	}
}

func TestUploadIsWhatWasAnnounced(t *testing.T) {
	w := start(t, slacktest.Options{})
	out, _ := call(t, w, "files.getUploadURLExternal", M{"filename": "a.log", "length": "5"})
	files := []M{{"id": out["file_id"], "title": "A"}}
	if early, _ := call(t, w, "files.completeUploadExternal", M{"files": files}); early["error"] != "file_update_failed" {
		t.Errorf("completed before it was sent: %v", early)
	}
	for body, status := range map[string]int{"four": 400, "seven..": 400} {
		resp, err := http.Post(out["upload_url"].(string), "application/octet-stream", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != status {
			t.Errorf("%q: %s", body, resp.Status)
		}
	}
	violated(t, w, slacktest.UploadWrong)
	resp, err := http.Post(out["upload_url"].(string), "application/octet-stream", strings.NewReader("fives"))
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if elsewhere, _ := call(t, w, "files.completeUploadExternal", M{"files": files, "channel_id": "C_GEN"}); elsewhere["error"] != "not_in_channel" {
		t.Errorf("shared where the bot is not: %v", elsewhere)
	}
	done, _ := call(t, w, "files.completeUploadExternal", M{"files": files, "channel_id": "C_INC", "initial_comment": "see"})
	if dig(t, done, "files", 0, "title") != "A" {
		t.Errorf("completed: %v", done)
	}
}

func TestListsComeInPages(t *testing.T) {
	w := start(t, slacktest.Options{})
	seen, cursor := 0, ""
	for {
		out, _ := call(t, w, "users.list", M{"limit": "4", "cursor": cursor})
		seen += len(out["members"].([]any))
		cursor = dig(t, out, "response_metadata", "next_cursor").(string)
		if cursor == "" {
			break
		}
	}
	if seen != 6 {
		t.Errorf("%d users, want the five and the bot", seen)
	}
}

func TestMetadataIsGivenOnRequest(t *testing.T) {
	w := start(t, slacktest.Options{})
	meta := M{"event_type": "incident", "event_payload": M{"id": "INC-7"}}
	call(t, w, "chat.postMessage", M{"channel": "C_INC", "text": "x", "metadata": meta})
	plain, _ := call(t, w, "conversations.history", M{"channel": "C_INC"})
	asked, _ := call(t, w, "conversations.history", M{"channel": "C_INC", "include_all_metadata": "true"})
	if dig(t, plain, "messages", 0, "metadata") != nil || dig(t, asked, "messages", 0, "metadata", "event_payload", "id") != "INC-7" {
		t.Errorf("plain %v, asked %v", plain, asked)
	}
}
