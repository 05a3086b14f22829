package commands

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/runtime"

	"redis-session-bot/internal/evidence"
	"redis-session-bot/internal/incident"
	"redis-session-bot/internal/sentinel"
)

// Availability is a highly available copy of a store, as manifests that the
// API server has been asked about.
type Availability struct {
	sentinel.Manifests
	YAML  string
	Tried sentinel.Tried
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
	manifests, err := sentinel.Make(store)
	var refused sentinel.Refusal
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
	return File{Name: a.Name + ".yaml", Title: "Redis with Sentinel for " + a.Target.String(), Text: a.YAML}
}

// View says what the manifests are, what the API server says to them, what the
// application has to change, how the sessions move, and what it is not.
func (a Availability) View() View {
	title := "High availability · " + a.Target.String()
	what := say("%d pods ", sentinel.Pods).mono(a.Name).say(", each a Redis (%s) and a Sentinel; one of the three is the master, the others follow it. "+
		"When it is gone, two Sentinels agree and promote a replica within about 10 s; a drain hands over first. The store %s is left as it is.", a.Container, a.Target.Workload)
	var sentinels []string
	for _, host := range a.Hosts {
		sentinels = append(sentinels, fmt.Sprintf("%s:%d", host, sentinel.SentinelPort))
	}
	change := say("").strong("In the application: ").say("a client that knows Sentinel. It asks these for the master of the name ").mono(a.Master).
		say(", and asks again when a connection breaks. Redis and Sentinel want the same password, that of today's Secret.")
	move := say("").strong("Move the sessions").say("\n1. Apply the file and wait until its %d pods are ready.\n2. Run the line below in a pod of %s%s. It copies every session with its expiry.\n"+
		"3. Switch the application.\n4. Run the line again without ", sentinel.Pods, a.Target.Workload, a.withPassword()).mono("replace").
		say(". It brings what was written in between, and says BUSYKEY for what is there.\n5. Scale %s to 0 when nobody uses it.", a.Target.Workload)
	not := say("").strong("What it does not do: ").say("a client that knows no Sentinel finds no master by itself. Replication is asynchronous: what was written in the last second before a crash can be lost, " +
		"and what a master that is cut off still takes, too. It makes no backup.")
	parts := []Part{Heading{title}, Paragraph{what}, Paragraph{a.dryRun()}, Paragraph{change}, Code{Text: strings.Join(sentinels, "\n")},
		Paragraph{move}, Code{Text: a.Copy}, Paragraph{not}}
	if len(a.Notes) > 0 {
		parts = append(parts, Paragraph{say("").strong("Not as in the live store: ").say("\n • %s", strings.Join(a.Notes, "\n • "))})
	}
	return View{Summary: title + " · " + a.dryRun().String(), Parts: parts}
}

// withPassword says what to set first in the shell of the copy command.
func (a Availability) withPassword() string {
	if a.Password {
		return ""
	}
	return ", with REDIS_PASSWORD set in that shell"
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
