package commands_test

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"redis-session-bot/internal/commands"
	"redis-session-bot/internal/incident"
	"redis-session-bot/internal/store/memory"
)

// nobody may do anything.
type nobody struct{}

func (nobody) Allows(context.Context, incident.Actor, incident.Role) error {
	return &incident.Refusal{Says: "You may not."}
}

// FuzzHandle gives the handler what a chat may send: words after the slash
// command, and buttons with values that the bot never made. Each is answered
// in few words, and nothing is opened for a person who may not.
func FuzzHandle(f *testing.F) {
	for _, text := range []string{"", "help", "diagnose", "diagnose default", "DIAGNOSE langgraph-agent/redis-session", "status", "diagnsoe", "diagnose <!channel>",
		"  diagnose\tdefault", "`help`", "diagnose\u00a0default", "\xff", strings.Repeat("a", 5000)} {
		f.Add(text, "", "", "")
	}
	for _, action := range []string{"next", "all", "step", "skip", "stop", "take-over", "plan", "causes", "kubectl", "apply", "cancel", "undo", "close", "dance"} {
		f.Add("", action, "INC-1 1 0123456789abcdef", "INC-1")
		f.Add("", action, "", "")
		f.Add("", action, "INC-1 -9223372036854775808 \x00", "INC-1")
	}
	f.Fuzz(func(t *testing.T, text, action, value, id string) {
		store := &memory.Store{}
		if _, err := store.Create(t.Context(), judged("config-error")); err != nil {
			t.Fatal(err)
		}
		h := handler()
		h.Log = slog.New(slog.DiscardHandler)
		h.Incidents.Store, h.Incidents.Roles, h.Incidents.Log = store, nobody{}, h.Log
		h.Incidents.Background, h.Incidents.Changed = t.Context(), func(string) {}
		reply := h.Handle(t.Context(), commands.Request{Actor: ada, Text: text, Action: action, Value: value, Incident: id, Place: incident.Place{Channel: "C1"}})
		h.Incidents.Wait()
		if reply.Whisper == nil {
			t.Fatal("no answer")
		}
		if said := fmt.Sprintf("%+v", *reply.Whisper); len(said) > 4000 {
			t.Errorf("an answer of %d bytes", len(said))
		}
		all, err := store.List(t.Context())
		if err != nil || len(all) != 1 || len(all[0].Plans) != 0 || all[0].State != incident.Walking {
			t.Errorf("a stranger changed something: %+v, %v", all, err)
		}
	})
}
