package commands

import (
	"context"
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/runtime"

	"redis-session-bot/internal/audit"
	"redis-session-bot/internal/checks"
	"redis-session-bot/internal/evidence"
	"redis-session-bot/internal/incident"
	"redis-session-bot/internal/standby"
)

// Stores reads live stores for what is no incident. Package k8s fills it. Its
// errors are *incident.Refusal where there is a sentence for people.
type Stores interface {
	// Audit reads what an audit judges. It changes nothing.
	Audit(ctx context.Context, target evidence.Target) (audit.Facts, error)
	// Blueprint reads what manifests are made of; nothing secret is in it. It
	// changes nothing.
	Blueprint(ctx context.Context, target evidence.Target) (standby.Store, error)
	// DryRun lets the API server look at objects as if they were created. It
	// creates none.
	DryRun(ctx context.Context, target evidence.Target, objects []runtime.Object) (standby.Tried, error)
}

// storeVerbs are those of a runbook whose target can be audited.
func (h *Handler) storeVerbs() []verb {
	book := h.Incidents.Runbooks[h.Command]
	if h.Stores == nil || book == nil || book.Audit == "" {
		return nil
	}
	return []verb{
		{"audit", "hold the live store against the eight points of prevention", h.audit},
		{"ha", "manifests of a highly available copy of it, as a file", h.ha},
	}
}

// reads finds the target that somebody who may read names.
func (h *Handler) reads(ctx context.Context, r Request, name string) (evidence.Target, error) {
	if err := h.Incidents.Roles.Allows(ctx, r.Actor, incident.Responder); err != nil {
		return evidence.Target{}, err
	}
	return h.target(name)
}

func (h *Handler) audit(ctx context.Context, r Request, rest string) (Reply, error) {
	target, err := h.reads(ctx, r, rest)
	if err != nil {
		return Reply{}, err
	}
	facts, err := h.Stores.Audit(ctx, target)
	if err != nil {
		return Reply{}, unread(target, err)
	}
	view := Prevention(audit.Judge(facts))
	view.Parts = append(view.Parts, Note{say("Read for ").who(r.Actor).say(" at ").clock(facts.Seen.At).say(". Nothing was changed.")})
	return Reply{Post: &Message{View: view}}, nil
}

// unread is what people read of a store that could not be asked.
func unread(target evidence.Target, err error) error {
	return &incident.Refusal{Says: fmt.Sprintf("%s could not be read: %s", target, ordinary(err.Error())), Err: err}
}

// shownProof is how many lines of proof a point shows.
const shownProof = 4

// Prevention is a report as one View: a paragraph for each point, and for what
// is to be mended what to do, with its proof.
func Prevention(report audit.Report) View {
	title := "Prevention · " + report.Target.String()
	head := say("").strong(fmt.Sprintf("%d of %d points hold.", report.Count(checks.OK), len(report.Points)))
	if n := report.Count(checks.Fail) + report.Count(checks.Warn); n > 0 {
		head = head.say(" %d to mend.", n)
	}
	if n := report.Count(checks.Unknown); n > 0 {
		head = head.say(" %d not known, which is not the same as well.", n)
	}
	view := View{Summary: title + " · " + head.String(), Parts: []Part{Heading{title}, Paragraph{head}}}
	for _, point := range report.Points {
		text := say("").emoji(statusEmoji(point.Status)).say(" ").strong(point.Title).say("  %s", ordinary(point.Says))
		if point.Do != "" {
			text = text.say("\n→ %s", point.Do)
		}
		view.Parts = append(view.Parts, Paragraph{text})
		if point.Status != checks.OK && len(point.Proof) > 0 {
			view.Parts = append(view.Parts, Code{Text: strings.Join(point.Proof[:min(shownProof, len(point.Proof))], "\n")})
		}
	}
	return view
}
