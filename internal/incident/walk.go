package incident

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"redis-session-bot/internal/checks"
	"redis-session-bot/internal/evidence"
)

// RunNext runs the first step that has not been run.
func (s *Service) RunNext(ctx context.Context, id string, actor Actor) error {
	return s.run(ctx, id, actor, func(inc *Incident) ([]string, error) {
		for _, step := range inc.Steps {
			if step.Status == Pending {
				return []string{step.ID}, nil
			}
		}
		return nil, refuse("Every step of %s has been run. Run one of them again, or look at the verdict.", id)
	})
}

// RunStep runs one step, for the first time or again.
func (s *Service) RunStep(ctx context.Context, id string, actor Actor, step string) error {
	return s.run(ctx, id, actor, func(inc *Incident) ([]string, error) {
		if inc.Step(step) == nil {
			return nil, refuse("%s has no step %q.", id, step)
		}
		return []string{step}, nil
	})
}

// RunAll runs every step that has not been run, all at once; when there is
// none, it runs all of them again.
func (s *Service) RunAll(ctx context.Context, id string, actor Actor) error {
	return s.run(ctx, id, actor, func(inc *Incident) ([]string, error) {
		var pending, all []string
		for _, step := range inc.Steps {
			all = append(all, step.ID)
			if step.Status == Pending || step.Status == Skipped {
				pending = append(pending, step.ID)
			}
		}
		if len(pending) == 0 {
			return all, nil
		}
		return pending, nil
	})
}

// ReadFirst runs what has not been run yet and returns when the last step has
// ended, so that a plan can be made of an incident that was opened just now. It
// does nothing where something was read already.
func (s *Service) ReadFirst(ctx context.Context, id string, actor Actor) error {
	inc, err := s.Store.Get(ctx, id)
	if err != nil {
		return fmt.Errorf("read %s: %w", id, err)
	}
	if inc.Judged {
		return nil
	}
	inc, steps, err := s.claim(ctx, id, actor, func(inc *Incident) ([]string, error) {
		var all []string
		for _, step := range inc.Steps {
			all = append(all, step.ID)
		}
		return all, nil
	})
	if err != nil {
		return err
	}
	ended := make(chan error, 1)
	s.start(id, func(ctx context.Context) error {
		err := s.runSteps(ctx, inc, steps)
		ended <- err
		return err
	})
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
		return refuse("Reading takes long. Its results come in the thread of %s. Ask again then.", id)
	}
}

// run claims steps and runs them in the background.
func (s *Service) run(ctx context.Context, id string, actor Actor, choose func(inc *Incident) ([]string, error)) error {
	inc, steps, err := s.claim(ctx, id, actor, choose)
	if err != nil {
		return err
	}
	s.start(id, func(ctx context.Context) error { return s.runSteps(ctx, inc, steps) })
	return nil
}

// claim marks steps as running in the store, so that two people do not run the
// same one.
func (s *Service) claim(ctx context.Context, id string, actor Actor, choose func(inc *Incident) ([]string, error)) (inc Incident, steps []string, err error) {
	if err := s.mayWalk(ctx, actor); err != nil {
		return inc, nil, err
	}
	var at time.Time
	inc, err = s.change(ctx, id, func(inc *Incident) error {
		at = s.Now()
		if !inc.Open() {
			return refuse("%s is closed. Type diagnose to begin a new one.", id)
		}
		chosen, err := choose(inc)
		if err != nil {
			return err
		}
		steps = nil
		for _, one := range chosen {
			step := inc.Step(one)
			if step.Status == Running {
				continue
			}
			step.Status, step.At, step.By, step.Replica = Running, at, actor, s.Replica
			step.Runs++
			steps = append(steps, one)
		}
		if len(steps) == 0 {
			return refuse("%s is running already; its result comes in the thread.", inc.Step(chosen[0]).Title)
		}
		if inc.State == Stopped {
			inc.State = Walking
		}
		s.beatsIn(inc)
		s.note(inc, actor, "ran %s", titles(inc, steps))
		return nil
	})
	var doubt *unstored
	if errors.As(err, &doubt) {
		s.start(id, func(ctx context.Context) error { return s.giveBack(ctx, id, steps, at) })
	}
	return inc, steps, err
}

