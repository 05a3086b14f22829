package slacktest

import (
	"encoding/json"
	"io"
	"net/http"
	"time"
)

// replyURL is a response_url: the right to answer one interaction a few times, in its place.
type replyURL struct {
	id      string
	user    string
	channel string
	thread  string
	origin  string // ts of the message that was clicked, if any
	born    time.Time
	uses    int
}

// replyURL gives out a response_url. The caller holds w.mu.
func (w *Workspace) replyURL(user, channel, thread, origin string) string {
	r := &replyURL{id: secret(), user: user, channel: channel, thread: thread, origin: origin, born: w.now()}
	w.replies[r.id] = r
	return "http://" + w.host + "/actions/" + TeamID + "/" + r.id
}

// respond takes a post to a response_url.
func (w *Workspace) respond(rw http.ResponseWriter, r *http.Request) {
	raw, err := io.ReadAll(http.MaxBytesReader(rw, r.Body, maxBody))
	var body object
	if err == nil {
		err = json.Unmarshal(raw, &body)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	u := w.replies[r.PathValue("id")]
	switch {
	case u == nil:
		w.breach(ReplyMisused, "a response_url that was never given out")
		writeJSON(rw, http.StatusNotFound, object{"ok": false, "error": "invalid_url"})
		return
	case w.now().Sub(u.born) > w.opts.Limits.ResponseURLLives:
		w.breach(ReplyMisused, "a response_url used %s after it was given out", w.now().Sub(u.born).Round(time.Second))
		writeJSON(rw, http.StatusNotFound, object{"ok": false, "error": "expired_url"})
		return
	case u.uses >= w.opts.Limits.ResponseURLUses:
		w.breach(ReplyMisused, "a response_url used more than %d times", w.opts.Limits.ResponseURLUses)
		writeJSON(rw, http.StatusNotFound, object{"ok": false, "error": "used_url"})
		return
	case err != nil:
		w.breach(PayloadRefused, "response_url: invalid_payload: %v", err)
		writeJSON(rw, http.StatusBadRequest, object{"ok": false, "error": "invalid_payload"})
		return
	}
	if bad := w.reply(u, body); bad != nil {
		w.breach(PayloadRefused, "response_url: %s: %s", bad.code, bad.detail)
		bad.status = http.StatusBadRequest
		bad.write(rw)
		return
	}
	u.uses++
	writeJSON(rw, http.StatusOK, object{"ok": true})
}

// reply does what a post to a response_url, or a slash command's acknowledgement, asks for.
func (w *Workspace) reply(u *replyURL, body object) *refusal {
	args := arguments(body)
	origin := w.find(u.channel, u.origin)
	if args.yes("delete_original") {
		if origin == nil || !origin.bot {
			return refuse("message_not_found")
		}
		w.remove(origin)
		return nil
	}
	c, bad := w.content(args)
	if bad != nil {
		return bad
	}
	if c.text == "" && len(c.blocks) == 0 && len(c.attached) == 0 {
		return refuse("no_text")
	}
	if args.yes("replace_original") && origin != nil && origin.bot {
		w.rewrite(origin, c, args.has("attachments"))
		return nil
	}
	m := &message{
		channel: u.channel, user: BotUser, bot: true, text: cut(c.text, postChars), blocks: c.blocks, attached: c.attached,
		only: u.user, thread: u.thread,
	}
	if args.text("response_type") == "in_channel" {
		m.only = ""
	}
	if ts := args.text("thread_ts"); ts != "" {
		m.thread = ts
	}
	w.add(m)
	return nil
}
