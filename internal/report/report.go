// Package report writes what people ask an incident for at its end: a report, a
// timeline, a summary for the next person.
//
// It is pure: all of it comes from the stored incident.
package report

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"redis-session-bot/internal/incident"
	"redis-session-bot/internal/runbook"
)

// Report is an incident, and what is told with it.
type Report struct {
	Incident incident.Incident
	Book     *runbook.Runbook // nil where it is not known any more
	Zone     *time.Location   // of the reader; nil for UTC
	For      incident.Actor   // who asked for it; zero: nobody in particular
	At       time.Time        // when
	Owed     []incident.Owed  // what is still to be put right
	Levels   []incident.Level // who is paged, as configured
}

// Markdown is the report of an incident.
func (r Report) Markdown() string {
	p := &page{}
	inc := r.Incident
	title := inc.Runbook
	if r.Book != nil {
		title = r.Book.Title
	}
	p.heading(1, "%s: %s", text(inc.ID), text(title))
	r.facts(p)
	r.times(p)
	if r.Book != nil && r.Book.Impact != "" {
		p.heading(2, "Impact")
		p.line("%s", text(r.Book.Impact))
	}
	r.verdict(p)
	r.steps(p)
	r.alerts(p)
	r.plans(p)
	r.verification(p)
	r.pages(p)
	r.owed(p)
	r.letters(p)
	r.timeline(p)
	return strings.TrimRight(p.String(), "\n") + "\n"
}

// facts are the head of the report.
func (r Report) facts(p *page) {
	inc := r.Incident
	rows := [][]string{{"Incident", text(inc.ID)}, {"Target", text(inc.Target.String())}, {"State", text(State(inc))}, {"Began", r.when(inc.Since)}, {"Opened by", text(Name(inc.OpenedBy))}, {"Walked by", text(Name(inc.Walker))}}
	add := func(name, value string) {
		if value != "" {
			rows = append(rows, []string{name, value})
		}
	}
	if cause, ok := inc.Cause(r.Book); ok {
		add("Cause", text(cause.String()))
	}
	if past := inc.Past(r.Book); past.Plan > 0 {
		add("Last plan applied", text(fmt.Sprintf("plan %d, %s: %s", past.Plan, past.Action, came(past))))
	}
	if !inc.FixedAt.IsZero() {
		add("Fixed", r.when(inc.FixedAt))
	}
	if !inc.ClosedAt.IsZero() {
		add("Closed", r.when(inc.ClosedAt))
	}
	if inc.Link != "" {
		add("Message", link(inc.Link))
	}
	if r.For.ID != "" {
		add("Asked for by", fmt.Sprintf("%s, %s", text(Name(r.For)), r.when(r.At)))
	}
	p.table(rows)
}

// came is what the last plan of an incident came to.
func came(past incident.Past) string {
	switch {
	case past.Undone:
		return "undone"
	case past.Failed:
		return "not applied to its end"
	case past.Fixed.IsZero():
		return "did not fix it"
	}
	return "fixed it"
}

// State is where an incident stands, in a word or two.
func State(inc incident.Incident) string {
	switch {
	case inc.State == incident.Closed && inc.FixedAt.IsZero():
		return "closed without a verified fix"
	case inc.State == incident.Closed || inc.State == incident.Fixed:
		return string(inc.State)
	case inc.State == incident.Applying:
		return "being repaired"
	case inc.State == incident.Verifying:
		return "being verified"
	case inc.State == incident.Stopped:
		return "not fixed, the walk is stopped"
	}
	return "not fixed"
}

// Name is how people know somebody.
func Name(actor incident.Actor) string { return cmp.Or(actor.Name, actor.ID, "nobody") }

