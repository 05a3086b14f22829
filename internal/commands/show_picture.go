package commands

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"

	"redis-session-bot/internal/evidence"
	"redis-session-bot/internal/incident"
	"redis-session-bot/internal/picture"
)

// Bounds of what a picture marks.
const (
	markedNames    = 3  // names of alerts
	markedRollouts = 4  // the newest
	markedAction   = 60 // code points of what a plan does
)

// pictureMessages is the one picture of the store's last hours, once they were
// read, and drawn anew once after the fix.
func (h *Handler) pictureMessages(inc incident.Incident) []Message {
	if inc.Kept.Says == "" {
		return nil
	}
	file := File{Name: inc.ID + "-keys-and-memory.png", Title: "Keys and memory of " + inc.ID, Alt: ordinary(inc.Kept.Says),
		Draw: func(ctx context.Context) ([]byte, error) { return h.picture(ctx, inc) }}
	edition, after := "1", ""
	if inc.Kept.Fixed {
		file.Name, file.Title = inc.ID+"-keys-and-memory-fixed.png", file.Title+", after the fix"
		edition, after = "2", " after the fix"
	}
	view := View{Summary: fmt.Sprintf("Keys and memory of %s: %s", inc.ID, inc.Kept.Says), Parts: []Part{
		Paragraph{say("").strong("Keys and memory"+after).say("  %s", ordinary(inc.Kept.Says))},
		Note{say("From Prometheus. The picture is a file in this thread.")},
	}}
	return []Message{{Key: "picture", Thread: true, View: view, Edition: edition, Files: []File{file}}}
}

// picture draws an incident as PNG; nothing where its series are kept no more.
func (h *Handler) picture(ctx context.Context, inc incident.Incident) ([]byte, error) {
	bundle, err := h.Incidents.Bundle(ctx, inc.ID)
	if err != nil {
		return nil, fmt.Errorf("read the evidence of %s: %w", inc.ID, err)
	}
	if bundle.Prometheus == nil {
		return nil, nil
	}
	e := evidence.Read(bundle, inc.Target)
	var png bytes.Buffer
	err = picture.Draw(&png, picture.Incident{Title: fmt.Sprintf("%s · %s", inc.ID, inc.Target), Series: *bundle.Prometheus,
		Until: inc.Kept.Until, Limit: e.MemoryLimit(), Marks: marks(inc, e.Revisions)})
	if errors.Is(err, picture.ErrNothing) {
		return nil, nil
	}
	return png.Bytes(), err
}

// marks are what happened, in no order: the alerts, the rollouts (newest first)
// that no plan of the bot's made, the plans, and the fix.
func marks(inc incident.Incident, rollouts []evidence.Revision) []picture.Mark {
	marks := alertMarks(inc)
	shown := 0
	for _, rollout := range rollouts {
		if shown == markedRollouts {
			break
		}
		if !slices.ContainsFunc(inc.Plans, func(p incident.Plan) bool { return made(p, rollout) }) {
			marks = append(marks, picture.Mark{At: rollout.At, Label: fmt.Sprintf("rollout %d", rollout.Number), Kind: picture.Rollout})
			shown++
		}
	}
	for _, plan := range inc.Plans {
		if plan.AppliedAt.IsZero() || plan.State == incident.Drifted {
			continue
		}
		label := cutTo(plan.Action, markedAction)
		if plan.Undoes == 0 {
			label = fmt.Sprintf("plan %d: %s", plan.Number, label)
		}
		if plan.State != incident.Applied {
			label += " (" + planWord(plan) + ")"
		}
		marks = append(marks, picture.Mark{At: plan.AppliedAt, Label: label, Kind: picture.Change})
	}
	if !inc.FixedAt.IsZero() {
		marks = append(marks, picture.Mark{At: inc.FixedAt, Label: "verified: fixed", Kind: picture.Fixed})
	}
	return marks
}

// alertMarks are the first alert of each name; the incident's start where none came.
func alertMarks(inc incident.Incident) []picture.Mark {
	first := map[string]int{}
	var marks []picture.Mark
	for _, alert := range inc.Alerts {
		n, known := first[alert.Name]
		switch {
		case known && alert.StartsAt.Before(marks[n].At):
			marks[n].At = alert.StartsAt
		case !known && len(marks) < markedNames:
			first[alert.Name] = len(marks)
			marks = append(marks, picture.Mark{At: alert.StartsAt, Label: "alert " + cutTo(alert.Name, markedAction), Kind: picture.Alert})
		}
	}
	if len(marks) == 0 {
		return []picture.Mark{{At: inc.Since, Label: "incident opened", Kind: picture.Alert}}
	}
	return marks
}

// made reports whether a rollout began while a plan was applied.
func made(plan incident.Plan, rollout evidence.Revision) bool {
	return !plan.AppliedAt.IsZero() && !rollout.At.Before(plan.AppliedAt) && (plan.EndedAt.IsZero() || !rollout.At.After(plan.EndedAt))
}
