package slack

import (
	"fmt"
	"time"

	"redis-session-bot/internal/preflight"
)

// heard is when each way to the bot was last used. Slack tells nobody from
// outside whether they are switched on: that something came is the proof.
type heard struct{ command, mention, button time.Time }

// hear notes that something came in a way.
func (a *App) hear(way func(*heard) *time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	*way(&a.heard) = a.options.Now()
}

func byCommand(h *heard) *time.Time { return &h.command }
func byMention(h *heard) *time.Time { return &h.mention }
func byButton(h *heard) *time.Time  { return &h.button }

// ways are the settings of the app that no method of Slack's tells a bot.
func (a *App) ways() (all []preflight.Finding) {
	a.mu.Lock()
	was := a.heard
	a.mu.Unlock()
	for _, one := range []struct {
		what, came, mend string
		at               time.Time
	}{
		{"slash command " + orElse(a.options.command(), "of the app"), "typed", "type it; where Slack does not know it, add it under Slash Commands", was.command},
		{"interactivity", "a button was pressed", "press a button; where Slack shows an error, switch it on under Interactivity & Shortcuts", was.button},
		{"event app_mention", "mentioned", "mention the bot in a thread; where nothing comes, add it under Event Subscriptions", was.mention},
	} {
		f := preflight.Finding{About: about, What: one.what, Status: preflight.OK, Says: fmt.Sprintf("on: %s at %s", one.came, one.at.UTC().Format("15:04 UTC"))}
		if one.at.IsZero() {
			f.Status, f.Minor = preflight.Unknown, true
			f.Says, f.Mend = "Slack does not tell a bot, and it was not used since the bot was started", one.mend
		}
		all = append(all, f)
	}
	return all
}

func (o Options) command() string {
	if o.Command == "" {
		return ""
	}
	return "/" + o.Command
}
