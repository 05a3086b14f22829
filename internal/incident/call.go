package incident

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// outcome is what came of one try over the pagers of a call.
type outcome struct {
	pager, ref string
	maybe      []string
	failures   []failure
}

type failure struct {
	pager string
	err   error
}

// says is what people read of the failures.
func (o outcome) says() string {
	words := make([]string, len(o.failures))
	for i, f := range o.failures {
		words[i] = f.pager + ": " + strings.TrimRight(Line(sentence(f.err), 200), ".")
	}
	return strings.Join(words, "; ")
}

// sendCall sends a call that was recorded as being sent, and records what came of
// it. Where this process ends meanwhile nothing is recorded: once the lease is
// over, whoever keeps the time sends it again.
func (s *Service) sendCall(ctx context.Context, id string, number int) error {
	inc, err := s.Store.Get(ctx, id)
	if err != nil {
		return fmt.Errorf("read %s: %w", id, err)
	}
	call := *inc.Escalation.Call(number)
	came := s.callPagers(ctx, inc, call)
	if ctx.Err() != nil && came.pager == "" {
		return ctx.Err()
	}
	_, err = s.change(context.WithoutCancel(ctx), id, func(inc *Incident) error {
		now := inc.Escalation.Call(number)
		if now.State == CallSent || came.pager == "" && !now.Tried.Equal(call.Tried) {
			return errNothing // somebody else has sent it since, or is about to
		}
		s.conclude(inc, now, came)
		return nil
	})
	if errors.Is(err, errNothing) {
		err = nil
	}
	if came.pager == "" {
		return errors.Join(fmt.Errorf("nobody took it: %s", came.says()), err)
	}
	return err
}

// callPagers tells the pagers of a call, one after another, until one takes it.
func (s *Service) callPagers(ctx context.Context, inc Incident, call Call) outcome {
	limited, cancel := context.WithTimeout(ctx, sendWithin)
	defer cancel()
	summons := s.summons(inc, call)
	var came outcome
	for n, name := range call.Pagers {
		if ctx.Err() != nil {
			break
		}
		ref, err := s.callPager(limited, name, len(call.Pagers)-n, inc.Escalation, summons)
		if err == nil {
			came.pager, came.ref = name, ref
			return came
		}
		came.failures = append(came.failures, failure{name, err})
		if !errors.Is(err, ErrNotTaken) {
			came.maybe = append(came.maybe, name)
		}
	}
	return came
}

// callPager tells one pager within its share of the time that is left.
func (s *Service) callPager(ctx context.Context, name string, left int, e Escalation, summons Summons) (ref string, err error) {
	pager, ok := s.Pagers[name]
	if !ok {
		return "", &Refusal{Says: "no pager of this name is configured", Err: ErrNotTaken}
	}
	deadline, _ := ctx.Deadline()
	limited, cancel := context.WithTimeout(ctx, time.Until(deadline)/time.Duration(left))
	defer cancel()
	summons.Ref = e.refAt(name, summons.Key)
	return pager.Call(limited, summons)
}

// refAt is what a pager calls the first page of a key that it took; "" for none.
func (e Escalation) refAt(pager, key string) string {
	for _, call := range e.Calls {
		if call.Pager == pager && call.Key == key && call.Ref != "" {
			return call.Ref
		}
	}
	return ""
}

// conclude records what came of a try.
func (s *Service) conclude(inc *Incident, call *Call, came outcome) {
	call.mayHave(came.maybe)
	first := call.Error == ""
	call.Error = came.says()
	if came.pager == "" {
		call.State = CallFailed
		if first {
			s.note(inc, Bot(), "no pager took %s: %s. It is tried again.", s.callWord(*call), call.Error)
		}
		return
	}
	call.State, call.Pager, call.Ref, call.SentAt = CallSent, came.pager, came.ref, s.Now()
	actor := Bot()
	if call.By.ID != "" {
		actor = call.By
	}
	switch call.Act {
	case Trigger:
		s.note(inc, actor, "paged %s by %s: %s", s.Escalation.level(call.Level), call.Pager, whyWord(*call))
	case Respond:
		s.note(inc, actor, "invoked incident response (%s) by %s", s.Escalation.Response, call.Pager)
	case Acknowledge:
		s.note(inc, actor, "told %s that the page is acknowledged", call.Pager)
	case Resolve:
		s.note(inc, actor, "told %s that it is over", call.Pager)
	}
}

// mayHave notes pagers that may have a call.
func (c *Call) mayHave(pagers []string) {
	for _, pager := range pagers {
		if !slices.Contains(c.Maybe, pager) {
			c.Maybe = append(c.Maybe, pager)
		}
	}
}

// callWord names a call in the timeline.
func (s *Service) callWord(call Call) string {
	switch call.Act {
	case Trigger:
		return "the page to " + s.Escalation.level(call.Level).String()
	case Respond:
		return fmt.Sprintf("the call for incident response (%s)", s.Escalation.Response)
	case Acknowledge:
		return "word that the page is acknowledged"
	}
	return "word that it is over"
}

// whyWord says why a page has gone out.
func whyWord(call Call) string {
	switch call.Why {
	case ReasonHoldOver:
		return "the hold is over and there is no verified fix"
	case ReasonRepeat:
		return "nobody has acknowledged the page before"
	case ReasonAsked:
		return "asked for by a person"
	}
	return "the delay has passed without a verified fix"
}