// times writes how long it took, from the start.
func (r Report) times(p *page) {
	times := TimesOf(r.Incident, r.Book)
	p.heading(2, "Times")
	p.line("All from the start, %s.", r.when(r.Incident.Since))
	rows := [][]string{{"To", "took", "at", "what"}}
	for _, one := range []struct {
		to   string
		mark Mark
	}{{"acknowledge", times.Acknowledged}, {"diagnose", times.Diagnosed}, {"fix", times.Fixed}} {
		if one.mark.At.IsZero() {
			rows = append(rows, []string{one.to, "–", "–", text(one.mark.Says)})
			continue
		}
		rows = append(rows, []string{one.to, Span(one.mark.At.Sub(r.Incident.Since)), r.when(one.mark.At), text(one.mark.Says)})
	}
	p.table(rows)
}

func (r Report) verdict(p *page) {
	inc := r.Incident
	p.heading(2, "Verdict")
	if !inc.Judged {
		p.line("Nothing was read, so nothing was judged.")
		return
	}
	if len(inc.Verdict.Causes) == 0 {
		p.line("No cause found: the evidence names none of the runbook's scenarios.")
	}
	for n, cause := range inc.Verdict.Causes {
		p.line("**%s** — %s%s", text(cause.Title), text(string(cause.Confidence)), less(n))
		var reasons []string
		for _, because := range cause.Because {
			reasons = append(reasons, text(because))
		}
		for _, against := range cause.Against {
			reasons = append(reasons, "against it: "+text(against))
		}
		p.list(reasons)
	}
	if len(inc.Verdict.Unknown) > 0 {
		p.line("Not known:")
		p.list(texts(inc.Verdict.Unknown))
	}
	if len(inc.Judgements) > 1 {
		p.line("How it changed:")
		var changes []string
		for _, one := range inc.Judgements {
			changes = append(changes, fmt.Sprintf("%s: %s", r.when(one.At), text(one.String())))
		}
		p.list(changes)
	}
	if inc.Alike != nil {
		p.line("%s", text(Alike(*inc.Alike)))
	}
}

func less(n int) string {
	if n == 0 {
		return ""
	}
	return " (less likely)"
}

func texts(all []string) []string {
	written := make([]string, len(all))
	for i, one := range all {
		written[i] = text(one)
	}
	return written
}

// Alike says what an incident of before came to, beside one that looks like it.
func Alike(past incident.Past) string {
	as := fmt.Sprintf("As in %s on %s: ", past.Incident, past.Since.UTC().Format("2 Jan"))
	took := Span(past.End().Sub(past.Since))
	switch {
	case past.Undone:
		return as + fmt.Sprintf("“%s” was applied and undone.", past.Action)
	case past.Fixed.IsZero():
		return as + fmt.Sprintf("closed after %s without a verified fix.", took)
	case past.Plan == 0:
		return as + fmt.Sprintf("well again after %s, without a plan.", took)
	}
	return as + fmt.Sprintf("fixed by “%s” in %s.", past.Action, took)
}

// steps is what was measured.
func (r Report) steps(p *page) {
	p.heading(2, "What was measured")
	for _, step := range r.Incident.Steps {
		p.heading(3, "%s: %s", text(step.Title), text(string(step.Status)))
		if step.Runs == 0 {
			p.line("%s", text(cmp.Or(step.Summary, "Not run.")))
			continue
		}
		p.line("%s", text(fmt.Sprintf("%s. Run by %s at %s, %s.", strings.TrimRight(cmp.Or(step.Summary, "No result"), "."), Name(step.By), r.clock(step.At), plural(step.Runs, "run"))))
		for _, finding := range step.Findings {
			p.line("%s %s: %s", text(string(finding.Severity)), mono(finding.Object), text(finding.Summary))
			if len(finding.Proof) > 0 {
				p.fence("text", strings.Join(finding.Proof, "\n"))
			}
		}
	}
}

func plural(n int, one string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %ss", n, one)
}

// shownAlerts is how many alerts the report lists.
const shownAlerts = 50

