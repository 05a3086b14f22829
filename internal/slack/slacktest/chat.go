package slacktest

import (
	"slices"
	"strings"
	"unicode/utf8"
)

// postable finds the conversation that the app wants to write into, as it is named: an id, a name, or a person.
func (w *Workspace) postable(ref string) (*room, *refusal) {
	r := w.room(ref)
	if r == nil {
		if u, ok := w.user(ref); ok && !u.Bot {
			if u.Deleted {
				return nil, refuse("channel_not_found")
			}
			return w.direct(ref), nil
		}
		return nil, refuse("channel_not_found")
	}
	switch {
	case !r.public() && !r.has(BotUser):
		return nil, refuse("channel_not_found")
	case r.Archived:
		return nil, refuse("is_archived")
	case !r.has(BotUser) && !slices.Contains(w.opts.Scopes, "chat:write.public"):
		return nil, refuse("not_in_channel")
	}
	return r, nil
}

// parent finds the message that a thread_ts means. A reply's ts leads to its parent, and is held against the app.
func (w *Workspace) parent(r *room, ts string) (string, *refusal) {
	if ts == "" {
		return "", nil
	}
	m := w.find(r.ID, ts)
	if m == nil || m.only != "" {
		return "", refuse("cannot_reply_to_message")
	}
	if m.thread != "" {
		w.breach(ThreadMisused, "thread_ts %s is a reply; its thread is %s", ts, m.thread)
		return m.thread, nil
	}
	return ts, nil
}

func (w *Workspace) chatPostMessage(args arguments) (object, *refusal) {
	r, bad := w.postable(args.text("channel"))
	if bad != nil {
		return nil, bad
	}
	c, bad := w.content(args)
	if bad != nil {
		return nil, bad
	}
	if c.text == "" && len(c.blocks) == 0 && len(c.attached) == 0 {
		return nil, refuse("no_text")
	}
	thread, bad := w.parent(r, args.text("thread_ts"))
	if bad != nil {
		return nil, bad
	}
	m := w.add(&message{
		channel: r.ID, thread: thread, user: BotUser, bot: true, text: cut(c.text, postChars), blocks: c.blocks,
		attached: c.attached, metadata: c.metadata, username: w.customName(args), wide: args.yes("reply_broadcast"),
	})
	out := object{"channel": r.ID, "ts": m.ts, "message": w.json(m)}
	if m.text != c.text {
		out["response_metadata"] = object{"warnings": []string{"message_truncated"}}
		out["warning"] = "message_truncated"
	}
	return out, nil
}

// customName is another name for the bot, which takes a scope of its own.
func (w *Workspace) customName(args arguments) string {
	if slices.Contains(w.opts.Scopes, "chat:write.customize") {
		return args.text("username")
	}
	return ""
}

func (w *Workspace) chatPostEphemeral(args arguments) (object, *refusal) {
	r, bad := w.postable(args.text("channel"))
	if bad != nil {
		return nil, bad
	}
	u, ok := w.user(args.text("user"))
	if !ok || u.Deleted || !r.has(u.ID) {
		return nil, refuse("user_not_in_channel")
	}
	c, bad := w.content(args)
	if bad != nil {
		return nil, bad
	}
	switch {
	case c.text == "" && len(c.blocks) == 0 && len(c.attached) == 0:
		return nil, refuse("no_text")
	case utf8.RuneCountInString(c.text) > postChars:
		return nil, refuse("msg_too_long")
	}
	thread, bad := w.parent(r, args.text("thread_ts"))
	if bad != nil {
		return nil, bad
	}
	m := w.add(&message{
		channel: r.ID, thread: thread, user: BotUser, bot: true, text: c.text, blocks: c.blocks, attached: c.attached,
		only: u.ID, username: w.customName(args),
	})
	return object{"message_ts": m.ts}, nil
}

// own finds a message that the app may change. An ephemeral one is not found: it has no place in the channel.
func (w *Workspace) own(args arguments, notOurs string) (*message, *refusal) {
	r := w.room(args.text("channel"))
	if r == nil || (!r.public() && !r.has(BotUser)) {
		return nil, refuse("channel_not_found")
	}
	m := w.find(r.ID, args.text("ts"))
	if m == nil || m.only != "" {
		return nil, refuse("message_not_found")
	}
	if !m.bot {
		return nil, refuse(notOurs)
	}
	return m, nil
}

