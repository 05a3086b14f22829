package incident

import (
	"context"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"redis-session-bot/internal/runbook"
)

// Asked is somebody's wish for the report. It is shown to everybody.
type Asked struct {
	Number int       `json:"number"` // from 1
	By     Actor     `json:"by"`
	At     time.Time `json:"at"`
	Zone   string    `json:"zone,omitempty"` // of the clock of who asked, such as Europe/Berlin; "" for UTC
	Owed   []int     `json:"owed,omitempty"` // numbers of the plans that had left something to be put right then
}

// Letter is a draft that a person has edited and posted, in their words.
type Letter struct {
	Number int       `json:"number"` // from 1
	Draft  string    `json:"draft"`  // ID of what it was made of
	Title  string    `json:"title"`
	Text   string    `json:"text"`
	By     Actor     `json:"by"`
	At     time.Time `json:"at"`
}

// Bounds of what an incident keeps of them.
const (
	maxAsked      = 10 // the newest
	maxLetters    = 50
	maxLetterText = 3000 // code points
)

// InputText is the input of a Form that holds what people are told; of a
// BadInput that Post returns, too.
const InputText = "text"

// AskReport notes that somebody wants the report, in the zone of their clock.
// Asked again, it is made anew.
func (s *Service) AskReport(ctx context.Context, id string, actor Actor, zone string) error {
	if err := s.allow(ctx, actor, Responder); err != nil {
		return err
	}
	owed, err := s.Owed(ctx, id)
	if err != nil {
		return err
	}
	_, err = s.change(ctx, id, func(inc *Incident) error {
		s.note(inc, actor, "asked for the report")
		number := 1
		if n := len(inc.Asked); n > 0 {
			number = inc.Asked[n-1].Number + 1
		}
		inc.Asked = append(inc.Asked, Asked{Number: number, By: actor, At: inc.Timeline[len(inc.Timeline)-1].At, Zone: zone, Owed: owed})
		inc.Asked = inc.Asked[max(0, len(inc.Asked)-maxAsked):]
		return nil
	})
	return err
}

// Owed lists the plans of an incident that have left something to be put right:
// a plan of another incident may have done that since.
func (s *Service) Owed(ctx context.Context, id string) ([]int, error) {
	all, err := s.Store.Recent(ctx, time.Time{})
	if err != nil {
		return nil, fmt.Errorf("list incidents: %w", err)
	}
	var numbers []int
	for _, debt := range Debts(all, s.Has) {
		if debt.Incident == id {
			numbers = append(numbers, debt.Plan.Number)
		}
	}
	return numbers, nil
}

// Has reports whether the runbook of an incident has a fix of that reference.
func (s *Service) Has(inc Incident, ref string) bool {
	book := s.Runbooks[inc.Runbook]
	if book == nil {
		return false
	}
	_, ok := book.Fix(ref)
	return ok
}

// Post puts a draft that a person has edited into the incident. The error is a
// *runbook.BadInput where the text does not fit.
func (s *Service) Post(ctx context.Context, id string, actor Actor, draft, title, text string) error {
	if err := s.allow(ctx, actor, Responder); err != nil {
		return err
	}
	text = strings.TrimSpace(text)
	switch n := utf8.RuneCountInString(text); {
	case n == 0:
		return &runbook.BadInput{Input: InputText, Says: "There is nothing to post."}
	case n > maxLetterText:
		return &runbook.BadInput{Input: InputText, Says: fmt.Sprintf("This has %d characters; %d fit.", n, maxLetterText)}
	}
	_, err := s.change(ctx, id, func(inc *Incident) error {
		if len(inc.Letters) >= maxLetters {
			return refuse("%s holds %d posts already. Nothing was posted: write it into the thread yourself.", id, maxLetters)
		}
		s.note(inc, actor, "posted: %s", title)
		inc.Letters = append(inc.Letters, Letter{Number: len(inc.Letters) + 1, Draft: draft, Title: title, Text: text, By: actor, At: inc.Timeline[len(inc.Timeline)-1].At})
		return nil
	})
	return err
}