// giveBack takes back a claim that may be stored, although whoever asked was told
// that it is not: nobody runs the steps.
func (s *Service) giveBack(ctx context.Context, id string, steps []string, at time.Time) error {
	err := s.insist(ctx, id, func() error {
		_, err := s.change(ctx, id, func(inc *Incident) error {
			found := false
			for _, one := range steps {
				if step := inc.Step(one); step.Status == Running && step.At.Equal(at) {
					step.Status, found = Pending, true
				}
			}
			if !found {
				return errNothing // it was not stored
			}
			return nil
		})
		return err
	})
	if errors.Is(err, errNothing) {
		return nil
	}
	return err
}

func titles(inc *Incident, steps []string) string {
	if len(steps) == len(inc.Steps) {
		return "every step"
	}
	text := ""
	for i, id := range steps {
		if i > 0 {
			text += ", "
		}
		text += inc.Step(id).Title
	}
	return text
}

// stepsAtOnce is how many steps run at the same time, over all incidents: those of
// one whole round. What others ask for meanwhile waits its turn, and does not hold
// what it has read in memory.
const stepsAtOnce = 12

// turns lets so many steps run at the same time. The zero value is ready.
type turns struct {
	once  sync.Once
	slots chan struct{}
}

// take waits for a turn, and gives what ends it.
func (t *turns) take(ctx context.Context) (end func(), err error) {
	t.once.Do(func() { t.slots = make(chan struct{}, stepsAtOnce) })
	select {
	case t.slots <- struct{}{}:
		return func() { <-t.slots }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// runSteps runs the steps of one round at the same time, each with its own
// deadline, and returns when the last has ended.
func (s *Service) runSteps(ctx context.Context, inc Incident, steps []string) error {
	look := s.Cluster.Look(inc.Target)
	done := make(chan error, len(steps))
	for _, id := range steps {
		step := *inc.Step(id)
		s.work.Go(func() {
			end, err := s.turns.take(ctx)
			if err != nil {
				done <- err
				return
			}
			defer end()
			step.At = s.Now() // waiting for a turn is not its work
			part, err := s.check(ctx, look, step.Check)
			done <- s.insist(ctx, inc.ID, func() error { return s.finish(ctx, inc.ID, step, part, err) })
		})
	}
	var all error
	for range steps {
		all = errors.Join(all, <-done)
	}
	return all
}

// check runs one check within the time that a step has.
func (s *Service) check(ctx context.Context, look Look, name string) (evidence.Bundle, error) {
	limited, cancel := context.WithTimeout(ctx, s.Limits.Step)
	defer cancel()
	part, err := look.Check(limited, name)
	if err != nil && limited.Err() != nil && ctx.Err() == nil {
		return part, fmt.Errorf("no answer within %s: %w", s.Limits.Step, err)
	}
	return part, err
}

// finish adds what a step read to the incident and judges anew. Every step
// that has been run is read again, since one step's evidence can change what
// another's means.
func (s *Service) finish(ctx context.Context, id string, ran Step, part evidence.Bundle, failure error) error {
	s.merge.Lock()
	defer s.merge.Unlock()
	inc, err := s.Store.Get(ctx, id)
	if err != nil {
		return fmt.Errorf("read %s: %w", id, err)
	}
	part.Alerts = inc.alertEvidence()
	if err := s.Store.AddBundle(ctx, id, part); err != nil {
		return fmt.Errorf("store the evidence of %s: %w", id, err)
	}
	_, err = s.change(ctx, id, func(inc *Incident) error {
		// It is read after the incident: where another replica adds to both at the
		// same time, the later one judges by all of it.
		bundle, err := s.Store.Bundle(ctx, id)
		if err != nil {
			return fmt.Errorf("read the evidence of %s: %w", id, err)
		}
		e := evidence.Read(bundle, inc.Target)
		step := inc.Step(ran.ID)
		step.Took = s.Now().Sub(ran.At)
		if failure != nil {
			setUnknown(step, failure)
		} else {
			step.Status = checks.OK // read below
		}
		s.readSteps(inc, e)
		inc.judge(s.Runbooks[inc.Runbook], e)
		s.judged(ctx, inc)
		inc.keepFirst(ran.Check, part, bundle, e)
		return nil
	})
	return err
}

func setUnknown(step *Step, failure error) {
	says := failure.Error()
	var refusal *Refusal
	if errors.As(failure, &refusal) {
		says = refusal.Says
	}
	step.Status, step.Summary, step.Raw = checks.Unknown, says, ""
	step.Findings = []checks.Finding{{Severity: checks.Unknown, Object: step.Title, Summary: says}}
}

// readSteps reads the evidence of every step that has been run.
func (s *Service) readSteps(inc *Incident, e evidence.Evidence) {
	for i := range inc.Steps {
		step := &inc.Steps[i]
		if slices.Contains([]Status{Pending, Running, Skipped, checks.Unknown}, step.Status) && !refreshable(step, e, s.Checks[step.Check]) {
			continue
		}
		reading := s.Checks[step.Check].Read(e)
		step.Status, step.Summary, step.Findings, step.Raw = reading.Status(), reading.Summary, reading.Findings, reading.Raw
		step.Kubectl = s.Kubectl(inc.Target, e.Workload, step.Check)
	}
}

// refreshable reports whether an unknown step can be read after all: another
// step has brought what it lacked.
func refreshable(step *Step, e evidence.Evidence, check checks.Check) bool {
	return step.Status == checks.Unknown && slices.ContainsFunc(check.Fields, e.Knows)
}

// Skip leaves a step out.
func (s *Service) Skip(ctx context.Context, id string, actor Actor, step string) error {
	if err := s.allow(ctx, actor, Responder); err != nil {
		return err
	}
	_, err := s.change(ctx, id, func(inc *Incident) error {
		one := inc.Step(step)
		if one == nil || one.Status != Pending {
			return refuse("Only a step that has not been run can be skipped.")
		}
		one.Status, one.Summary = Skipped, "skipped by "+actor.Name
		s.note(inc, actor, "skipped %s", one.Title)
		return nil
	})
	return err
}

// Stop ends the walk; what is running ends by itself.
func (s *Service) Stop(ctx context.Context, id string, actor Actor) error {
	if err := s.allow(ctx, actor, Responder); err != nil {
		return err
	}
	_, err := s.change(ctx, id, func(inc *Incident) error {
		if inc.State != Walking {
			return refuse("%s is not being walked now.", id)
		}
		inc.State = Stopped
		s.note(inc, actor, "stopped the walk")
		return nil
	})
	return err
}

// Diagnosis is a walk without an incident: every step at once.
type Diagnosis struct {
	At       time.Time
	Evidence evidence.Evidence
	Bundle   evidence.Bundle
	Incident Incident // as an incident would show it; not stored
}

// Diagnose runs every step at once, without storing anything. progress is
// called whenever a step ends. Its error means that the cluster could not be
// asked at all.
func (s *Service) Diagnose(ctx context.Context, command string, target evidence.Target, progress func(Step)) (Diagnosis, error) {
	book, ok := s.Runbooks[command]
	if !ok {
		return Diagnosis{}, refuse("There is no runbook for %s.", command)
	}
	began := s.Now()
	inc := Incident{Runbook: command, Target: target, State: Walking, Since: began}
	type result struct {
		step int
		part evidence.Bundle
		err  error
		took time.Duration
	}
	results := make(chan result, len(book.Steps))
	look := s.Cluster.Look(target)
	for i, step := range book.Steps {
		inc.Steps = append(inc.Steps, Step{ID: step.ID, Title: step.Title, Check: step.Check, Status: Running, LookFor: step.Prose, At: began, Runs: 1})
		s.work.Go(func() {
			part, err := s.check(ctx, look, step.Check)
			results <- result{i, part, err, s.Now().Sub(began)}
		})
	}
	var bundle evidence.Bundle
	var failures []error
	for range book.Steps {
		r := <-results
		step := &inc.Steps[r.step]
		step.Took = r.took
		bundle.Add(r.part)
		if r.err != nil {
			failures = append(failures, r.err)
			setUnknown(step, r.err)
		} else {
			step.Status = checks.OK
		}
		s.readSteps(&inc, evidence.Read(bundle, target))
		progress(*step)
	}
	if len(failures) == len(book.Steps) {
		return Diagnosis{}, failures[0]
	}
	e := evidence.Read(bundle, target)
	inc.judge(book, e)
	return Diagnosis{At: e.At, Evidence: e, Bundle: bundle, Incident: inc}, nil
}
