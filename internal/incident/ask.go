package incident

import (
	"context"
	"slices"
	"time"
)

// Pages is how many pages of an incident were sent or are being sent: what a
// person has seen who asks for another one.
func (i Incident) Pages() int {
	n := 0
	for _, call := range i.Escalation.Calls {
		if call.Act == Trigger {
			n++
		}
	}
	return n
}

// Page pages people now, whatever the clock says: the level that was not paged
// yet, or the last one again. seen is how many pages there were when the
// person decided; of two who decide at the same time one is heard. An empty
// text is the incident's own brief.
func (s *Service) Page(ctx context.Context, id string, actor Actor, seen int, text string) error {
	return s.ask(ctx, id, actor, func(inc *Incident) (Due, error) {
		if err := s.pageable(*inc); err != nil {
			return Due{}, err
		}
		if inc.Pages() != seen {
			last := lastPage(inc.Escalation)
			return Due{}, refuse("%s was paged %s before you: %s. Nobody was paged again.", s.Escalation.level(last.Level), s.Now().Sub(last.At).Round(time.Second), byWord(last))
		}
		return Due{Act: Trigger, Level: s.Escalation.nextLevel(*inc), Why: ReasonAsked}, nil
	}, text)
}

// NextLevel is who is paged when somebody asks for it now; the error is a
// *Refusal where nobody can be.
func (s *Service) NextLevel(inc Incident) (Level, error) {
	if err := s.pageable(inc); err != nil {
		return Level{}, err
	}
	return s.Escalation.level(s.Escalation.nextLevel(inc)), nil
}

func (s *Service) pageable(inc Incident) error {
	switch {
	case len(s.Escalation.Levels) == 0:
		return refuse("Nobody can be paged from here: no pager is configured. Call the person on call yourself.")
	case inc.State == Fixed:
		return refuse("%s is fixed. Nobody was paged.", inc.ID)
	case !inc.Open():
		return refuse("%s is closed. Nobody was paged.", inc.ID)
	}
	return nil
}

// nextLevel is the first that was not paged in this round, or the last one.
func (p Policy) nextLevel(inc Incident) int {
	highest := 0
	for _, page := range inc.Escalation.Pages() {
		if inc.Escalation.Over.IsZero() {
			highest = max(highest, page.Level)
		}
	}
	return min(highest+1, len(p.Levels))
}

func lastPage(e Escalation) Call {
	for _, call := range slices.Backward(e.Calls) {
		if call.Act == Trigger {
			return call
		}
	}
	return Call{}
}

func byWord(call Call) string {
	if call.By.ID == "" {
		return "the clock did it"
	}
	return call.By.Name + " asked for it"
}

// Respond invokes the organisation's incident response. It is invoked once for
// an incident, whoever asks.
func (s *Service) Respond(ctx context.Context, id string, actor Actor, text string) error {
	return s.ask(ctx, id, actor, func(inc *Incident) (Due, error) {
		if err := s.Respondable(*inc); err != nil {
			return Due{}, err
		}
		return Due{Act: Respond, Why: ReasonAsked}, nil
	}, text)
}

// Respondable is a *Refusal where incident response cannot be invoked any
// more, or not from here; nil where it can.
func (s *Service) Respondable(inc Incident) error {
	response := inc.Escalation.Response()
	switch {
	case response != nil:
		return refuse("Incident response was invoked at %s already: %s. Nothing was sent again.", response.At.UTC().Format("15:04 UTC"), byWord(*response))
	case len(s.Escalation.Response.Pagers) == 0:
		return refuse("Incident response cannot be invoked from here: incident_response.pagers is not configured.")
	case !inc.Open():
		return refuse("%s is closed. Nothing was sent.", inc.ID)
	}
	return nil
}

// ask records a call that a person asks for, and sends it.
func (s *Service) ask(ctx context.Context, id string, actor Actor, choose func(inc *Incident) (Due, error), text string) error {
	if err := s.allow(ctx, actor, Responder); err != nil {
		return err
	}
	number := 0
	_, err := s.change(ctx, id, func(inc *Incident) error {
		due, err := choose(inc)
		if err != nil {
			return err
		}
		if due.Act == Trigger && !inc.Escalation.Over.IsZero() {
			s.do(inc, Due{Do: TaskBegin, Why: ReasonAnew})
		}
		number = s.record(inc, due)
		call := inc.Escalation.Call(number)
		call.By, call.Text = actor, Cut(text, maxCallText)
		return nil
	})
	if err != nil {
		return err
	}
	s.sendAll(id, []int{number})
	return nil
}

// maxCallText is how long the words of a person may be, in code points.
const maxCallText = 3000

// Acknowledge says that actor is on it: the pages are not repeated, and the
// receivers are told. The next level comes all the same unless somebody holds.
func (s *Service) Acknowledge(ctx context.Context, id string, actor Actor) error {
	if err := s.allow(ctx, actor, Responder); err != nil {
		return err
	}
	_, err := s.change(ctx, id, func(inc *Incident) error {
		waits := 0
		var last Call
		for n := range inc.Escalation.Calls {
			call := &inc.Escalation.Calls[n]
			if call.Act != Trigger || call.Round != inc.Escalation.Round || call.State != CallSent {
				continue
			}
			if last = *call; call.AckAt.IsZero() {
				call.Acked, call.AckAt = actor, s.Now()
				waits++
			}
		}
		switch {
		case last.Number == 0:
			return refuse("%s has no page to acknowledge.", id)
		case waits == 0:
			return refuse("%s acknowledged the page at %s already.", last.Acked.Name, last.AckAt.UTC().Format("15:04 UTC"))
		}
		s.note(inc, actor, "acknowledged the page")
		return nil
	})
	return err
}
