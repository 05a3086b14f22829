package slacktest

import (
	"fmt"
	"regexp"
	"time"
)

// trigger is the right to open a modal once, for a moment, for one person.
type trigger struct {
	user string
	view string // the view it came from, if any
	born time.Time
	used bool
}

var triggerShape = regexp.MustCompile(`^\d+\.\d+\.[0-9a-f]+$`)

// trigger gives out a trigger_id. The caller holds w.mu.
func (w *Workspace) trigger(user, view string) string {
	w.serial++
	id := fmt.Sprintf("%d.%d.%s", w.now().UnixMilli(), w.serial, secret())
	w.triggers[id] = &trigger{user: user, view: view, born: w.now()}
	return id
}

// exchange spends the trigger of a call.
func (w *Workspace) exchange(args arguments) (*trigger, *refusal) {
	id := args.text("trigger_id")
	if id == "" {
		id = args.text("interactivity_pointer")
	}
	if id == "" {
		return nil, refuseWith("invalid_arguments", []string{"[ERROR] missing required field: trigger_id"})
	}
	t := w.triggers[id]
	switch {
	case t == nil || !triggerShape.MatchString(id):
		return nil, refuse("invalid_trigger_id")
	case t.used:
		return nil, refuse("exchanged_trigger_id")
	case w.now().Sub(t.born) > w.opts.Limits.TriggerLives:
		bad := refuse("expired_trigger_id")
		bad.detail = fmt.Sprintf("it is %s old", w.now().Sub(t.born).Round(time.Millisecond))
		return nil, bad
	}
	t.used = true
	return t, nil
}
