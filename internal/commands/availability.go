package commands

import (
	"context"
	"errors"
	"strings"

	"k8s.io/apimachinery/pkg/runtime"

	"redis-session-bot/internal/evidence"
	"redis-session-bot/internal/incident"
	"redis-session-bot/internal/standby"
)

// Availability is a highly available copy of a store, as manifests that the
// API server has been asked about.
type Availability struct {
	standby.Manifests
	YAML  string
	Tried standby.Tried
}

// ha posts the manifests of a copy of the store. Nothing is applied.
func (h *Handler) ha(ctx context.Context, r Request, rest string) (Reply, error) {
	target, err := h.reads(ctx, r, rest)
	if err != nil {
		return Reply{}, err
	}
	made, err := MakeAvailable(ctx, h.Stores, target)
	if err != nil {
		return Reply{}, err
	}
	view := made.View()
	view.Parts = append(view.Parts, Note{say("Made for ").who(r.Actor).say(" at ").clock(made.At).say(". Nothing was applied.")})
	return Reply{Post: &Message{View: view, Files: []File{made.File()}}}, nil
}

// MakeAvailable makes the manifests for the live store and asks the API server
// about them. Its errors are *incident.Refusal.
func MakeAvailable(ctx context.Context, stores Stores, target evidence.Target) (Availability, error) {
	store, err := stores.Blueprint(ctx, target)
	if err != nil {
		return Availability{}, unread(target, err)
	}
	manifests, err := standby.Make(store)
	var refused standby.Refusal
	if errors.As(err, &refused) {
		return Availability{}, &incident.Refusal{Says: string(refused)}
	}
	if err != nil {
		return Availability{}, err
	}
	text, err := manifests.YAML()
	if err != nil {
		return Availability{}, err
	}
	made := Availability{Manifests: manifests, YAML: string(text)}
	made.Tried, err = stores.DryRun(ctx, target, append([]runtime.Object{manifests.Pod}, manifests.Objects...))
	if err != nil {
		return Availability{}, unread(target, err)
	}
	return made, nil
}

// File is the manifests for kubectl apply.
func (a Availability) File() File {
	return File{Name: a.Name + ".yaml", Title: a.Title, Text: a.YAML}
}

// View says what the manifests are, what the API server says to them, and what
// their maker tells people of them.
func (a Availability) View() View {
	title := "High availability · " + a.Target.String()
	parts := []Part{Heading{title}, Paragraph{say("%s", a.Is)}, Paragraph{a.dryRun()}}
	for _, section := range a.Sections {
		text := say("").strong(section.Title + ":")
		if section.Says != "" {
			text = text.say(" %s", section.Says)
		}
		for i, step := range section.Steps {
			text = text.say("\n%d. %s", i+1, step)
		}
		parts = append(parts, Paragraph{text})
		if section.Code != "" {
			parts = append(parts, Code{Text: section.Code})
		}
	}
	if len(a.Notes) > 0 {
		parts = append(parts, Paragraph{say("").strong("Not as in the live store:").say("\n • %s", strings.Join(a.Notes, "\n • "))})
	}
	return View{Summary: title + " · " + a.dryRun().String(), Parts: parts}
}

// dryRun says what the API server said.
func (a Availability) dryRun() Text {
	tried := a.Tried
	all := len(tried.Accepted) + len(tried.There) + len(tried.Refused)
	switch {
	case len(tried.Refused) > 0:
		return say("").emoji(emojiFail).say(" Server-side dry run: %d of %d objects are refused.\n%s", len(tried.Refused), all, strings.Join(tried.Refused, "\n"))
	case tried.Missing != "":
		return say("").emoji(emojiUnknown).say(" Server-side dry run: not tried. %s", tried.Missing)
	case len(tried.There) > 0:
		return say("").emoji(emojiWarn).say(" Server-side dry run: %d of %d objects are there already (%s); kubectl diff shows what would change.", len(tried.There), all, strings.Join(tried.There, ", "))
	}
	return say("").emoji(emojiOK).say(" Server-side dry run: all %d objects are accepted, one of the pods among them.", all)
}
