package incident

import (
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"

	"redis-session-bot/internal/evidence"
	"redis-session-bot/internal/runbook"
)

// Summons is what a receiver is told: all that somebody needs who has just
// woken up. Its texts are single lines without control characters, but for
// Text; they are not cut to any receiver's limits. Some come from a cluster.
type Summons struct {
	Act      Act
	Key      string // repeats of one key are one incident
	Number   int    // of the call in its incident
	Again    bool   // it was sent before, and nobody knows whether it arrived
	Ref      string // what this pager calls the first page of this key; "" for not known
	Incident string // INC-7
	Runbook  string // its title
	Target   evidence.Target
	Severity string // as the runbook has it
	Level    int
	Who      string    // who is called
	By       Actor     // who asked, acknowledged or closed; zero: the clock
	At       time.Time // of the call
	Since    time.Time
	Summary  string // the whole in one line
	Text     string // in the words of the person who asked for it, or as it would be proposed to one
	Impact   string
	State    string // "not fixed"
	Verdict  string // "Out of memory, certain"
	Because  []string
	Tried    []string // plans and what came of them
	Walker   string
	Link     string // to the thread; "" where it is not shown yet
}

// summons is what is told by a call.
func (s *Service) summons(inc Incident, call Call) Summons {
	book := s.Runbooks[inc.Runbook]
	summons := brief(inc, book, s.Now())
	summons.Act, summons.Key, summons.Number, summons.Level, summons.At = call.Act, call.Key, call.Number, call.Level, call.At
	summons.Again, summons.By = call.Tries > 1, call.By
	summons.Who = s.Escalation.level(call.Level).String()
	if call.Act == Respond {
		summons.Who = s.Escalation.Response.String()
	}
	if text := strings.TrimSpace(call.Text); text != "" {
		first, _, _ := strings.Cut(text, "\n")
		summons.Text, summons.Summary = text, Line(first, 0)
	}
	if call.Act == Acknowledge {
		summons.By = acknowledgedBy(inc.Escalation, call)
	}
	return summons
}

// acknowledgedBy is who acknowledged the pages that a call tells of.
func acknowledgedBy(e Escalation, call Call) Actor {
	for _, page := range slices.Backward(e.Calls) {
		if page.Key == call.Key && !page.AckAt.IsZero() {
			return page.Acked
		}
	}
	return Actor{}
}

// Brief is what a page would tell of an incident now, as one proposes it to a
// person who is about to send it.
func (s *Service) Brief(inc Incident) Summons { return brief(inc, s.Runbooks[inc.Runbook], s.Now()) }

func brief(inc Incident, book *runbook.Runbook, now time.Time) Summons {
	b := Summons{Incident: inc.ID, Target: inc.Target, Since: inc.Since, Walker: Line(inc.Walker.Name, 0), Link: inc.Link, State: stateSays(inc)}
	if book != nil {
		b.Runbook, b.Severity, b.Impact = book.Title, book.Severity, Line(book.Impact, 0)
	}
	b.Verdict = "no cause is known"
	if len(inc.Verdict.Causes) > 0 {
		cause := inc.Verdict.Causes[0]
		b.Verdict = fmt.Sprintf("%s, %s", cause.Title, cause.Confidence)
		for _, because := range cause.Because {
			b.Because = append(b.Because, Line(because, 0))
		}
	}
	for _, plan := range inc.Plans {
		if plan.State != Cancelled {
			b.Tried = append(b.Tried, Line(triedSays(plan), 0))
		}
	}
	b.Summary = Line(fmt.Sprintf("%s · %s · %s: %s, %s since %s UTC (%s)", b.Runbook, inc.Target, inc.ID, lower(b.Verdict), b.State,
		inc.Since.UTC().Format("15:04"), spanSays(now.Sub(inc.Since))), 0)
	b.Text = b.lines()
	return b
}

// lines is the brief as a text of several lines, the first of them the summary.
func (b Summons) lines() string {
	lines := []string{b.Summary}
	add := func(title, text string) {
		if text != "" {
			lines = append(lines, title+text)
		}
	}
	add("Impact: ", b.Impact)
	for _, because := range b.Because {
		add("Because: ", because)
	}
	for _, tried := range b.Tried {
		add("Tried: ", tried)
	}
	add("Walked by: ", b.Walker)
	add("Thread: ", b.Link)
	return strings.Join(lines, "\n")
}

// stateSays is where an incident stands, in a word.
func stateSays(inc Incident) string {
	switch inc.State {
	case Fixed, Closed:
		return string(inc.State)
	case Applying:
		return "being repaired"
	case Verifying:
		return "being verified"
	}
	return "not fixed"
}

// triedSays is one plan and what came of it.
func triedSays(plan Plan) string {
	says := fmt.Sprintf("plan %d, %s: %s", plan.Number, plan.Action, plan.State)
	if plan.Trouble != "" {
		says += ". " + plan.Trouble
	}
	return says
}

// spanSays is a time span as people say it.
func spanSays(d time.Duration) string {
	if d < 2*time.Hour {
		return fmt.Sprintf("%d min", int(d.Minutes()))
	}
	return fmt.Sprintf("%d h %d min", int(d.Hours()), int(d.Minutes())%60)
}

func lower(text string) string {
	runes := []rune(text)
	if len(runes) > 1 && unicode.IsLower(runes[1]) {
		runes[0] = unicode.ToLower(runes[0])
	}
	return string(runes)
}

// Line makes one line of a text that may come from a cluster: without control
// characters and without those that reorder text, and cut to so many code
// points; 0 is no limit.
func Line(text string, most int) string {
	text = strings.Join(strings.Fields(strings.ToValidUTF8(text, "�")), " ")
	return Cut(strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) {
			return -1
		}
		return r
	}, text), most)
}

// Cut shortens a text to so many code points; 0 is no limit.
func Cut(text string, most int) string {
	runes, end := 0, 0 // end is where the last code point but one of those that fit ends
	for at := range text {
		if runes == most-1 {
			end = at
		}
		if runes++; most > 0 && runes > most {
			return text[:end] + "…"
		}
	}
	return text
}
