package slacktest

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// refusal is an error answer of the Web API.
type refusal struct {
	code       string
	detail     string // for the violation, beside the code
	extra      object // further fields of the answer
	status     int    // HTTP status; 0 is 200
	retryAfter int    // seconds, with status 429
	planned    bool   // asked for by a fault, so no breach
}

func refuse(code string) *refusal { return &refusal{code: code} }

// refuseWith is a refusal that says, in Slack's way, what is wrong where.
func refuseWith(code string, messages []string) *refusal {
	return &refusal{
		code: code, detail: strings.Join(messages, "; "),
		extra: object{"response_metadata": object{"messages": messages}},
	}
}

// breaches are the refusals that a correct app never meets, by the kind of violation.
var breaches = map[string]string{
	"invalid_arguments": PayloadRefused, "invalid_blocks": PayloadRefused, "invalid_blocks_format": PayloadRefused,
	"invalid_attachments": PayloadRefused, "invalid_metadata_format": PayloadRefused, "msg_too_long": PayloadRefused,
	"msg_blocks_too_long": PayloadRefused, "no_text": PayloadRefused, "view_too_large": PayloadRefused,
	"markdown_text_conflict": PayloadRefused, "too_many_attachments": PayloadRefused, "invalid_json": PayloadRefused,
	"json_not_object": PayloadRefused, "invalid_form_data": PayloadRefused, "invalid_post_type": PayloadRefused,
	"invalid_charset": PayloadRefused, "invalid_trigger_id": PayloadRefused, "exchanged_trigger_id": PayloadRefused,
	"expired_trigger_id": PayloadRefused, "push_limit_reached": PayloadRefused, "cant_update_message": PayloadRefused,
	"cant_delete_message": PayloadRefused, "file_update_failed": PayloadRefused, "invalid_name": PayloadRefused,
	"unknown_method": MethodUnknown, "missing_scope": ScopeMissing, "not_allowed_token_type": TokenMisplaced,
}

// answer is what a method does, once its token, scopes, rate and arguments are in order. It runs under w.mu.
type answer func(w *Workspace, args arguments) (object, *refusal)

// answers are the methods that exist here; each has its file in methods/ too.
func answers() map[string]answer {
	return map[string]answer{
		"apps.connections.open":        (*Workspace).appsConnectionsOpen,
		"auth.test":                    (*Workspace).authTest,
		"chat.delete":                  (*Workspace).chatDelete,
		"chat.getPermalink":            (*Workspace).chatGetPermalink,
		"chat.postEphemeral":           (*Workspace).chatPostEphemeral,
		"chat.postMessage":             (*Workspace).chatPostMessage,
		"chat.update":                  (*Workspace).chatUpdate,
		"conversations.history":        (*Workspace).conversationsHistory,
		"conversations.info":           (*Workspace).conversationsInfo,
		"conversations.join":           (*Workspace).conversationsJoin,
		"conversations.list":           (*Workspace).conversationsList,
		"conversations.open":           (*Workspace).conversationsOpen,
		"conversations.replies":        (*Workspace).conversationsReplies,
		"files.completeUploadExternal": (*Workspace).filesComplete,
		"files.getUploadURLExternal":   (*Workspace).filesGetUploadURL,
		"pins.add":                     (*Workspace).pinsAdd,
		"reactions.add":                (*Workspace).reactionsAdd,
		"usergroups.list":              (*Workspace).usergroupsList,
		"usergroups.users.list":        (*Workspace).usergroupsUsersList,
		"users.info":                   (*Workspace).usersInfo,
		"users.list":                   (*Workspace).usersList,
		"views.open":                   (*Workspace).viewsOpen,
		"views.publish":                (*Workspace).viewsPublish,
		"views.push":                   (*Workspace).viewsPush,
		"views.update":                 (*Workspace).viewsUpdate,
	}
}

// api answers one Web API call.
func (w *Workspace) api(known map[string]answer) http.HandlerFunc {
	return func(rw http.ResponseWriter, r *http.Request) {
		name := r.PathValue("method")
		do, ok := known[name]
		if !ok {
			w.mu.Lock()
			w.breach(MethodUnknown, "%s", name)
			w.mu.Unlock()
			writeJSON(rw, http.StatusOK, object{"ok": false, "error": "unknown_method", "req_method": name})
			return
		}
		c, bad := readCall(r, w.methods[name])
		if delay := w.slowness(name); delay > 0 {
			select {
			case <-time.After(delay):
			case <-r.Context().Done():
				return
			}
		}
		w.mu.Lock()
		out, bad := w.judge(name, c, bad, do)
		scopes := strings.Join(w.opts.Scopes, ",")
		if bad != nil && breaches[bad.code] != "" && !bad.planned {
			w.breach(breaches[bad.code], "%s: %s", name, strings.TrimSuffix(bad.code+": "+bad.detail, ": "))
		}
		w.mu.Unlock()
		rw.Header().Set("X-Slack-Req-Id", secret())
		if strings.HasPrefix(c.token(), "xoxb-") {
			rw.Header().Set("X-OAuth-Scopes", scopes)
			rw.Header().Set("X-Accepted-OAuth-Scopes", strings.Join(w.methods[name].Scope.Bot, ","))
		}
		if bad != nil {
			bad.write(rw)
			return
		}
		writeJSON(rw, http.StatusOK, out)
	}
}

