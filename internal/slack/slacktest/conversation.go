package slacktest

import (
	"encoding/base64"
	"slices"
	"strconv"
	"strings"
)

// visible finds a conversation that the app can see: public ones, and those that it is in.
func (w *Workspace) visible(ref string) (*room, *refusal) {
	i := slices.IndexFunc(w.rooms, func(r *room) bool { return r.ID == ref })
	if i < 0 || (!w.rooms[i].public() && !w.rooms[i].has(BotUser)) {
		return nil, refuse("channel_not_found")
	}
	return w.rooms[i], nil
}

func (w *Workspace) conversationsInfo(args arguments) (object, *refusal) {
	r, bad := w.visible(args.text("channel"))
	if bad != nil {
		return nil, bad
	}
	out := r.json()
	if !args.yes("include_num_members") {
		delete(out, "num_members")
	}
	return object{"channel": out}, nil
}

func (w *Workspace) conversationsList(args arguments) (object, *refusal) {
	kinds := []string{"public_channel"}
	if t := args.text("types"); t != "" {
		kinds = strings.Split(strings.ReplaceAll(t, " ", ""), ",")
	}
	for _, k := range kinds {
		if !slices.Contains([]string{"public_channel", "private_channel", "mpim", "im"}, k) {
			return nil, refuse("invalid_types")
		}
	}
	var all []any
	for _, r := range w.rooms {
		kind := "public_channel"
		if r.im != "" {
			kind = "im"
		} else if r.Private {
			kind = "private_channel"
		}
		seen := r.public() || r.has(BotUser)
		if seen && slices.Contains(kinds, kind) && !(args.yes("exclude_archived") && r.Archived) {
			all = append(all, r.json())
		}
	}
	return paged("channels", all, args, 100)
}

func (w *Workspace) conversationsJoin(args arguments) (object, *refusal) {
	r, bad := w.visible(args.text("channel"))
	switch {
	case bad != nil:
		return nil, bad
	case !r.public():
		return nil, refuse("method_not_supported_for_channel_type")
	case r.Archived:
		return nil, refuse("is_archived")
	}
	out := object{}
	if r.has(BotUser) {
		out["warning"], out["response_metadata"] = "already_in_channel", object{"warnings": []string{"already_in_channel"}}
	} else {
		r.members = append(r.members, BotUser)
	}
	out["channel"] = r.json()
	return out, nil
}

func (w *Workspace) conversationsOpen(args arguments) (object, *refusal) {
	if args.has("channel") {
		r, bad := w.visible(args.text("channel"))
		if bad != nil {
			return nil, bad
		}
		return object{"channel": object{"id": r.ID}, "already_open": true}, nil
	}
	if !args.has("users") {
		return nil, refuse("users_list_not_supplied")
	}
	users := strings.Split(args.text("users"), ",")
	u, ok := w.user(strings.TrimSpace(users[0]))
	switch {
	case len(users) > 1:
		return nil, refuse("too_many_users") // the workspace has no group messages
	case !ok:
		return nil, refuse("user_not_found")
	case u.Deleted:
		return nil, refuse("user_disabled")
	case u.Bot:
		return nil, refuse("invalid_user_combination")
	}
	before := len(w.rooms)
	r := w.direct(u.ID)
	channel := object{"id": r.ID}
	if args.yes("return_im") {
		channel = r.json()
	}
	return object{"channel": channel, "already_open": len(w.rooms) == before, "no_op": len(w.rooms) == before}, nil
}

func (w *Workspace) conversationsHistory(args arguments) (object, *refusal) {
	r, bad := w.readable(args)
	if bad != nil {
		return nil, bad
	}
	var all []*message
	for _, m := range w.messages {
		if m.channel == r.ID && m.only == "" && (m.thread == "" || m.wide) && within(m.ts, args) {
			all = append(all, m)
		}
	}
	slices.Reverse(all) // newest first
	out, bad := paged("messages", w.told(all, args), args, 100)
	if bad != nil {
		return nil, bad
	}
	out["pin_count"] = len(r.pins)
	return out, nil
}

func (w *Workspace) conversationsReplies(args arguments) (object, *refusal) {
	r, bad := w.readable(args)
	if bad != nil {
		return nil, bad
	}
	m := w.find(r.ID, args.text("ts"))
	if m == nil || m.only != "" {
		return nil, refuse("thread_not_found")
	}
	all := []*message{m}
	if m.thread == "" {
		for _, reply := range w.repliesTo(m) {
			if within(reply.ts, args) {
				all = append(all, reply)
			}
		}
	}
	return paged("messages", w.told(all, args), args, 1000)
}

func (w *Workspace) readable(args arguments) (*room, *refusal) {
	r, bad := w.visible(args.text("channel"))
	if bad == nil && !r.has(BotUser) {
		return nil, refuse("not_in_channel")
	}
	return r, bad
}

// told are messages as the reading methods give them: with the metadata when asked.
func (w *Workspace) told(messages []*message, args arguments) []any {
	var out []any
	for _, m := range messages {
		j := w.json(m)
		if args.yes("include_all_metadata") && m.metadata != nil {
			j["metadata"] = m.metadata
		}
		out = append(out, j)
	}
	return out
}

// within holds a timestamp against oldest and latest. All of ours have the same number of digits.
func within(ts string, args arguments) bool {
	oldest, latest := args.text("oldest"), args.text("latest")
	at, _ := strconv.ParseFloat(ts, 64)
	from, _ := strconv.ParseFloat(oldest, 64)
	to, err := strconv.ParseFloat(latest, 64)
	if args.yes("inclusive") && (ts == oldest || ts == latest) {
		return true
	}
	return at > from && (err != nil || at < to)
}

// paged cuts a list to a page, with a cursor for the next one.
func paged(name string, all []any, args arguments, absent int) (object, *refusal) {
	limit := args.number("limit", absent)
	if limit <= 0 {
		limit = absent
	}
	if limit > 1000 {
		return nil, refuse("invalid_limit")
	}
	start := 0
	if cursor := args.text("cursor"); cursor != "" {
		raw, err := base64.StdEncoding.DecodeString(cursor)
		at, number := strings.CutPrefix(string(raw), "next:")
		n, numErr := strconv.Atoi(at)
		if err != nil || !number || numErr != nil || n < 0 || n > len(all) {
			return nil, refuse("invalid_cursor")
		}
		start = n
	}
	end, next := min(start+limit, len(all)), ""
	if end < len(all) {
		next = base64.StdEncoding.EncodeToString([]byte("next:" + strconv.Itoa(end)))
	}
	return object{
		name: append([]any{}, all[start:end]...), "has_more": next != "",
		"response_metadata": object{"next_cursor": next},
	}, nil
}
