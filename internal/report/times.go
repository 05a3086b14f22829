package report

import (
	"fmt"
	"strings"
	"time"

	"redis-session-bot/internal/incident"
	"redis-session-bot/internal/runbook"
)

// Mark is a moment that an incident is measured by. Where At is zero, Says is
// why it is not known.
type Mark struct {
	At   time.Time
	Says string
}

// Times are the moments that an incident is measured by.
type Times struct {
	Acknowledged Mark // the first act of a person, or a page that was acknowledged
	Diagnosed    Mark // the first verdict of the cause that stands at the end
	Fixed        Mark // the last verification that held
}

// TimesOf finds them in what is stored. book may be nil.
func TimesOf(inc incident.Incident, book *runbook.Runbook) Times {
	return Times{Acknowledged: acknowledged(inc), Diagnosed: diagnosed(inc, book), Fixed: fixed(inc)}
}

func acknowledged(inc incident.Incident) Mark {
	mark := Mark{Says: "nobody has done anything yet"}
	earlier := func(at time.Time, says string) {
		if mark.At.IsZero() || at.Before(mark.At) {
			mark = Mark{at, says}
		}
	}
	for _, entry := range inc.Timeline {
		if entry.Actor.ID != incident.Bot().ID && entry.Actor.ID != incident.Alertmanager().ID {
			earlier(entry.At, fmt.Sprintf("%s %s", Name(entry.Actor), entry.Text))
			break
		}
	}
	for _, call := range inc.Escalation.Calls {
		if !call.AckAt.IsZero() {
			earlier(call.AckAt, Name(call.Acked)+" acknowledged the page")
		}
	}
	return mark
}

func diagnosed(inc incident.Incident, book *runbook.Runbook) Mark {
	cause, ok := inc.Cause(book)
	switch {
	case !ok:
		return Mark{Says: "no cause was found"}
	case cause.At.IsZero():
		return Mark{Says: cause.Title + "; when it was named first was not kept"}
	}
	return Mark{cause.At, cause.Title}
}

func fixed(inc incident.Incident) Mark {
	if inc.FixedAt.IsZero() {
		return Mark{Says: "no verification has held"}
	}
	return Mark{inc.FixedAt, "verified"}
}

// Span is a time span as people say it.
func Span(d time.Duration) string {
	switch d = max(d, 0); {
	case d < 2*time.Minute:
		return fmt.Sprintf("%d s", int(d.Seconds()))
	case d < 2*time.Hour:
		return fmt.Sprintf("%d min", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h %d min", int(d.Hours()), int(d.Minutes())%60)
	}
	return fmt.Sprintf("%d days %d h", int(d.Hours())/24, int(d.Hours())%24)
}

// abroad reports whether the reader's clock is another one than UTC.
func (r Report) abroad() bool { return r.Zone != nil && !strings.HasSuffix(r.Zone.String(), "UTC") }

// when is a moment with its day, in UTC and for the reader.
func (r Report) when(at time.Time) string {
	says := at.UTC().Format("2 Jan 2006 15:04 UTC")
	if r.abroad() {
		says += fmt.Sprintf(" (%s %s)", at.In(r.Zone).Format("15:04"), r.Zone)
	}
	return says
}

// clock is a moment of a day that is known.
func (r Report) clock(at time.Time) string {
	says := at.UTC().Format("15:04 UTC")
	if r.abroad() {
		says += at.In(r.Zone).Format(" (15:04)")
	}
	return says
}