// judge takes a call through Slack's gates in Slack's order. The caller holds w.mu.
func (w *Workspace) judge(name string, c call, bad *refusal, do answer) (object, *refusal) {
	if bad != nil {
		return nil, bad
	}
	m := w.methods[name]
	if bad := w.authorize(name, c); bad != nil {
		return nil, bad
	}
	if bad := w.faulty(name); bad != nil {
		return nil, bad
	}
	if wait := w.admit(name, m, c.args); wait > 0 {
		return nil, tooMany(wait)
	}
	if bad := w.scoped(m, c.args); bad != nil {
		return nil, bad
	}
	if bad := m.check(c.args); bad != nil {
		return nil, bad
	}
	out, bad := do(w, c.args)
	if bad != nil {
		return nil, bad
	}
	out["ok"] = true
	return clone(out), nil
}

// authorize looks at the token: there, in its place, ours, and of the method's kind.
func (w *Workspace) authorize(name string, c call) *refusal {
	app := name == "apps.connections.open"
	token := c.token()
	if c.query != "" {
		w.breach(TokenMisplaced, "%s: a token in the URL", name)
	}
	if app && c.header == "" && c.form != "" {
		w.breach(TokenMisplaced, "%s: the app token counts in the Authorization header only", name)
		token = ""
	}
	switch {
	case token == "" && c.query != "":
		return refuse("invalid_auth")
	case token == "":
		return refuse("not_authed")
	case token == w.ready.BotToken && !app, token == w.ready.AppToken && app:
		return nil
	case token == w.ready.BotToken, token == w.ready.AppToken:
		return refuse("not_allowed_token_type")
	}
	return refuse("invalid_auth")
}

// scoped looks whether the token may do this. A conversations method needs one scope of its list: the one for the kind
// of conversation.
func (w *Workspace) scoped(m method, args arguments) *refusal {
	needs := m.Scope.Bot
	if len(needs) == 0 {
		return nil
	}
	needed := needs[0]
	if len(needs) > 1 {
		needed = w.scopeFor(needs, args)
	}
	if slices.Contains(w.opts.Scopes, needed) {
		return nil
	}
	return &refusal{
		code: "missing_scope", detail: "needs " + needed,
		extra: object{"needed": needed, "provided": strings.Join(w.opts.Scopes, ",")},
	}
}

// scopeFor picks from channels:…, groups:…, im:… and mpim:… by the conversation that a call is about.
func (w *Workspace) scopeFor(needs []string, args arguments) string {
	kind := "channels:"
	if r := w.room(args.text("channel")); r != nil && r.im != "" {
		kind = "im:"
	} else if r != nil && r.Private {
		kind = "groups:"
	}
	if args.has("users") {
		kind = "im:"
		if strings.Contains(args.text("users"), ",") {
			kind = "mpim:"
		}
	}
	for _, n := range needs {
		if strings.HasPrefix(n, kind) {
			return n
		}
	}
	return needs[0]
}

func (r *refusal) write(rw http.ResponseWriter) {
	if r.retryAfter > 0 {
		rw.Header().Set("Retry-After", strconv.Itoa(r.retryAfter))
	}
	if r.status >= 500 {
		http.Error(rw, fmt.Sprintf("<html>%d</html>", r.status), r.status)
		return
	}
	out := object{"ok": false, "error": r.code}
	maps.Copy(out, r.extra)
	status := r.status
	if status == 0 {
		status = http.StatusOK
	}
	writeJSON(rw, status, out)
}

func writeJSON(rw http.ResponseWriter, status int, v any) {
	rw.Header().Set("Content-Type", "application/json; charset=utf-8")
	rw.Header().Set("Cache-Control", "no-store")
	rw.WriteHeader(status)
	enc := json.NewEncoder(rw)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(v) // a reader that is gone needs no answer
}

// authTest says who the token is.
func (w *Workspace) authTest(arguments) (object, *refusal) {
	return object{
		"url": w.ready.Page, "team": teamName, "user": BotName, "team_id": TeamID, "user_id": BotUser, "bot_id": BotID,
		"is_enterprise_install": false,
	}, nil
}
