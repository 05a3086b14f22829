// Package drill is practice: what a fault that was made on purpose on a throwaway
// store has shown of the people who mended it, and of the bot.
//
// A card is worked out from the incident alone; nobody has to keep a watch.
package drill

import (
	"fmt"
	"time"

	"redis-session-bot/internal/incident"
	"redis-session-bot/internal/report"
	"redis-session-bot/internal/runbook"
)

// Drill is one practice.
type Drill struct {
	Fault  string    `json:"fault"`  // as the lab names it
	Cause  string    `json:"cause"`  // the runbook's scenario that is the right verdict
	Target string    `json:"target"` // what people call it
	Began  time.Time `json:"began"`  // the clock: the store was broken
}

// Card is what came of a drill. The spans are after its beginning; 0 is never.
type Card struct {
	Drill
	Incident     string        `json:"incident"` // "" where none was opened
	Acknowledged time.Duration `json:"acknowledged"`
	Right        time.Duration `json:"right"` // to the first verdict that was the right one
	Fixed        time.Duration `json:"fixed"` // to the last verification that held
	Wrong        []string      `json:"wrong"` // turns, in their order
	Channel      string        `json:"-"`     // where the incident was; "" for none
}

// Score reads a card from the incident; the zero one is for none.
func Score(d Drill, inc incident.Incident) Card {
	card := Card{Drill: d, Incident: inc.ID, Channel: inc.Place.Channel}
	after := func(at time.Time) time.Duration {
		if at.IsZero() {
			return 0
		}
		return max(at.Sub(d.Began), time.Second) // clocks of two machines
	}
	times := report.TimesOf(inc, nil)
	card.Acknowledged, card.Fixed = after(times.Acknowledged.At), after(times.Fixed.At)
	for _, judged := range inc.Judgements {
		switch {
		case judged.Scenario == d.Cause && card.Right == 0:
			card.Right = after(judged.At)
		case judged.Confidence == runbook.Certain && judged.Scenario != d.Cause && card.Right == 0:
			// One that is only likely may be of the first step alone.
			card.Wrong = append(card.Wrong, "the verdict was "+judged.String())
		}
	}
	for _, plan := range inc.Plans {
		if says := astray(inc, plan); says != "" {
			card.Wrong = append(card.Wrong, fmt.Sprintf("plan %d (%s) %s", plan.Number, plan.Action, says))
		}
	}
	return card
}

// astray says what was wrong with a plan that was carried out; "" for nothing.
func astray(inc incident.Incident, plan incident.Plan) string {
	if plan.AppliedAt.IsZero() || plan.Undoes > 0 {
		return ""
	}
	switch plan.State {
	case incident.Undone:
		return "was undone"
	case incident.Failed, incident.Uncertain:
		return "did not end well: " + plan.Trouble
	}
	for _, later := range inc.Plans {
		if later.Number > plan.Number && later.Undoes == 0 && !later.AppliedAt.IsZero() && (inc.FixedAt.IsZero() || later.AppliedAt.Before(inc.FixedAt)) {
			return fmt.Sprintf("was not enough: plan %d followed", later.Number)
		}
	}
	return ""
}

// Over reports whether an incident has come to its end for a drill.
func Over(inc incident.Incident) bool {
	return inc.State == incident.Fixed || inc.State == incident.Closed
}

// span is how long it took, in words.
func span(d time.Duration) string {
	if d == 0 {
		return "never"
	}
	return "after " + report.Span(d)
}