func (r Report) alerts(p *page) {
	alerts := slices.Clone(r.Incident.Alerts)
	if len(alerts) == 0 {
		return
	}
	slices.SortStableFunc(alerts, func(a, b incident.Alert) int { return a.StartsAt.Compare(b.StartsAt) })
	p.heading(2, "Alerts")
	rows := [][]string{{"Alert", "fires since", "resolved", "says"}}
	for n, alert := range alerts {
		if n == shownAlerts {
			break
		}
		resolved := "still fires"
		if !alert.Firing() {
			resolved = r.when(alert.EndsAt)
		}
		rows = append(rows, []string{text(alert.Name), r.when(alert.StartsAt), resolved, text(alert.Says)})
	}
	p.table(rows)
	if rest := len(alerts) - shownAlerts; rest > 0 {
		p.line("And %d more.", rest)
	}
	if says := r.Incident.Quiet.String(); !r.Incident.Quiet.At.IsZero() && r.Incident.Quiet.Looked {
		p.line("%s", text(says))
	}
}

func (r Report) plans(p *page) {
	if len(r.Incident.Plans) == 0 {
		return
	}
	p.heading(2, "Plans")
	for _, plan := range r.Incident.Plans {
		r.plan(p, plan)
	}
}

func (r Report) plan(p *page, plan incident.Plan) {
	p.heading(3, "Plan %d: %s — %s", plan.Number, text(plan.Action), text(string(plan.State)))
	facts := []string{text(fmt.Sprintf("Made by %s at %s.", Name(plan.By), r.clock(plan.MadeAt)))}
	if plan.Approved.ID != "" {
		says := fmt.Sprintf("Approved by %s at %s", Name(plan.Approved), r.clock(plan.AppliedAt))
		if plan.Alone != "" {
			says += ", alone: " + plan.Alone
		}
		facts = append(facts, text(strings.TrimRight(says, ".")+"."))
	}
	if !plan.EndedAt.IsZero() {
		facts = append(facts, text(fmt.Sprintf("Ended at %s: %s.", r.clock(plan.EndedAt), plan.State)))
	}
	for _, value := range plan.Inputs {
		facts = append(facts, text(fmt.Sprintf("%s: %s", value.Label, value.Value)))
	}
	if plan.Trouble != "" {
		facts = append(facts, text(plan.Trouble))
	}
	facts = append(facts, texts(plan.Holds.Says)...)
	for _, undo := range r.Incident.Plans {
		if undo.Undoes == plan.Number {
			facts = append(facts, text(fmt.Sprintf("Plan %d undoes it: %s.", undo.Number, undo.State)))
		}
	}
	if plan.HandedBy.ID != "" {
		facts = append(facts, text(fmt.Sprintf("Handed over by %s at %s.", Name(plan.HandedBy), r.clock(plan.HandedAt))))
	}
	for _, warning := range plan.Warnings {
		facts = append(facts, "warned: "+text(warning))
	}
	for _, caution := range plan.Cautions {
		facts = append(facts, "data loss: "+text(caution))
	}
	if plan.Debt != "" {
		facts = append(facts, "to be put right afterwards: "+text(plan.Debt))
	}
	p.list(facts)
	for n, write := range plan.Writes {
		p.line("%d\\) %s — %s", n+1, text(write.Title), text(writeWord(write)))
		var came []string
		came = append(came, texts(write.Says)...)
		if write.Error != "" {
			came = append(came, text(write.Error))
		}
		if write.NoUndo != "" {
			came = append(came, "cannot be undone: "+text(write.NoUndo))
		}
		p.list(came)
		if write.Diff != "" {
			p.fence("diff", write.Diff)
		}
	}
}

func writeWord(write incident.Write) string {
	switch write.Status {
	case incident.Planned:
		return "not sent"
	case incident.Lost:
		return "nobody knows whether it arrived"
	}
	return string(write.Status)
}

func (r Report) verification(p *page) {
	if len(r.Incident.Verified) == 0 {
		return
	}
	p.heading(2, "Verification")
	var lines []string
	for _, outcome := range r.Incident.Verified {
		lines = append(lines, map[bool]string{true: "holds: ", false: "does not hold: "}[outcome.OK]+text(outcome.Says))
	}
	p.list(lines)
}

// pages is who was called, and who kept others from being called.
func (r Report) pages(p *page) {
	lines := r.calls()
	if len(lines) == 0 {
		return
	}
	p.heading(2, "Pages and holds")
	p.list(texts(lines))
}

