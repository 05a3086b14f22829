package runbook

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"sort"
	"time"

	"redis-session-bot/internal/evidence"
)

// The points of one sign. One strong sign beats any three weak ones; only a
// decisive one makes a verdict certain.
const (
	decisivePoints = 100
	strongPoints   = 50
	weakPoints     = 15
	againstPoints  = -40
)

// Judge ranks the scenarios by what the evidence says. The same evidence
// always gives the same verdict. A sign that looks at something unknown says
// nothing, either way; one that looks at what is inferred makes nothing certain
// and rules nothing out.
func (r *Runbook) Judge(e evidence.Evidence) Verdict {
	facts := factsOf(e, time.Time{})
	missing := map[string]bool{}
	var causes []Cause
	for _, scenario := range r.Scenarios {
		cause, possible := scenario.judge(e, facts, missing)
		if possible {
			causes = append(causes, cause)
		}
	}
	r.applyRank(causes)
	sort.SliceStable(causes, func(i, j int) bool { return causes[i].score > causes[j].score })
	unknown := unknownSentences(e, missing)
	if len(causes) == 0 {
		unknown = append(unknown, starting(e)...)
	}
	return Verdict{Causes: causes, Unknown: unknown}
}

// young is how old a pod is at most that nothing can be said of yet.
const young = 30 * time.Second

// starting tells of pods that were made just before they were read, and that have
// come to nothing yet, neither to serve nor to fail.
func starting(e evidence.Evidence) []string {
	var sentences []string
	for _, pod := range e.Pods {
		tried := slices.ContainsFunc(pod.Containers, func(c evidence.Container) bool { return c.Restarts > 0 || c.LastExit.Happened })
		if age := e.At.Sub(pod.CreatedAt); !pod.Ready && !pod.Deleting && !tried && age >= 0 && age < young {
			sentences = append(sentences, fmt.Sprintf("pods: %s is %d s old and still starts; look again in half a minute", pod.Name, int(age.Seconds())))
		}
	}
	return sentences
}

// judge weighs the signs of one scenario; false when nothing speaks for it or
// something rules it out.
func (s Scenario) judge(e evidence.Evidence, facts map[string]any, missing map[string]bool) (Cause, bool) {
	cause := Cause{Scenario: s.ID, Title: s.Title}
	facts = s.bind(facts)
	decisive, strong := false, false
	for _, sign := range s.Signs {
		if unknown := unknownOf(e, sign.program.reads); len(unknown) > 0 {
			for _, field := range unknown {
				missing[field] = true
			}
			continue
		}
		holds, _, err := sign.program.program.Eval(facts)
		if err != nil || holds.Value() != true {
			continue
		}
		says, err := sign.text.fill(facts)
		if err != nil {
			says = s.Title
		}
		inferred := slices.ContainsFunc(sign.program.reads, func(field string) bool { return e.Inferred[field] != "" })
		if inferred && sign.Weight == Impossible {
			continue
		}
		if sign.Weight != Impossible && sign.Weight != Against && slices.Contains(cause.Because, says) {
			continue // what says the same counts once
		}
		switch sign.Weight {
		case Impossible:
			return Cause{}, false
		case Against:
			cause.score += againstPoints
			cause.Against = append(cause.Against, says)
			continue
		case Decisive:
			if inferred {
				strong = true
				cause.score += strongPoints
				break
			}
			decisive = true
			cause.score += decisivePoints
		case Strong:
			strong = true
			cause.score += strongPoints
		case Weak:
			cause.score += weakPoints
		}
		cause.Because = append(cause.Because, says)
	}
	if cause.score <= 0 || len(cause.Because) == 0 {
		return Cause{}, false
	}
	cause.ByHand = s.advise(facts)
	switch {
	case decisive && len(cause.Against) == 0:
		cause.Confidence = Certain
	case decisive || strong && len(cause.Against) == 0:
		cause.Confidence = Likely
	default:
		cause.Confidence = Possible
	}
	return cause, true
}

// bind adds the scenario's own names to the facts. One that cannot be worked
// out stays unset: a sign that uses it does not hold.
func (s Scenario) bind(facts map[string]any) map[string]any {
	if len(s.lets) == 0 {
		return facts
	}
	bound := maps.Clone(facts)
	for _, let := range s.lets {
		if value, _, err := let.program.program.Eval(bound); err == nil {
			bound[let.name] = value
		}
	}
	return bound
}

// applyRank puts every scenario that another one explains below it.
func (r *Runbook) applyRank(causes []Cause) {
	for i := range causes {
		if causes[i].Confidence == Possible {
			continue
		}
		scenario, _ := r.Scenario(causes[i].Scenario)
		for j := range causes {
			if i == j || !slices.Contains(scenario.Outranks, causes[j].Scenario) {
				continue
			}
			causes[j].score = min(causes[j].score, causes[i].score-1)
			causes[j].Confidence = Possible
		}
	}
}

func unknownOf(e evidence.Evidence, fields []string) []string {
	var unknown []string
	for _, field := range fields {
		if !e.Knows(field) {
			unknown = append(unknown, field)
		}
	}
	return unknown
}

func unknownSentences(e evidence.Evidence, missing map[string]bool) []string {
	var sentences []string
	for field := range missing {
		sentences = append(sentences, fmt.Sprintf("%s: %s", field, e.Unknown[field]))
	}
	sort.Strings(sentences)
	return sentences
}

// Outcome is one line of a verification.
type Outcome struct {
	ID   string `json:"id"`
	OK   bool   `json:"ok"`
	Says string `json:"says"`
}

// Verify holds the evidence against the verification; since is the moment of
// the fix, promised the number of keys that it promised, -1 where it promised
// none. What cannot be known is not OK.
func (r *Runbook) Verify(e evidence.Evidence, since time.Time, promised int64) []Outcome {
	facts := factsOf(e, since)
	facts["promised"] = promised
	var outcomes []Outcome
	for _, expectation := range r.Verification {
		outcomes = append(outcomes, expectation.hold(e, facts))
	}
	return outcomes
}

func (x Expectation) hold(e evidence.Evidence, facts map[string]any) Outcome {
	outcome := Outcome{ID: x.ID}
	if unknown := unknownOf(e, x.program.reads); len(unknown) > 0 {
		outcome.Says = fmt.Sprintf("%s is not known: %s", unknown[0], e.Unknown[unknown[0]])
		return outcome
	}
	holds, _, err := x.program.program.Eval(facts)
	if err != nil {
		outcome.Says = "cannot be judged: " + err.Error()
		return outcome
	}
	text := x.otherwise
	if holds.Value() == true {
		outcome.OK, text = true, x.text
	}
	outcome.Says, err = text.fill(facts)
	if err != nil {
		outcome.Says = x.ID
	}
	return outcome
}

// factsOf gives the evidence by the names that expressions use.
func factsOf(e evidence.Evidence, since time.Time) map[string]any {
	facts := map[string]any{"since": since, "promised": int64(-1)}
	value := reflect.ValueOf(e)
	for i := range value.NumField() {
		facts[value.Type().Field(i).Tag.Get("json")] = value.Field(i).Interface()
	}
	return facts
}
