package slacktest

import "slices"

func (w *Workspace) usersInfo(args arguments) (object, *refusal) {
	u, ok := w.user(args.text("user"))
	if !ok {
		return nil, refuse("user_not_found")
	}
	return object{"user": u.json()}, nil
}

func (w *Workspace) usersList(args arguments) (object, *refusal) {
	var all []any
	for _, u := range w.users {
		all = append(all, u.json())
	}
	out, bad := paged("members", all, args, 1000)
	if bad != nil {
		return nil, bad
	}
	out["cache_ts"] = w.now().Unix()
	return out, nil
}

func (w *Workspace) usergroupsList(args arguments) (object, *refusal) {
	groups := []any{}
	for _, g := range w.opts.Groups {
		j := object{
			"id": g.ID, "team_id": TeamID, "is_usergroup": true, "is_subteam": true, "name": g.Name, "description": "",
			"handle": g.Handle, "is_external": false, "date_create": 1, "date_update": 1, "date_delete": 0,
			"auto_type": nil, "created_by": "U_APPROVER", "updated_by": "U_APPROVER", "deleted_by": nil,
			"prefs": object{"channels": []any{}, "groups": []any{}},
		}
		if args.yes("include_users") {
			j["users"] = g.Users
		}
		if args.yes("include_count") {
			j["user_count"] = len(g.Users)
		}
		groups = append(groups, j)
	}
	return object{"usergroups": groups}, nil
}

func (w *Workspace) usergroupsUsersList(args arguments) (object, *refusal) {
	i := slices.IndexFunc(w.opts.Groups, func(g Group) bool { return g.ID == args.text("usergroup") })
	if i < 0 {
		return nil, refuse("no_such_subteam")
	}
	return object{"users": w.opts.Groups[i].Users}, nil
}
