package preflight

import (
	"context"
	"fmt"
	"time"
)

// Question is one round of asking somebody.
type Question struct {
	About string // as in its findings
	What  string // for whom it waits, and for the finding where nobody answers
	// Ask gives what it finds. What outlives ctx is left behind.
	Ask func(ctx context.Context) []Finding
}

// Runner asks questions.
type Runner struct {
	Now func() time.Time
	// Within bounds each question.
	Within time.Duration
}

// The times after which somebody who waits is told for what: first, and again.
const (
	tellAfter = 2 * time.Second
	tellEvery = time.Second
	// grace is for what ends with its time, to say so itself.
	grace = 500 * time.Millisecond
)

// Progress is how far the questions are.
type Progress struct {
	Answered, All int
	Waiting       []string // for whom
}

// Run asks everybody side by side. What takes its time is told of by tell, which
// may be nil; what takes longer than its time is unknown. The findings stand in
// the order of the questions.
func (r Runner) Run(ctx context.Context, questions []Question, tell func(Progress)) Report {
	report := Report{At: r.Now()}
	asking, cancel := context.WithTimeout(ctx, r.Within)
	defer cancel()
	type answer struct {
		of       int
		findings []Finding
	}
	answers := make(chan answer, len(questions)) // whoever is late is heard by nobody, and must not wait for that
	waiting := map[int]bool{}
	for i, one := range questions {
		waiting[i] = true
		go func() { answers <- answer{i, one.Ask(asking)} }()
	}
	found := make([][]Finding, len(questions))
	slow, late := time.NewTimer(tellAfter), time.NewTimer(r.Within+grace)
	defer slow.Stop()
	defer late.Stop()
	for over := false; len(waiting) > 0 && !over; {
		select {
		case got := <-answers:
			found[got.of] = got.findings
			delete(waiting, got.of)
		case <-slow.C:
			slow.Reset(tellEvery)
			if tell != nil {
				tell(progressOf(questions, waiting))
			}
		case <-late.C:
			over = true
		case <-ctx.Done():
			over = true
		}
	}
	for i, one := range questions {
		if waiting[i] {
			found[i] = []Finding{{About: one.About, What: one.What, Status: Unknown, Says: fmt.Sprintf("no answer within %s", r.Within),
				Mend: "ask again; where it stays so, look at the network between"}}
		}
		report.Findings = append(report.Findings, found[i]...)
	}
	return report
}

func progressOf(questions []Question, waiting map[int]bool) Progress {
	p := Progress{Answered: len(questions) - len(waiting), All: len(questions)}
	for i, one := range questions {
		if waiting[i] {
			p.Waiting = append(p.Waiting, one.What)
		}
	}
	return p
}