func (w *Workspace) chatUpdate(args arguments) (object, *refusal) {
	m, bad := w.own(args, "cant_update_message")
	if bad != nil {
		return nil, bad
	}
	c, bad := w.content(args)
	if bad != nil {
		return nil, bad
	}
	if utf8.RuneCountInString(c.text) > updateChars {
		return nil, refuse("msg_too_long")
	}
	if c.text == "" && len(c.blocks) == 0 && len(c.attached) == 0 && !args.has("file_ids") {
		return nil, refuse("no_text")
	}
	w.rewrite(m, c, args.has("attachments"))
	return object{"channel": m.channel, "ts": m.ts, "text": m.text, "message": w.json(m)}, nil
}

// rewrite changes a message in place. Text without blocks removes the blocks.
func (w *Workspace) rewrite(m *message, c content, attachments bool) {
	if c.text != "" || c.givenText {
		m.text = c.text
	}
	if c.givenBlocks || c.text != "" {
		m.blocks = c.blocks
		w.blockIDs(m.blocks)
	}
	if attachments {
		m.attached = c.attached
	}
	if c.metadata != nil {
		m.metadata = c.metadata
	}
	m.edited = w.mint()
	w.nudge(nudge{Type: "message", Channel: m.channel})
}

func (w *Workspace) chatDelete(args arguments) (object, *refusal) {
	m, bad := w.own(args, "cant_delete_message")
	if bad != nil {
		return nil, bad
	}
	w.remove(m)
	return object{"channel": m.channel, "ts": m.ts}, nil
}

// chatGetPermalink gives an address that opens the page at the message.
func (w *Workspace) chatGetPermalink(args arguments) (object, *refusal) {
	r := w.room(args.text("channel"))
	if r == nil {
		return nil, refuse("channel_not_found")
	}
	m := w.find(r.ID, args.text("message_ts"))
	if m == nil || m.only != "" {
		return nil, refuse("message_not_found")
	}
	link := w.ready.Page + "archives/" + r.ID + "/p" + strings.ReplaceAll(m.ts, ".", "")
	if m.thread != "" {
		link += "?thread_ts=" + m.thread + "&cid=" + r.ID
	}
	return object{"channel": r.ID, "permalink": link}, nil
}

// reachable finds a message that the app may react to or pin.
func (w *Workspace) reachable(args arguments) (*room, *message, *refusal) {
	r := w.room(args.text("channel"))
	if r == nil {
		return nil, nil, refuse("channel_not_found")
	}
	if args.text("timestamp") == "" {
		return nil, nil, refuse("no_item_specified")
	}
	m := w.find(r.ID, args.text("timestamp"))
	if m == nil || m.only != "" {
		return nil, nil, refuse("message_not_found")
	}
	return r, m, nil
}

func (w *Workspace) reactionsAdd(args arguments) (object, *refusal) {
	r, m, bad := w.reachable(args)
	if bad != nil {
		return nil, bad
	}
	name := strings.Trim(args.text("name"), ":")
	switch {
	case !r.has(BotUser):
		return nil, refuse("no_access")
	case name == "" || strings.ContainsAny(name, " <>&") || strings.ToLower(name) != name:
		return nil, refuse("invalid_name")
	case slices.Contains(m.reacted[name], BotUser):
		return nil, refuse("already_reacted")
	}
	if m.reacted == nil {
		m.reacted = map[string][]string{}
	}
	m.reacted[name] = append(m.reacted[name], BotUser)
	w.nudge(nudge{Type: "message", Channel: r.ID})
	return object{}, nil
}

func (w *Workspace) pinsAdd(args arguments) (object, *refusal) {
	r, m, bad := w.reachable(args)
	switch {
	case bad != nil:
		return nil, bad
	case !r.has(BotUser):
		return nil, refuse("not_in_channel")
	case slices.Contains(r.pins, m.ts):
		return nil, refuse("already_pinned")
	}
	r.pins = append(r.pins, m.ts)
	return object{}, nil
}
