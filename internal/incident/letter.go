package incident

import (
	"context"
	"fmt"
	"slices"

	"redis-session-bot/internal/evidence"
	"redis-session-bot/internal/runbook"
)

// Fill writes a draft of the runbook from what an incident knows.
func (s *Service) Fill(ctx context.Context, inc Incident, letter runbook.Letter) (string, error) {
	bundle, err := s.Store.Bundle(ctx, inc.ID)
	if err != nil {
		return "", fmt.Errorf("read the evidence of %s: %w", inc.ID, err)
	}
	bundle.Alerts = inc.alertEvidence()
	return letter.Fill(evidence.Read(bundle, inc.Target), inc.told(s.Runbooks[inc.Runbook])), nil
}

// told is what drafts may say of an incident.
func (i Incident) told(book *runbook.Runbook) runbook.Told {
	told := runbook.Told{Incident: i.ID, Began: i.Since, Mended: i.FixedAt, Held: -1, Promised: -1}
	if cause, ok := i.Cause(book); ok && !fine(book, cause.Scenario) {
		told.Cause = cause.Title
	}
	for _, plan := range slices.Backward(i.Plans) {
		if plan.State == Applied && plan.Undoes == 0 {
			told.Held, told.Promised = plan.Holds.Now, plan.Holds.After
			break
		}
	}
	return told
}