// calls says each page, the response and each hold.
func (r Report) calls() []string {
	var lines []string
	for _, call := range r.Incident.Escalation.Calls {
		if says := r.call(call); says != "" {
			lines = append(lines, says)
		}
	}
	for _, hold := range r.Incident.Escalation.Holds {
		says := fmt.Sprintf("%s held the pages from %s to %s: %s", Name(hold.By), r.clock(hold.At), r.clock(hold.End()), hold.Reason)
		if !hold.EndedAt.IsZero() {
			says += fmt.Sprintf(" (ended by %s)", Name(hold.EndedBy))
		}
		lines = append(lines, says)
	}
	return lines
}

func (r Report) call(call incident.Call) string {
	who := "incident response"
	switch call.Act {
	case incident.Trigger:
		who = "the people on call"
		if call.Level >= 1 && call.Level <= len(r.Levels) {
			who = r.Levels[call.Level-1].String()
		}
	case incident.Respond:
	default:
		return ""
	}
	by := "by the clock"
	if call.By.ID != "" {
		by = "asked for by " + Name(call.By)
	}
	switch {
	case call.State != incident.CallSent:
		return fmt.Sprintf("called %s at %s, %s: not taken yet. %s", who, r.clock(call.At), by, call.Error)
	case !call.AckAt.IsZero():
		return fmt.Sprintf("called %s at %s through %s, %s: acknowledged by %s at %s", who, r.clock(call.SentAt), call.Pager, by, Name(call.Acked), r.clock(call.AckAt))
	case call.Act == incident.Trigger:
		return fmt.Sprintf("called %s at %s through %s, %s: not acknowledged", who, r.clock(call.SentAt), call.Pager, by)
	}
	return fmt.Sprintf("called %s at %s through %s, %s", who, r.clock(call.SentAt), call.Pager, by)
}

func (r Report) owed(p *page) {
	if len(r.Owed) == 0 {
		return
	}
	p.heading(2, "Still to be put right")
	p.list(texts(r.debts()))
}

func (r Report) debts() []string {
	var lines []string
	for _, owed := range r.Owed {
		back := fmt.Sprintf("undo plan %d", owed.Plan.Number)
		if owed.End != "" {
			back = owed.End
		}
		lines = append(lines, fmt.Sprintf("%s (plan %d of %s, approved by %s). The way back: %s", strings.TrimRight(owed.Plan.Debt, "."), owed.Plan.Number, owed.Incident, Name(owed.Plan.Approved), back))
	}
	return lines
}

// letters are the drafts that people have posted.
func (r Report) letters(p *page) {
	if len(r.Incident.Letters) == 0 {
		return
	}
	p.heading(2, "What people were told")
	for _, letter := range r.Incident.Letters {
		p.line("**%s**, by %s at %s:", text(letter.Title), text(Name(letter.By)), r.clock(letter.At))
		p.fence("text", letter.Text)
	}
}

func (r Report) timeline(p *page) {
	p.heading(2, "Timeline")
	head := []string{"UTC"}
	if r.abroad() {
		head = append(head, text(r.Zone.String()))
	}
	rows := [][]string{append(head, "who", "what")}
	for _, entry := range r.Incident.Timeline {
		row := []string{entry.At.UTC().Format(time.DateTime)}
		if r.abroad() {
			row = append(row, entry.At.In(r.Zone).Format(time.DateTime))
		}
		rows = append(rows, append(row, text(Name(entry.Actor)), text(entry.Text)))
	}
	p.table(rows)
}

// Lines are the timeline as plain lines, oldest first, in the reader's zone.
func (r Report) Lines() []string {
	zone := r.Zone
	if zone == nil {
		zone = time.UTC
	}
	lines := make([]string, len(r.Incident.Timeline))
	for i, entry := range r.Incident.Timeline {
		lines[i] = fmt.Sprintf("%s  %s  %s", entry.At.In(zone).Format("2 Jan 15:04:05"), incident.Line(Name(entry.Actor), 60), incident.Line(entry.Text, 0))
	}
	return lines
}
